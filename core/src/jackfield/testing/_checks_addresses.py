"""Checks of where a request goes, and of what goes with it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import attrs

from jackfield._contract.protocols import HttpAccess
from jackfield._http.transport import HttpTransport
from jackfield._types.errors import JackfieldError
from jackfield._types.wire import Wire

from ._case import plain_request
from ._check import check
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
