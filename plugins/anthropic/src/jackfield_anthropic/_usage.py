"""Read token counts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from jackfield import Usage
from jackfield.plugin import read_count, read_quantity

from ._iterations import add_left_out

__all__ = ["read_usage"]

_INPUTS: Final = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_TTL: Final = re.compile("ephemeral_(.+)_input_tokens")
_NOTHING: Final[Mapping[str, Any]] = {}


def read_usage(usage: Mapping[str, Any], model: str | None = None) -> Usage:
    """Read a usage object.

    Anthropic's input counts are disjoint: tokens read from the cache and tokens written to it are not part of
    `input_tokens`. Output includes thinking. Every optional count may be null. Source: types of the Python SDK
    2.12.0 (2026-11-20).

    Args:
        usage: The object.
        model: The model that the service reports.
    """
    get = usage.get
    split = get("cache_creation")
    split = split if isinstance(split, Mapping) else _NOTHING
    details = {
        f"cache_write_{ttl[1]}_tokens": count
        for name, value in split.items()
        if (ttl := _TTL.fullmatch(str(name))) and (count := read_count(value)) is not None
    }
    plain, read, written = (read_count(get(name)) for name in _INPUTS)
    if written is None and details:
        written = sum(details.values())
    is_known = plain is not None and (read is not None or get(_INPUTS[1]) is None)
    thought = get("output_tokens_details")
    counted = Usage(
        (plain or 0) + (read or 0) + (written or 0) if is_known else None,
        read_count(get("output_tokens")),
        read,
        written,
        read_count(thought.get("thinking_tokens")) if isinstance(thought, Mapping) else None,
        details,
        dict(_served(get("server_tool_use"))),
    )
    return counted if not get("iterations") else add_left_out(counted, usage, model)


def _served(counts: Any) -> Iterator[tuple[str, Decimal]]:
    """Yield what the service's own tools were used for: `web_search_requests` are of the unit web_search_request."""
    for name, value in counts.items() if isinstance(counts, Mapping) else ():
        quantity = read_quantity(value)
        if quantity is not None:
            yield str(name).removesuffix("s"), quantity
