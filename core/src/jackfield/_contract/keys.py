"""Where keys go: one that nobody chose for an address goes to the provider's own hosts alone."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

import attrs

from .secrets import Secret

if TYPE_CHECKING:
    from jackfield._types.errors import JackfieldError

__all__ = [
    "UNWRITTEN",
    "add_unsent_key",
    "addresses_of",
    "is_at_hosts",
    "is_loopback",
    "may_carry_secrets",
    "offers_identity",
    "settle_keys",
    "user_fault",
]

UNWRITTEN: Final = Secret(reference="none")
"""In the place of a default that is not sent to this machine's own server."""
_LOOPBACK: Final = re.compile(r"localhost|(.+\.)?localhost|127(\.\d{1,3}){3}|::1", re.IGNORECASE)


def is_at_hosts(address: str, hosts: Collection[str]) -> bool:
    """Return whether an address is one of some hosts, or below one of them, over https.

    Args:
        address: The address; one that cannot be read is at none.
        hosts: Names of hosts: "api.acme.example" has "eu.api.acme.example" below it.
    """
    parts = _split(address)
    if parts is None or parts.scheme != "https":
        return False
    host = (parts.hostname or "").rstrip(".").lower()
    return any(host == known or host.endswith(f".{known}") for known in hosts)


def is_loopback(address: str) -> bool:
    """Return whether an address is this machine's own."""
    parts = _split(address)
    return parts is not None and _LOOPBACK.fullmatch(parts.hostname or "") is not None


def may_carry_secrets(address: str) -> bool:
    """Return whether nobody on the way to an address can read what is sent: over https, or within this machine.

    Args:
        address: The address, with its scheme; to one that cannot be read nothing may be sent.
    """
    parts = _split(address)
    if parts is None or not (parts.hostname or "").strip("."):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(address))


def addresses_of(settings: Any, field: attrs.Attribute[Any]) -> list[str]:
    """Return the addresses that a secret of a settings object is sent to, as far as somebody declared them."""
    sent_to = field.metadata.get("sent_to")
    found = [getattr(settings, "base_url", None)] if sent_to is None else list(sent_to(settings))
    return [address for address in found if isinstance(address, str)]


def offers_identity(settings: Any) -> bool:
    """Return whether an identity of the machine goes to a host that is not the provider's own, and nobody named it."""
    base = getattr(settings, "base_url", None)
    if (
        not isinstance(base, str)
        or getattr(settings, "credentials", None) is not None
        or _secret_fields(settings)
    ):
        return False
    hosts = [field.metadata["hosts"] for field in attrs.fields(type(settings)) if field.metadata.get("hosts")]
    return bool(hosts) and not any(is_at_hosts(base, own) for own in hosts)


def settle_keys(settings: Any, written: Collection[str]) -> tuple[Any, list[tuple[str, str]]]:
    """Keep defaults of keys away from servers that are not the provider's own.

    A server on this machine gets no key: most want none, and one that does answers so. Elsewhere, nobody can tell what is
    meant, which is a fault.

    Args:
        settings: The settings object.
        written: The keys that the configuration writes.

    Returns:
        The settings, and what is wrong with where keys would go, each with its key: a default under a `base_url` that is
        not the provider's own.
    """
    faults: list[tuple[str, str]] = []
    base = getattr(settings, "base_url", None)
    is_named = getattr(settings, "credentials", None) is not None
    fields = _secret_fields(settings)
    for field in fields:
        key: Secret = getattr(settings, field.name)
        is_default = _key_of(field) not in written
        addresses = addresses_of(settings, field)
        if key.is_none or (is_default and is_named):
            continue
        if is_default and base in addresses and not _is_own(base, settings, field):
            if is_loopback(base):
                settings = attrs.evolve(settings, **{_key_of(field): UNWRITTEN})
            else:
                fault = _foreign_fault(_key_of(field), key, base, _own_hosts(settings, field))
                faults.append((_key_of(field), fault))
    return settings, faults


def user_fault(settings: Any) -> str | None:
    """Return why a connection cannot be used whose address holds a user or a password beside a key; None if it can.

    Both would go into one header. `explain` shows such a connection, without either secret; opening it fails.
    """
    if not attrs.has(type(settings)):
        return None
    base = getattr(settings, "base_url", None)
    is_named = getattr(settings, "credentials", None) is not None
    fields = _secret_fields(settings)
    for field in fields:
        is_sent = not getattr(settings, field.name).is_none
        if is_sent and any("@" in _authority(address) for address in addresses_of(settings, field)):
            return _user_fault(_key_of(field))
    if is_named and not fields and isinstance(base, str) and "@" in _authority(base):
        return _user_fault("credentials")
    return None


def add_unsent_key(error: JackfieldError, settings: Any) -> None:
    """Add to a refusal that no key was sent, if that is so: the server may want one."""
    if error.status not in (401, 403) or not attrs.has(type(settings)):
        return
    fields = _secret_fields(settings)
    if not fields or not all(getattr(settings, field.name).is_none for field in fields):
        return
    hint = f'no key was sent; write {fields[0].alias} = "env:NAME" if this server wants one'
    if hint not in error.message:
        error.message = f"{error.message} ({hint})"
        error.args = (error.message,)


def _key_of(field: attrs.Attribute[Any]) -> str:
    return field.alias or field.name


def _secret_fields(settings: Any) -> list[attrs.Attribute[Any]]:
    fields = attrs.fields(type(settings))
    return [field for field in fields if isinstance(getattr(settings, field.name), Secret)]


def _foreign_fault(name: str, key: Secret, address: str, hosts: Collection[str]) -> str:
    parts = _split(address)
    where = "elsewhere" if parts is None else f"{parts.scheme}://{parts.hostname}"
    own = (
        " and ".join([*list(hosts)[:2], *(["others of its hosts"] if len(hosts) > 2 else [])])
        or "no host that is known"
    )
    return (
        f"is missing; its default ({key.reference}) is for {own} alone, and this connection goes to {where}: "
        f'write {name} = "env:NAME" with the key for it, or {name} = "none" if that server wants none'
    )


def _user_fault(key: str) -> str:
    return (
        f"holds a user or a password, which goes where the {key} goes; take it out, or write "
        f'{key} = "none" if it is the proof of identity'
    )


def _is_own(address: str, settings: Any, field: attrs.Attribute[Any]) -> bool:
    default = _default_address(type(settings))
    same = default is not None and _origin(address) is not None and _origin(address) == _origin(default)
    return same or is_at_hosts(address, _own_hosts(settings, field))


def _own_hosts(settings: Any, field: attrs.Attribute[Any]) -> tuple[str, ...]:
    """Return the hosts of the provider: those that its plugin names, else that of the default of `base_url`."""
    hosts: tuple[str, ...] = field.metadata.get("hosts") or ()
    parts = _split(_default_address(type(settings)) or "")
    return hosts or ((parts.hostname,) if parts is not None and parts.hostname else ())


def _default_address(cls: type) -> str | None:
    field = attrs.fields_dict(cls).get("base_url")
    return field.default if field is not None and isinstance(field.default, str) else None


def _authority(address: str) -> str:
    return re.split(r"[/?#]", address.partition("://")[2])[0]


def _origin(address: str) -> tuple[str, str | None, int | None] | None:
    parts = _split(address)
    return None if parts is None else (parts.scheme, parts.hostname, parts.port)


def _split(address: str) -> SplitResult | None:
    if "\\" in address:  # readers of addresses do not agree on what it means
        return None
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises where it is not a number
    except ValueError:
        return None
    return parts
