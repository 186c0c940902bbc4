"""Check addresses of services, as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["Address", "address_fault", "address_secrets", "shown_address"]

_HOST: Final = re.compile(r"https?://(?:[^/?#@]*@)?(\[[^/?#\]]*\]|[^/?#:]*)")

_KEY_NAME: Final = r"(?i:key|token|secret|sig|code|pass|auth|pwd|credential)"
_SURELY_A_KEY: Final = 8
_LONGEST_LABEL: Final = 63
"""RFC 1035, section 2.3.4."""


class Address(str):
    """An address whose repr shows neither user nor query; anything else about it is the text itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(shown_address(str(self)))


def shown_address(address: str) -> str:
    """Return an address as it may be shown: "***" for user and password, and for the values of its query but versions."""
    scheme, user, host, query = _split_address(address)
    if query:
        pairs = (pair.partition("=") for pair in query.split("&"))
        query = "?" + "&".join(
            f"{name}{mark}{value if 'version' in name.lower() or not value else '***'}"
            for name, mark, value in pairs
        )
    return f"{scheme}{'***@' if user else ''}{host}{query}"


def address_secrets(address: str) -> Iterator[str]:
    """Yield what in an address is a secret: user and password, and values of its query that may be a key."""
    _, user, _, query = _split_address(address)
    if user:
        yield user
        yield user.partition(":")[2] or user
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if (
            value
            and "version" not in name.lower()
            and (len(value) >= _SURELY_A_KEY or re.search(_KEY_NAME, name))
        ):
            yield value


def _split_address(address: str) -> tuple[str, str, str, str]:
    """Cut an address into scheme with its slashes, user, the rest, and query."""
    rest, _, query = address.partition("?")
    scheme, slashes, rest = rest.rpartition("://") if "://" in rest else ("", "", rest)
    authority = re.split("[/#]", rest, maxsplit=1)[0]
    if "@" not in authority and re.search(r":(?!\d*$)", authority.rpartition("]")[2]):
        authority = rest  # what follows the colon is not a port: a password with a slash in it
    user, at, _ = authority.rpartition("@")
    return scheme + slashes, user, rest[len(user) + len(at) :], query


def address_fault(text: str) -> str | None:
    """Return what is wrong with an address; None if it can be asked. The address is not shown: it may hold a key."""
    found = _HOST.match(text)
    if found is None:
        return 'must begin with "http://" or "https://"'
    if not re.search(r"\w", found[1]):
        return f"names no host; write an address as {found[0].partition('//')[0]}//host.example"
    if (
        any(not 0 < len(label) <= _LONGEST_LABEL for label in found[1].rstrip(".").split("."))
        and "[" not in found[1]
    ):
        return "names a host that cannot be: its parts between dots have 1 to 63 characters"
    return "must hold no blanks" if re.search(r"\s", text) else None
