"""Read token counts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from jackfield import Usage

from ._iterations import add_left_out

__all__ = ["read_usage"]

_WRITES: Final = (
    ("ephemeral_5m_input_tokens", "cache_write_5m_tokens"),
    ("ephemeral_1h_input_tokens", "cache_write_1h_tokens"),
)
_SERVER_TOOLS: Final = (
    ("web_search_requests", "web_search_request"),
    ("web_fetch_requests", "web_fetch_request"),
)
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
    plain, read, written = (
        get("input_tokens"),
        get("cache_read_input_tokens"),
        get("cache_creation_input_tokens"),
    )
    total = None if plain is None else plain + (read or 0) + (written or 0)
    split = get("cache_creation") or _NOTHING
    server_tools = get("server_tool_use") or _NOTHING
    counted = Usage(
        total,
        get("output_tokens"),
        read,
        written,
        (get("output_tokens_details") or _NOTHING).get("thinking_tokens"),
        {ours: value for theirs, ours in _WRITES if (value := split.get(theirs)) is not None},
        {
            ours: Decimal(value)
            for theirs, ours in _SERVER_TOOLS
            if (value := server_tools.get(theirs)) is not None
        },
    )
    return counted if not get("iterations") else add_left_out(counted, usage, model)
