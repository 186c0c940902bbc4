"""Checks of where a request goes, and of what goes with it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import attrs

from jackfield._config.loader import load_config
from jackfield._contract.protocols import HttpAccess, NoAuth, StaticHeader
from jackfield._contract.secrets import Secret
from jackfield._http.transport import HttpTransport
from jackfield._plugins.registry import Registry
from jackfield._types.errors import JackfieldError
from jackfield._types.wire import Wire

from ._case import plain_request
from ._check import check
from ._findings import SkipCheck
from ._subject import Subject


def _http(subject: Subject) -> str | None:
    return None if subject.speaks_http else "its transport is its own"


_ID_TAILS = {
    "a dot segment": "/../jackfield-other",
    "a dot segment that is encoded": "%2F..%2Fjackfield-other",
    "a dot segment with backslashes": "\\..\\jackfield-other",
    "a query": "?jackfield-query=1",
    "a parameter of a query": "&jackfield-query=1",
    "a fragment": "#jackfield-fragment",
    "a line end": "\r\njackfield-header: 1",
}
_DOTS = re.compile(r"(^|[/\\])\.\.?(?=[/\\]|$)")


@check(
    "addresses.model",
    law="The id of a model never changes which resource is addressed, and never leaves its place in the path.",
    remedy="put names into paths with jackfield.plugin.quote_segment (or quote_path), and into Wire.query as they are",
    applies=_http,
)
def model_in_address(subject: Subject) -> Iterable[str]:
    access = subject.hooks.transport(subject.settings)
    transport = HttpTransport(access) if isinstance(access, HttpAccess) else None
    for probe in subject.probes_of():
        plain = urlsplit(_sent_to(transport, probe.plain.wire))
        for what, tail in _ID_TAILS.items():
            model = attrs.evolve(probe.model, id=probe.model.id + tail)
            try:
                wire = subject.translate(model, plain_request(probe.kind), probe.capabilities).wire
            except JackfieldError:
                continue  # refused, as the core itself does
            fault = _moved(plain, _sent_to(transport, wire))
            if fault is not None:
                yield f"{probe.label}: an id with {what}: {fault}"


def _sent_to(transport: HttpTransport | None, wire: Wire) -> str:
    return wire.path if transport is None else transport.address(wire)


def _moved(plain: SplitResult, address: str) -> str | None:
    """Return how an address with a strange id differs from the plain one in more than the id's segment."""
    if any(character < "!" or character == "\\" for character in address):
        return "a blank, a control character or a backslash stands in the address"
    sent = urlsplit(address)
    names = [
        (parts.netloc, parts.fragment, [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)])
        for parts in (plain, sent)
    ]
    if names[0] != names[1]:
        return f"it changes the host, the query or the fragment: {address}"
    if _DOTS.search(unquote(sent.path)):
        return f"a dot segment stands in the path, which a server or a proxy may resolve: {sent.path}"
    return None


_FOREIGN = "https://jackfield-foreign.example"
_CANARY = "jackfield-conformance-environment-9b27"
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")


class _Environment(dict[str, str]):
    """The environment, with a canary in every variable whose name is that of a secret, set or not."""

    def __getitem__(self, name: str) -> str:
        return _CANARY if _SECRET_NAME.search(name) else super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        return (isinstance(name, str) and _SECRET_NAME.search(name) is not None) or super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default


@contextlib.contextmanager
def _canaries() -> Iterator[None]:
    real = os.environ
    os.environ = cast("Any", _Environment(real))  # noqa: B003 -- put back; nothing is cleared
    try:
        yield
    finally:
        os.environ = real  # noqa: B003


def _with_base_url(subject: Subject) -> str | None:
    if not subject.has_base_url:
        return "its settings have no base_url"
    return _http(subject)


@check(
    "addresses.default_key",
    law="A key that only the environment names is not sent to a base_url which is not the provider's own.",
    remedy="declare the key with jackfield.plugin.secret(env=..., hosts=...); let no hook read it out of the environment",
    applies=_with_base_url,
)
def default_key(subject: Subject) -> Iterable[str]:
    with _canaries():
        try:
            loaded = load_config({"connections": {"c": _foreign_table(subject)}}, Registry.of(subject.plugin))
            access: Any = subject.hooks.transport(loaded.connections["c"].settings)
        except JackfieldError:
            return  # it is told that a key is wanted
        for what, value in _sent(access):
            if _CANARY in value:
                yield f"{what} carries it to {_FOREIGN}"


def _foreign_table(subject: Subject) -> dict[str, Any]:
    """Return a connection to somebody else's server, without any secret."""
    info = subject.hooks.info
    table: dict[str, Any] = {"provider": info.id, **({"models": []} if info.requires_models else {})}
    for field in attrs.fields(info.settings):
        if field.metadata.get("secret"):
            continue
        if field.name in subject.given_settings:
            table[field.alias] = subject.given_settings[field.name]
        elif field.default is attrs.NOTHING and field.name != "credentials":
            is_address = any(word in field.name for word in ("url", "uri", "endpoint", "host"))
            table[field.alias] = _FOREIGN if is_address else "conformance"
    return {**table, "base_url": _FOREIGN}


def _sent(access: Any) -> Iterator[tuple[str, str]]:
    """Return the headers that every request would have, each with what it is called."""
    if not isinstance(access, HttpAccess):
        return
    for auth in (access.auth, *access.named_auth.values()):
        if isinstance(auth, StaticHeader) and auth.secret is not None and not auth.secret.is_none:
            yield f"the header {auth.name}", auth.secret.reveal()
    for name, value in access.headers.items():
        yield f"the header {name}", value


@check(
    "addresses.no_key",
    law='Where a key is declared as "none", for a server that wants none, nothing is sent in its place.',
    remedy="give the Secret to StaticHeader as it is; do not reveal it in a hook, and let nothing else take its place",
    applies=_with_base_url,
)
def no_key(subject: Subject) -> Iterable[str]:
    if not any(field.metadata.get("secret") for field in attrs.fields(subject.hooks.info.settings)):
        raise SkipCheck("its settings hold no secret")
    try:
        access: Any = subject.hooks.transport(subject.make_settings(Secret(reference="none")))
    except JackfieldError as error:
        yield f"it is refused: {error}"
        return
    for auth in (access.auth, *access.named_auth.values()) if isinstance(access, HttpAccess) else ():
        if isinstance(auth, StaticHeader) and (auth.secret is None or auth.secret.is_none):
            continue
        if not isinstance(auth, NoAuth):
            yield f"{type(auth).__name__} proves an identity all the same"
