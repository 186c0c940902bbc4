"""Names in addresses: what may be the id of a model, and how a name is written into a path."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from jackfield._types.errors import ConfigurationError

__all__ = ["address_danger", "model_id_fault", "quote_path", "quote_segment"]

_NOT_IN_IDS: Final = {
    "?": "it begins a query",
    "#": "it begins a fragment",
    "%": "ids are written as they are, never percent-encoded",
    "\\": "paths have slashes",
    "*": "a pattern belongs into an allow-list",
}
_DOTS: Final = r"(?:^|[/\\])\s*\.\.?\s*(?:;[^/\\]*)?(?=[/\\]|$)"
"""A segment that servers resolve; some take off parameters (`..;x`) and blanks before they do."""
_SENT_DOTS: Final = r"(?i:(?:/|%2f|%5c)(?:\.|%2e){1,2}(?=/|%2f|%5c|$))"
_UNSENDABLE: Final = r"[\x00-\x20\x7f\\#]"


def model_id_fault(text: str) -> str | None:
    """Return why a text cannot be the id of a model; None if it can.

    Ids of all services have letters, digits and marks such as `:`, `/`, `@`, `.`; none has what would change an
    address that it is put into. A leading slash is fine: servers of local models take paths for ids.
    """
    if not text:
        return "it is empty"
    if text != text.strip():
        return "it has blanks at its ends"
    if not text.isprintable():
        return "it has characters that cannot be printed"
    for mark, why in _NOT_IN_IDS.items():
        if mark in text:
            return f'it has a "{mark}": {why}'
    if "." in text and re.search(_DOTS, text):
        return 'it has a segment "." or ".."'
    if "//" in text or text.endswith("/"):
        return "it has an empty segment"
    return None


@lru_cache(maxsize=1024)
def quote_segment(text: str, *, safe: str = "") -> str:
    """Return a name as one segment of a path: everything but letters, digits and `_.-~` percent-encoded.

    Args:
        text: The name: a model's id, a deployment, a job.
        safe: Marks that the service wants as they are, such as "@" or ":". Never "/", "?" or "#".

    Raises:
        ConfigurationError: It is empty, has a control character, or a dot segment, which servers and proxies may
            resolve even where it is encoded.
    """
    if not text:
        raise ConfigurationError("an empty name cannot stand in the path of an address")
    if ("." in text and re.search(_DOTS, text)) or any(
        character < " " or character == "\x7f" for character in text
    ):
        raise ConfigurationError(
            f'{text!r} cannot stand in the path of an address: it has a segment "." or "..", or a control character'
        )
    return quote(text, safe="".join(mark for mark in safe if mark not in "/?#%"))


def quote_path(text: str, *, safe: str = "") -> str:
    """Return a name of several segments, such as a resource's, with each of them quoted.

    Args:
        text: The name, its segments divided by slashes.
        safe: As for `quote_segment`.

    Raises:
        ConfigurationError: A segment is empty, ".", "..", or has a control character.
    """
    return "/".join([quote_segment(segment, safe=safe) for segment in text.split("/")])


def address_danger(address: str) -> str | None:
    """Return what makes an address lead elsewhere than it seems; None if nothing does.

    The last guard, for plugins that put a name into a path as it is.
    """
    path = address.partition("?")[0].partition("://")[2]
    if ("%" in path or "/." in path) and re.search(_SENT_DOTS, path):
        return 'its path has a segment "." or ".."'
    if address.isprintable() and not any(mark in address for mark in " \\#"):
        return None  # as of most addresses, which need no pattern: one takes long to compile
    found = re.search(_UNSENDABLE, address)
    return (
        None
        if found is None
        else f"its address has a {found[0]!r}; names in it are quoted, see quote_segment"
    )
