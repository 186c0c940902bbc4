"""Tool calls of one choice, put together from pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from jackfield import Event, ToolCallDelta, ToolCallEnd, ToolCallStart

__all__ = ["ToolCallReader"]


class _Call:
    """One call; it starts when its name is known."""

    __slots__ = ("held", "id", "key", "kind", "name", "number", "started")

    def __init__(self, number: int, key: Any) -> None:
        self.number = number
        self.key = key
        self.id = ""
        self.name = ""
        self.kind = "function"
        self.held: list[str] = []
        self.started = False


class ToolCallReader:
    """Reads the tool calls of one choice.

    Servers differ: the index may be missing or always 0, the id may be missing or come on every piece, a
    call may come whole, and its arguments may be an object.
    """

    __slots__ = ("_calls", "_choice", "_provider")

    def __init__(self, choice: int, provider: str) -> None:
        self._choice = choice
        self._provider = provider
        self._calls: list[_Call] = []

    @property
    def any(self) -> bool:
        """Whether there was a call."""
        return bool(self._calls)

    def read(self, pieces: Sequence[Mapping[str, Any]], answer: str | None) -> Iterator[Event]:
        """Read the pieces of one event.

        Args:
            pieces: As they came.
            answer: The answer's id; makes an id for a call that has none.
        """
        for piece in pieces:
            function = piece.get("function") or piece.get("custom") or {}
            call = self._call_of(piece, function)
            call.id = call.id or _id_of(piece) or ""
            call.name = call.name or function.get("name") or ""
            if piece.get("type"):
                call.kind = piece["type"]
            arguments = function.get("arguments", function.get("input"))
            text = arguments if isinstance(arguments, str) else _dumped(arguments)
            if call.started:
                if text:
                    yield ToolCallDelta(call.number, text, self._choice)
                continue
            if text:
                call.held.append(text)
            if call.name:
                yield from self._start(call, answer)

    def end(self, answer: str | None) -> Iterator[Event]:
        """End all calls."""
        for call in self._calls:
            if not call.started:
                yield from self._start(call, answer)
            yield ToolCallEnd(call.number, self._choice)

    def _call_of(self, piece: Mapping[str, Any], function: Mapping[str, Any]) -> _Call:
        index, name, identity = piece.get("index"), function.get("name"), _id_of(piece)
        last = self._calls[-1] if self._calls else None
        if index is not None:
            # A piece with neither id nor name begins nothing, even if its index is new.
            beginning = identity or name
            last = next((c for c in reversed(self._calls) if c.key == index), None if beginning else last)
        elif identity:
            last = next((call for call in self._calls if call.id == identity), last if not name else None)
        elif name and last is not None and last.name:
            last = None  # whole calls without index and id: every name is a new call
        if last is None or (identity and last.id and identity != last.id and name):
            last = _Call(len(self._calls), index)
            self._calls.append(last)
        return last

    def _start(self, call: _Call, answer: str | None) -> Iterator[Event]:
        call.started = True
        # The number makes the id unique in the answer, the answer's id in the conversation.
        identity = call.id or f"call_{answer or 'answer'}_{self._choice}_{call.number}"
        data = None if call.kind == "function" else {self._provider: {"type": call.kind}}
        yield ToolCallStart(call.number, identity, call.name, self._choice, data)
        for text in call.held:
            yield ToolCallDelta(call.number, text, self._choice)
        call.held.clear()


def _id_of(piece: Mapping[str, Any]) -> str | None:
    # Mistral's SDK reads "null" as no id, so the service must have sent it.
    identity: str | None = piece.get("id")
    return None if identity == "null" else identity


def _dumped(arguments: Any) -> str:
    return "" if arguments is None else orjson.dumps(arguments).decode()
