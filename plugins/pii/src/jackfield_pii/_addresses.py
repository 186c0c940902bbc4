"""Find e-mail and IP addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

__all__ = ["find_ip_addresses", "find_mail_addresses"]

_DOMAIN: Final = re.compile(
    r"@(?:(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,20}(?:xn--[a-z0-9-]{2,59}|[^\W\d_]{2,24})(?![^\W\d_])"
    r"|\[[0-9A-Fa-f:.]{2,45}\])"
)
_LOCAL: Final = re.compile(r"""(?:[\w.%+'!#$&*^~-]+(?:=[\w-]+(?:\.[\w-]+)+)?|"[^"\r\n]+")\Z""")
"""What may be before the @ (RFC 5322), without what is a delimiter more often: / = ? { | } `. In a returned address, the
first recipient is written with an equals sign: `bounce+anna=example.com@lists.example.org`."""
_LONGEST_LOCAL: Final = 254
_NEVER_FIRST: Final = "_.%+'!#$&*^~-"

_IP_4: Final = re.compile(r"(?<![^\W_])(?<!\d\.)\d{1,3}(?:\.\d{1,3}){3}(?![^\W_]|\.\d)")
_IP_6: Final = re.compile(
    r"(?:(?<![^\W_])(?<!:)|(?<=\w:))(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{2,39}(?:(?:\.\d{1,3}){3})?(?![^\W_]|\.\d)"
)


def find_mail_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each e-mail address."""
    done = 0
    for domain in _DOMAIN.finditer(text):
        before = text[max(done, domain.start() - _LONGEST_LOCAL) : domain.start()]
        local = _LOCAL.search(before)
        if local is not None and (name := local[0].lstrip(_NEVER_FIRST)):
            done = domain.end()
            yield domain.start() - len(name), domain.end()


def find_ip_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each IP address of both versions, without a port."""
    for match in _IP_6.finditer(text):
        for end in (match.end(), match.end() - 1):  # "from 2001:db8::1: refused"
            if _is_address(text[match.start() : end]):
                yield match.start(), end
                break
    for match in _IP_4.finditer(text):
        if _is_address(match[0]):
            yield match.span()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(map(str.isdigit, text))  # "a::b" is a valid address, but usually C++
