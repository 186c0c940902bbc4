"""Estimate the tokens of a request before it is sent, for the pace of its connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from jackfield._types.requests import CountRequest

from .pace_window import Need

if TYPE_CHECKING:
    from jackfield._types.calls import Call
    from jackfield._types.parameters import Translation

__all__ = ["estimate_need"]

_CHARACTERS_A_TOKEN: Final = 4
_ASSUMED_OUTPUT: Final = 500
"""Tokens of output of a request that names no most; what the first answers use corrects it."""
_MOST_OUTPUT: Final = (
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "maxTokens",
    "maxOutputTokens",
)
_NESTED: Final = ("inferenceConfig", "generationConfig", "generation_config", "parameters")
_LONG: Final = 1000
_WITHOUT_OUTPUT: Final = frozenset({"embedding", "rerank"})


def estimate_need(call: Call, translation: Translation) -> Need:
    """Estimate input as characters / 4, and output as the most that the request asks for.

    Args:
        call: The call.
        translation: What is sent for it.
    """
    if call.relayed is not None:
        body = _read_body(translation.wire.body)
        characters = sum(map(len, _find_texts(body)))
        return Need(-(-characters // _CHARACTERS_A_TOKEN), _find_most_output(body))
    from .explain import estimate_tokens

    counted = estimate_tokens(call.request).input_tokens
    if call.kind in _WITHOUT_OUTPUT or isinstance(call.request, CountRequest):
        return Need(counted)
    sent = {note.name: note.value for note in translation.report if note.wire is not None}
    most, choices = sent.get("max_tokens"), sent.get("n")
    output = most if isinstance(most, int) else _ASSUMED_OUTPUT
    return Need(counted, output * (choices if isinstance(choices, int) else 1))


def _read_body(body: Any) -> Any:
    if not isinstance(body, bytes):
        return body
    from jackfield._json import read_json

    try:
        return read_json(body)
    except ValueError:
        return None


def _find_texts(value: Any) -> Iterator[str]:
    """Yield every text of a body; what is long and has no space is a file, not words."""
    if isinstance(value, str):
        if len(value) < _LONG or " " in value[:_LONG]:
            yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _find_texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _find_texts(one)


def _find_most_output(body: Any) -> int:
    if not isinstance(body, dict):
        return _ASSUMED_OUTPUT
    tables = [body, *(body[name] for name in _NESTED if isinstance(body.get(name), dict))]
    found = (table[name] for table in tables for name in _MOST_OUTPUT if isinstance(table.get(name), int))
    return next(found, _ASSUMED_OUTPUT)
