"""Secrets by reference: never in a repr, a log, an error or a trace."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs

from jackfield._faces import show_in
from jackfield._hints import install_command
from jackfield._text_files import read_text_file
from jackfield._types.errors import ConfigurationError, MissingCredentialError

__all__ = ["Secret", "secret"]

_NONE: Final = "none"
_SCHEMES = ("env", "file", "keyring")


def describe_missing_keyring() -> str:
    """Return what is to be done before a reference to a keyring can be used."""
    return f"keyring: references need the extra: {install_command('jackfield', 'keyring')}"


class Secret:
    """A secret, or a reference to one; shown nowhere.

    Write references in configuration: `env:NAME`, `file:/path`, `keyring:service/name` (extra `keyring`), or `none`
    for a server that wants no key: then nothing is sent.
    A program that holds the value itself passes `Secret("value")`.
    """

    __slots__ = ("_reference", "_seen", "_value")

    def __init__(self, value: str | None = None, *, reference: str | None = None) -> None:
        self._value = value
        self._reference = reference
        self._seen = value

    @classmethod
    def parse(cls, text: str | Secret, *, key: str = "secret") -> Secret:
        """Read a reference as configuration writes it.

        Raises:
            ConfigurationError: It is not a reference (the text itself is not shown: it may be the secret).
        """
        if isinstance(text, Secret):
            return text
        if text == _NONE:
            return cls(reference=text)
        scheme, colon, rest = text.partition(":")
        if colon and scheme in _SCHEMES:
            _check_reference(scheme, rest.strip(), key)
        if not colon or scheme not in _SCHEMES or not rest:
            raise ConfigurationError(
                f'{key} must be a reference, not the secret itself: write "env:NAME", "file:/path" or '
                '"keyring:service/name", or "none" where there is none; a program may pass jackfield.Secret(value)'
            )
        return cls(reference=text)

    @property
    def reference(self) -> str | None:
        """The reference as written; None for a value given by the program."""
        return self._reference

    @property
    def is_none(self) -> bool:
        """Whether it was declared that there is no secret: nothing is sent in its place."""
        return self._reference == _NONE

    def reveal(self) -> str:
        """Return the secret itself. Blocking for files and keyrings; called when a connection opens.

        Raises:
            MissingCredentialError: There is nothing behind the reference.
        """
        if self._value is not None:
            return self._value
        if self.is_none:
            raise MissingCredentialError('a secret is needed here, and "none" is declared')
        scheme, _, rest = (self._reference or "").partition(":")
        read = {"env": _from_environment, "file": _from_file}.get(scheme, _from_keyring)
        self._seen = read(rest)
        return self._seen

    @property
    def seen(self) -> str | None:
        """The secret as it was revealed last, to take it out of errors; None if it was not yet. Never blocks."""
        return self._seen

    @property
    def shown(self) -> str:
        """What stands in its place where people look: where it is from."""
        return f"<{self._reference or 'secret'}>"

    def __repr__(self) -> str:
        return f"Secret({self._reference})" if self._reference else "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return (self._value, self._reference) == (other._value, other._reference)

    def __hash__(self) -> int:
        return hash((self._value, self._reference))

    def __reduce__(self) -> tuple[Any, ...]:
        if self._reference is None:
            msg = "a Secret that holds its value cannot be pickled; use a reference (env:NAME, file:/path)"
            raise TypeError(msg)
        return (_from_reference, (self._reference,))


def _check_reference(scheme: str, rest: str, key: str) -> None:
    """Refuse what could be resolved on no machine."""
    if not rest:
        wanted = {"env": "a variable's name", "file": "a path", "keyring": "service/name"}[scheme]
        raise ConfigurationError(f'{key} must be a reference with {wanted} behind "{scheme}:"')
    if scheme == "keyring" and not all(rest.partition("/")):
        raise ConfigurationError(
            f"{key} must be a reference that needs a service and a name: keyring:service/name"
        )
    if scheme == "env" and re.search(r"[\s${}=]", rest):
        raise ConfigurationError(f"{key} must be a reference that names a variable bare: env:NAME")


def has_keyring() -> bool:
    """Return whether references to a keyring can be resolved here; imports nothing."""
    if "keyring" in sys.modules:
        return sys.modules["keyring"] is not None
    from importlib.util import find_spec

    return find_spec("keyring") is not None


def _from_reference(reference: str) -> Secret:
    return Secret(reference=reference)


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise MissingCredentialError(
            f"the environment variable {name} is not set; set it, or name another in the config"
        )
    return value


def file_stamp(secret: Secret) -> tuple[int, ...] | None:
    """Return what changes when the file behind a reference is written again or replaced; None if there is no such file.

    Cheap enough for every attempt: the system answers from its cache. Of a pipe or a device nothing can be said.
    """
    scheme, _, path = (secret.reference or "").partition(":")
    if scheme != "file":
        return None
    try:
        found = os.stat(os.path.expanduser(path))  # noqa: PTH111, PTH116 -- a Path takes ten times as long
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size) if stat.S_ISREG(found.st_mode) else None


def _from_file(path: str) -> str:
    try:
        value = read_text_file(path).strip()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise MissingCredentialError(f"the secret file {path} cannot be read: {reason}") from error
    if not value:
        raise MissingCredentialError(f"the secret file {path} is empty")
    return value


def _from_keyring(rest: str) -> str:
    service, slash, name = rest.partition("/")
    if not slash:
        raise ConfigurationError(f"keyring:{rest} must be keyring:service/name")
    try:
        import keyring
    except ImportError as error:
        raise MissingCredentialError(describe_missing_keyring()) from error
    try:
        value: str | None = keyring.get_password(service, name)
    except Exception as error:  # each backend has errors of its own
        raise MissingCredentialError(
            f"the keyring cannot be asked for service {service}, name {name}: {type(error).__name__}: {error}"
        ) from error
    if not value:
        raise MissingCredentialError(f"the keyring has nothing for service {service}, name {name}")
    return value


def secret(
    *,
    env: str | None = None,
    hosts: tuple[str, ...] = (),
    sent_to: Callable[[Any], Iterable[str | None]] | None = None,
) -> Any:
    """Declare a settings field that holds a secret.

    A connection whose `base_url` is not the provider's own has to say which key it sends there: what `env` names would
    be sent to whoever is at that address. A server on this machine gets none unless told.

    Args:
        env: The environment variable that is meant when the key is absent; None leaves the field None.
        hosts: The provider's own hosts, those below them included; the host of the default of `base_url` unless given.
        sent_to: Takes the settings, and gives the addresses that the secret is sent to; none if it is not used. The
            field `base_url` unless given. Addresses in fields of other names are taken for the customer's own.
    """
    default = Secret(reference=f"env:{env}") if env else None
    metadata = {"secret": True, "hosts": hosts, "sent_to": sent_to}
    return attrs.field(default=default, metadata=metadata, kw_only=True)


show_in("jackfield", Secret)
