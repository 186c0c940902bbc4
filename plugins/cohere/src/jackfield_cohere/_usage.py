"""Token counts of Cohere's APIs, in our meaning."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from jackfield import Usage

__all__ = ["read_usage"]

_NOTHING: Final[Mapping[str, Any]] = {}
_UNITS: Final = (("search_units", "search_unit"), ("classifications", "classification"), ("images", "image"))


def read_usage(told: Mapping[str, Any]) -> Usage:
    """Read `usage` of chat v2 or `meta` of every other answer.

    `tokens` is what the model read and wrote, Cohere's own preamble and cached input included; `billed_units` is
    what is paid for, and goes to the details of which `compute_cost` makes the bill. Where only `billed_units`
    is told (generate, embed, summarize) it stands for both. `tokens.input_tokens` leaves images out (recorded in
    2026: 34 beside 259 of an image), our count has them. Counts come as floats.

    Sources: Cohere's Python SDK 7.3.1; `token_count`: answers of 2024.
    """
    billed = told.get("billed_units") or _NOTHING
    tokens = told.get("tokens") or _older(told.get("token_count") or _NOTHING) or billed
    images = _whole(tokens.get("image_tokens")) or 0
    read = _whole(tokens.get("input_tokens"))
    details = {
        name: value
        for name, value in (
            ("billed_input_tokens", _whole(billed.get("input_tokens"))),
            ("billed_output_tokens", _whole(billed.get("output_tokens"))),
            ("input_image_tokens", images or None),
        )
        if value is not None
    }
    return Usage(
        input_tokens=None if read is None else read + images,
        output_tokens=_whole(tokens.get("output_tokens")),
        cached_input_tokens=_whole(told.get("cached_tokens")),
        reasoning_tokens=_whole(tokens.get("reasoning_tokens")),
        details=details,
        units={ours: Decimal(str(billed[name])) for name, ours in _UNITS if billed.get(name) is not None},
    )


def _older(count: Mapping[str, Any]) -> Mapping[str, Any]:
    if not count:
        return _NOTHING
    return {"input_tokens": count.get("prompt_tokens"), "output_tokens": count.get("response_tokens")}


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None
