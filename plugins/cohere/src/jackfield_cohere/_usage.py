"""Read token counts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from jackfield import Usage

__all__ = ["read_usage"]

_NOTHING: Final[Mapping[str, Any]] = {}
_UNITS: Final = (("search_units", "search_unit"), ("classifications", "classification"), ("images", "image"))


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Read `usage` of chat v2 or `meta` of every other answer.

    `tokens` is what the model read and wrote, including Cohere's own preamble and cached input; `billed_units` is
    what is paid for, and goes into the details from which the cost is computed. If a response has only `billed_units`
    (generate, embed, summarize), they count as both. `tokens.input_tokens` does not include images (recorded in 2026:
    34 beside 259 of an image), but `Usage.input_tokens` does. Counts come as floats.

    Sources: Cohere's Python SDK 7.3.1; `token_count`: answers of 2024.
    """
    billed = usage.get("billed_units") or _NOTHING
    tokens = usage.get("tokens") or _from_token_count(usage.get("token_count") or _NOTHING) or billed
    images = _to_int(tokens.get("image_tokens")) or 0
    read = _to_int(tokens.get("input_tokens"))
    details = {
        name: value
        for name, value in (
            ("billed_input_tokens", _to_int(billed.get("input_tokens"))),
            ("billed_output_tokens", _to_int(billed.get("output_tokens"))),
            ("input_image_tokens", images or None),
        )
        if value is not None
    }
    return Usage(
        input_tokens=None if read is None else read + images,
        output_tokens=_to_int(tokens.get("output_tokens")),
        cached_input_tokens=_to_int(usage.get("cached_tokens")),
        reasoning_tokens=_to_int(tokens.get("reasoning_tokens")),
        details=details,
        units={ours: Decimal(str(billed[name])) for name, ours in _UNITS if billed.get(name) is not None},
    )


def _from_token_count(count: Mapping[str, Any]) -> Mapping[str, Any]:
    if not count:
        return _NOTHING
    return {"input_tokens": count.get("prompt_tokens"), "output_tokens": count.get("response_tokens")}


def _to_int(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None
