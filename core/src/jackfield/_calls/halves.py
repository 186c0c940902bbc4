"""Join characters that a service cut in two: half of a surrogate pair in one event, the other half in the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import attrs

from jackfield._json import whole_text
from jackfield._types import events as ev

__all__ = ["HalfJoiner"]

Key: TypeAlias = tuple[type, int, int | None]

_REPLACEMENT = "\ufffd"
_TEXTS: Mapping[type, str] = {
    ev.TextDelta: "text",
    ev.RefusalDelta: "text",
    ev.ThinkingDelta: "text",
    ev.ToolCallDelta: "arguments",
}
# What may come between the pieces of a text, and does not end it.
_BESIDE = (ev.LogprobsDelta, ev.CitationDelta)


class HalfJoiner:
    """Make sure that no event of one answer holds half a character.

    A half at the end of a text waits for the next piece of this text; what has no other half becomes U+FFFD. It is made when
    `read_json` has kept a half, and then looks at all events: a decoder may have kept it for a part that comes later.

    Attributes:
        held: The halves that wait for the other, by the text that they belong to.
    """

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held: dict[Key, str] = {}

    def join(self, events: Iterable[ev.Event]) -> list[ev.Event]:
        """Return events without halves."""
        joined: list[ev.Event] = []
        for event in events:
            name = _TEXTS.get(type(event))
            if name is None:
                joined += self._end_before(event)
                joined.append(_clean(event))
            else:
                joined += self._join_text(event, name)
        return joined

    def flush(self) -> list[ev.Event]:
        """Return what still waits at the end of the answer."""
        return list(self._release(list(self.held)))

    def _join_text(self, event: Any, name: str) -> Iterator[ev.Event]:
        key = _key_of(event)
        others = [
            other
            for other in self.held
            if other[1] == key[1] and other != key and other[0] is not ev.ToolCallDelta
        ]
        yield from self._release(others)
        came = getattr(event, name)
        if not isinstance(came, str):
            yield event
            return
        text = self.held.pop(key, "") + came
        if text and "\ud800" <= text[-1] <= "\udbff":
            self.held[key] = text[-1]
            text = text[:-1]
        if text or not came or _has_data(event):
            yield _clean(attrs.evolve(event, **{name: text}))

    def _end_before(self, event: ev.Event) -> Iterator[ev.Event]:
        """Release what an event ends."""
        choice = getattr(event, "choice", None)
        if choice is None or isinstance(event, _BESIDE):
            return
        if isinstance(event, ev.ToolCallEnd):
            yield from self._release(
                [key for key in self.held if key == (ev.ToolCallDelta, choice, event.index)]
            )
            return
        ends_all = isinstance(event, ev.Finish)
        yield from self._release(
            [key for key in self.held if key[1] == choice and (ends_all or key[0] is not ev.ToolCallDelta)]
        )

    def _release(self, keys: Iterable[Key]) -> Iterator[ev.Event]:
        for key in keys:
            del self.held[key]
            kind, choice, place = key
            if kind is ev.ToolCallDelta:
                yield ev.ToolCallDelta(place or 0, _REPLACEMENT, choice)
            elif kind is ev.RefusalDelta:
                yield ev.RefusalDelta(_REPLACEMENT, choice)
            else:
                yield kind(_REPLACEMENT, choice, place)


def _key_of(event: Any) -> Key:
    place = event.index if isinstance(event, ev.ToolCallDelta) else getattr(event, "block", None)
    return type(event), event.choice, place


def _has_data(event: Any) -> bool:
    return bool(getattr(event, "provider_data", None) or getattr(event, "data", None))


def _clean(value: Any) -> Any:
    """Return a value in which no string holds a half."""
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, Mapping):
        return {_clean(key): _clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        cleaned = [_clean(inner) for inner in value]
        return tuple(cleaned) if isinstance(value, tuple) else cleaned
    if attrs.has(type(value)):
        changed = {
            field.alias or field.name: new
            for field in attrs.fields(type(value))
            if (new := _clean(old := getattr(value, field.name))) is not old and new != old
        }
        return attrs.evolve(value, **changed) if changed else value
    return value
