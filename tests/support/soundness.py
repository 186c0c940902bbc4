"""Check the events of an answer: what every program that reads them may rely on, whatever a service sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from jackfield import (
    CitationDelta,
    Event,
    Finish,
    LogprobsDelta,
    RawEvent,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageUpdate,
)
from jackfield.plugin import EmbeddingData, TokensCounted

__all__ = ["faults_of"]

_TEXT: Final = (str,)
_WORD: Final = (str, type(None))
_NUMBER: Final = (int,)
_PLACE: Final = (int, type(None))
_DATA: Final = (Mapping, type(None))
_FIELDS: Final[Mapping[type, Mapping[str, tuple[type, ...]]]] = {
    Started: {"id": _WORD, "model": _WORD, "service_tier": _WORD, "region": _WORD},
    TextDelta: {"text": _TEXT, "choice": _NUMBER, "block": _PLACE, "provider_data": _DATA},
    RefusalDelta: {"text": _TEXT, "choice": _NUMBER},
    ThinkingDelta: {"text": _TEXT, "choice": _NUMBER, "block": _PLACE, "data": _DATA},
    ToolCallStart: {"index": _NUMBER, "id": _TEXT, "name": _TEXT, "choice": _NUMBER, "provider_data": _DATA},
    ToolCallDelta: {"index": _NUMBER, "arguments": _TEXT, "choice": _NUMBER},
    ToolCallEnd: {"index": _NUMBER, "choice": _NUMBER, "provider_data": _DATA},
    Finish: {"reason": _TEXT, "choice": _NUMBER, "raw": _WORD},
    CitationDelta: {"choice": _NUMBER},
    LogprobsDelta: {"choice": _NUMBER},
    TokensCounted: {"input_tokens": _NUMBER},
    RawEvent: {"kind": _TEXT},
}
_COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
_CITED: Final[Mapping[str, tuple[type, ...]]] = {
    "text": _WORD, "title": _WORD, "url": _WORD, "start": _PLACE, "end": _PLACE, "source_id": _WORD, "data": _DATA,
}  # fmt: skip


def faults_of(events: Iterable[Event]) -> Iterator[str]:
    """Yield what is wrong with events: values of another type than their fields have, halves of characters, twice an id."""
    seen: set[tuple[int, str]] = set()
    for event in events:
        yield from _wrong_types(event, _FIELDS.get(type(event), {}))
        if isinstance(event, UsageUpdate):
            yield from _of_usage(event.usage)
        elif isinstance(event, CitationDelta):
            yield from _wrong_types(event.citation, _CITED)
        elif isinstance(event, LogprobsDelta):
            for token in event.tokens:
                yield from _wrong_types(token, {"token": _TEXT, "logprob": (int, float)})
        elif isinstance(event, ToolCallStart):
            key = (event.choice, str(event.id))
            if key in seen:
                yield "two tool calls have one id"
            seen.add(key)
            if not event.id:
                yield "a tool call has no id"
        if not isinstance(event, EmbeddingData) and _has_half(event):
            yield f"{type(event).__name__} holds half a character"


def _wrong_types(value: Any, fields: Mapping[str, tuple[type, ...]]) -> Iterator[str]:
    for name, types in fields.items():
        found = getattr(value, name)
        if not isinstance(found, types) or (isinstance(found, bool) and bool not in types):
            yield f"{type(value).__name__}.{name} is a {type(found).__name__}"


def _of_usage(usage: Usage) -> Iterator[str]:
    for name in _COUNTS:
        count = getattr(usage, name)
        if count is not None and (type(count) is not int or count < 0):
            yield f"Usage.{name} is {count!r}"[:60]
    for name, count in usage.details.items():
        if type(count) is not int or count < 0:
            yield f"Usage.details[{name}] is {count!r}"[:60]
    for name, amount in usage.units.items():
        if type(amount) is not Decimal or not amount.is_finite() or amount < 0:
            yield f"Usage.units[{name}] is {amount!r}"[:60]


def _has_half(value: Any) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= one <= "\udfff" for one in value) if not value.isascii() else False
    if isinstance(value, Mapping):
        return any(_has_half(key) or _has_half(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return any(map(_has_half, value))
    if attrs.has(type(value)):
        return any(_has_half(getattr(value, field.name)) for field in attrs.fields(type(value)))
    return False
