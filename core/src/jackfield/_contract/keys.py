"""Where keys go: one that nobody chose for an address goes to the provider's own hosts alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import attrs

from .secrets import Secret

__all__ = ["addresses_of", "is_at_hosts", "is_loopback", "key_faults"]

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


def addresses_of(settings: Any, field: attrs.Attribute[Any]) -> list[str]:
    """Return the addresses that a secret of a settings object is sent to, as far as somebody declared them."""
    sent_to = field.metadata.get("sent_to")
    found = [getattr(settings, "base_url", None)] if sent_to is None else list(sent_to(settings))
    return [address for address in found if isinstance(address, str)]


def key_faults(settings: Any, written: Collection[str]) -> Iterator[tuple[str, str]]:
    """Return what is wrong with where the keys of a connection would go.

    Args:
        settings: The settings object.
        written: The keys that the configuration writes.

    Yields:
        A key and what is wrong: a default that would go to a host which is not the provider's own, or an address with
        a user or a password in it beside a key.
    """
    named = getattr(settings, "credentials", None) is not None
    fields = [
        field for field in attrs.fields(type(settings)) if isinstance(getattr(settings, field.name), Secret)
    ]
    for field in fields:
        key: Secret = getattr(settings, field.name)
        is_default = field.alias not in written
        if key.is_none or (is_default and named):
            continue
        addresses = addresses_of(settings, field)
        with_user = next((address for address in addresses if "@" in _authority(address)), None)
        foreign = next((address for address in addresses if not _is_own(address, settings, field)), None)
        if is_default and foreign is not None:
            yield field.alias, _foreign_fault(field.alias, key, foreign, _own_hosts(settings, field))
        elif with_user is not None:
            yield "base_url", _user_fault(field.alias)
    if named and not fields and "@" in _authority(str(getattr(settings, "base_url", None) or "")):
        yield "base_url", _user_fault("credentials")


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
