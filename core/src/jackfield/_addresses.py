"""Addresses of services, as people write them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["address_fault"]

_HOST: Final = re.compile(r"https?://(?:[^/?#@]*@)?(\[[^/?#\]]*\]|[^/?#:]*)")


def address_fault(text: str) -> str | None:
    """Say what is wrong with an address; None if it can be asked. The address is not shown: it may hold a key."""
    found = _HOST.match(text)
    if found is None:
        return 'must begin with "http://" or "https://"'
    if not re.search(r"\w", found[1]):
        return f"names no host; write an address as {found[0].partition('//')[0]}//host.example"
    return "must hold no blanks" if re.search(r"\s", text) else None
