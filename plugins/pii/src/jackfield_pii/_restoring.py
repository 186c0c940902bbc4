"""Replace the placeholders in an answer by their values, also in a stream."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from jackfield import (
    Citation,
    CitationDelta,
    Event,
    Part,
    RefusalDelta,
    Reply,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)

from ._redaction import Change, map_texts

__all__ = ["StreamRestorer", "restore"]


class _Restorer:
    """Replace placeholders by their values.

    Args:
        values: The values by placeholder.
        in_json: Whether the text is JSON: values are escaped, and placeholders may be.
    """

    def __init__(self, values: Mapping[str, str], *, in_json: bool) -> None:
        written = dict(values)
        if in_json:
            written = {name: json.dumps(value)[1:-1] for name, value in values.items()}
            for name, value in list(written.items()):
                for escaped in (r"\u003c{}\u003e", r"\u003C{}\u003E"):
                    written[escaped.format(name[1:-1])] = value
        self._written = written
        self._pattern = re.compile("|".join(map(re.escape, sorted(written, key=len, reverse=True))))
        self._starts = tuple({name[0] for name in written})
        self._longest = max(map(len, written))

    def __call__(self, text: str) -> str:
        return self._pattern.sub(lambda match: self._written[match[0]], text)

    def safe_end(self, text: str) -> int:
        """Return the end of the part of a text that can be passed on: a placeholder may begin there."""
        for start in range(max(0, len(text) - self._longest + 1), len(text)):
            if text[start] in self._starts:
                tail = text[start:]
                if any(len(name) > len(tail) and name.startswith(tail) for name in self._written):
                    return start
        return len(text)


def restore(reply: Reply, values: Mapping[str, str], *, in_json: bool) -> Reply:
    """Return an answer with values instead of placeholders."""
    text, arguments = _Restorer(values, in_json=in_json), _Restorer(values, in_json=False)
    raw = _Restorer(values, in_json=True)
    choices = tuple(
        attrs.evolve(
            choice,
            message=attrs.evolve(
                choice.message,
                parts=tuple(_part(part, text, arguments, raw) for part in choice.message.parts),
            ),
            citations=tuple(_citation(citation, text) for citation in choice.citations),
        )
        for choice in reply.choices
    )
    return attrs.evolve(reply, choices=choices)


def _part(part: Part, text: Change, arguments: Change, raw: Change) -> Part:
    if isinstance(part, Text):
        return attrs.evolve(part, text=text(part.text))
    if isinstance(part, ToolCall):
        unparsed = None if part.arguments_raw is None else raw(part.arguments_raw)
        return attrs.evolve(part, arguments=map_texts(part.arguments, arguments), arguments_raw=unparsed)
    return part


def _citation(citation: Citation, text: Change) -> Citation:
    # Positions in the text have moved, so they are removed.
    cited = None if citation.text is None else text(citation.text)
    return attrs.evolve(citation, text=cited, start=None, end=None)


_RUNS: Final[dict[type, int]] = {TextDelta: -1, RefusalDelta: -2}
"""Numbers for text and refusals, beside the indexes of tool calls."""


class StreamRestorer:
    """Restore the events of one stream: `stream.map(StreamRestorer(...))`.

    A piece that may be the beginning of a placeholder is held back until the next piece completes it, or until an event
    of another kind comes.

    Args:
        values: The values by placeholder.
        in_json: Whether the text is JSON.
    """

    def __init__(self, values: Mapping[str, str], *, in_json: bool) -> None:
        self._text = _Restorer(values, in_json=in_json)
        self._arguments = _Restorer(values, in_json=True)
        self._held: dict[tuple[int, int], TextDelta | RefusalDelta | ToolCallDelta] = {}

    def __call__(self, event: Event) -> list[Event]:
        """Return the events that replace an event."""
        if isinstance(event, CitationDelta):
            return [CitationDelta(_citation(event.citation, self._text), event.choice)]
        choice = getattr(event, "choice", None)
        if choice is None:
            return [event]
        if not isinstance(event, TextDelta | RefusalDelta | ToolCallDelta):
            return [*self._release(choice), event]
        run = event.index if isinstance(event, ToolCallDelta) else _RUNS[type(event)]
        held = self._held.get((choice, run))
        block = getattr(event, "block", None)
        if held is not None and block is not None and block != getattr(held, "block", None):
            return [*self._release(choice), *self._piece(event, run)]
        return [*self._release(choice, but=run), *self._piece(event, run)]

    def _piece(self, event: Any, run: int) -> Iterator[Event]:
        """Add a piece to the held text, and yield the part that can be passed on."""
        name = "arguments" if isinstance(event, ToolCallDelta) else "text"
        restorer = self._arguments if isinstance(event, ToolCallDelta) else self._text
        held = self._held.pop((event.choice, run), None)
        whole = ("" if held is None else getattr(held, name)) + getattr(event, name)
        end = restorer.safe_end(whole)
        if end < len(whole):
            self._held[event.choice, run] = attrs.evolve(event, **{name: whole[end:]})
        # An empty piece may still begin a part, or bring data for it.
        if end or getattr(event, "block", None) is not None or getattr(event, "provider_data", None):
            yield attrs.evolve(event, **{name: restorer(whole[:end])})

    def _release(self, choice: int, but: int | None = None) -> Iterator[Event]:
        """Yield the held texts of a choice, which were not placeholders."""
        for key in [key for key in self._held if key[0] == choice and key[1] != but]:
            yield self._held.pop(key)
