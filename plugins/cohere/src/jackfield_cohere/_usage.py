"""Read token counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from jackfield import Usage
from jackfield.plugin import read_count, read_quantity

__all__ = ["as_mapping", "read_usage"]

_NOTHING: Final[Mapping[str, Any]] = {}
_TOKENS: Final = ("input_tokens", "output_tokens")


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Read `usage` of chat v2 or `meta` of every other answer.

    `tokens` is what the model read and wrote, including Cohere's own preamble and cached input; `billed_units` is
    what is paid for, and goes into the details from which the cost is computed. If a response has only `billed_units`
    (generate, embed, summarize), they count as both. `tokens.input_tokens` does not include images (recorded in 2026:
    34 beside 259 of an image), but `Usage.input_tokens` does. Counts come as floats.

    Sources: Cohere's Python SDK 7.3.1; `token_count`: answers of 2024.
    """
    billed = as_mapping(usage.get("billed_units"))
    tokens = (
        as_mapping(usage.get("tokens")) or _from_token_count(as_mapping(usage.get("token_count"))) or billed
    )
    images = read_count(tokens.get("image_tokens")) or 0
    read = read_count(tokens.get("input_tokens"))
    details = {
        name: value
        for name, value in (
            ("billed_input_tokens", read_count(billed.get("input_tokens"))),
            ("billed_output_tokens", read_count(billed.get("output_tokens"))),
            ("input_image_tokens", images or None),
        )
        if value is not None
    }
    return Usage(
        input_tokens=None if read is None else read + images,
        output_tokens=read_count(tokens.get("output_tokens")),
        cached_input_tokens=read_count(usage.get("cached_tokens")),
        reasoning_tokens=read_count(tokens.get("reasoning_tokens")),
        details=details,
        units=dict(_units(billed)),
    )


def _units(billed: Mapping[str, Any]) -> Iterator[tuple[str, Decimal]]:
    """Yield what is billed beside tokens of text: `search_units` are of the unit search_unit."""
    for name, value in billed.items():
        quantity = None if name in _TOKENS else read_quantity(value)
        if quantity is not None:
            yield str(name).removesuffix("s"), quantity


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return an object that counts; what is none is not worth the answer."""
    return value if isinstance(value, Mapping) else _NOTHING


def _from_token_count(count: Mapping[str, Any]) -> Mapping[str, Any]:
    if not count:
        return _NOTHING
    return {"input_tokens": count.get("prompt_tokens"), "output_tokens": count.get("response_tokens")}
