"""The tool calls of an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from jackfield import Event, ToolCallDelta, ToolCallEnd, ToolCallStart
from jackfield.plugin import write_json

__all__ = ["ToolCallReader"]

# What is read of a call and of its function; all other keys are kept for the next request.
_CALL: Final = frozenset({"index", "id", "type", "function", "custom"})
_FUNCTION: Final = frozenset({"name", "arguments", "input"})


@cache
def _marks() -> re.Pattern[str]:
    return re.compile(r'\\.|["{}]', re.DOTALL)


class _Call:
    """One call; it starts when its name is known."""

    __slots__ = ("beside", "id", "key", "kind", "name", "number", "pieces", "scanner", "started", "told")

    def __init__(self, number: int, key: Any) -> None:
        self.number = number
        self.key = key
        self.id = ""
        self.name = ""
        self.kind = "function"
        self.pieces: list[str] = []
        self.beside: dict[str, Any] = {}
        self.told: Mapping[str, Any] | None = None
        self.started = False
        self.scanner = _ObjectScanner()

    @property
    def is_whole(self) -> bool:
        """Whether the arguments so far are a whole JSON object."""
        return self.scanner.is_whole(self.pieces)

    def data(self) -> dict[str, Any] | None:
        """Return what the service needs back beside the id, the name and the arguments."""
        own = {} if self.kind == "function" else {"type": self.kind}
        return {**own, **self.beside} or None


class _ObjectScanner:
    """Finds the end of a JSON object that comes in pieces; reads each piece once, and only if it is asked."""

    __slots__ = ("_depth", "_escape", "_in_text", "_opened", "_read")

    def __init__(self) -> None:
        self._read = self._depth = 0
        self._opened = self._in_text = False
        self._escape = ""

    def is_whole(self, pieces: Sequence[str]) -> bool:
        """Return whether an object began and all that was opened is closed."""
        text = self._escape + "".join(pieces[self._read :])
        self._read = len(pieces)
        end = 0
        for mark in _marks().finditer(text):
            found, end = mark[0], mark.end()
            if found == '"':
                self._in_text = not self._in_text
            elif not self._in_text and len(found) == 1:
                self._depth += 1 if found == "{" else -1
                self._opened = True
        self._escape = "\\" if text.endswith("\\", end) else ""  # its letter is in the next piece
        return self._opened and self._depth <= 0 and not self._in_text


class ToolCallReader:
    """Assembles the tool calls of one choice.

    Servers differ: the index may be missing or always 0, the id may be missing, repeated in every piece or shared by
    calls, the name may be repeated, a call may arrive whole, and its arguments may be an object.
    """

    __slots__ = ("_calls", "_choice", "_ids", "_named", "_provider")

    def __init__(self, choice: int, provider: str) -> None:
        self._choice = choice
        self._provider = provider
        self._calls: list[_Call] = []
        self._ids: set[str] = set()
        self._named: set[int] = set()  # the calls that the pieces of this event have named

    @property
    def any(self) -> bool:
        """Whether there was a call."""
        return bool(self._calls)

    def read(
        self, pieces: Sequence[Mapping[str, Any]], answer: str | None, *, whole: bool = False
    ) -> Iterator[Event]:
        """Read the pieces of one event.

        Args:
            pieces: The pieces, unchanged.
            answer: The answer's id, from which a call without an id gets one.
            whole: The answer is not a stream, so each piece is a call.
        """
        self._named.clear()
        for piece in pieces:
            function = piece.get("function") or piece.get("custom") or {}
            arguments = function.get("arguments", function.get("input"))
            text = arguments if isinstance(arguments, str) else _to_json(arguments)
            call = self._add(piece.get("index")) if whole else self._find_call(piece, function, text)
            if call is None:
                continue
            self._take(call, piece, function)
            if text:
                call.pieces.append(text)
            if call.started:
                if text:
                    yield ToolCallDelta(call.number, text, self._choice)
            elif call.name:
                yield from self._start(call, answer)

    def end(self, answer: str | None, empty: str | None = None) -> Iterator[Event]:
        """End all calls.

        Args:
            answer: See `read`.
            empty: A field of the message that came empty and must go back so.
        """
        if empty is not None:
            self._calls[0].beside["message"] = {empty: ""}
        for call in self._calls:
            if not call.started:
                yield from self._start(call, answer)
            late = call.data()
            data = None if late == call.told or late is None else {self._provider: late}
            yield ToolCallEnd(call.number, self._choice, data)

    def _take(self, call: _Call, piece: Mapping[str, Any], function: Mapping[str, Any]) -> None:
        """Take what a piece says of its call beside the arguments."""
        call.id = call.id or _id_of(piece) or ""
        name = function.get("name")
        if name:
            call.name = call.name or name
            self._named.add(call.number)
        if piece.get("type"):
            call.kind = piece["type"]
        if not _CALL.issuperset(piece):
            _keep(call.beside, "fields", piece, _CALL)
        if not _FUNCTION.issuperset(function):
            _keep(call.beside, "function", function, _FUNCTION)

    def _add(self, key: Any) -> _Call:
        call = _Call(len(self._calls), key)
        self._calls.append(call)
        return call

    def _find_call(self, piece: Mapping[str, Any], function: Mapping[str, Any], text: str) -> _Call | None:
        """Return the call that a piece belongs to, a new one if it begins one; None if it only repeats one."""
        index, name, identity = piece.get("index"), function.get("name"), _id_of(piece)
        last = self._calls[-1] if self._calls else None
        if index is not None:
            # A piece without id and name does not begin a call, even if its index is new.
            beginning = identity or name
            last = next((c for c in reversed(self._calls) if c.key == index), None if beginning else last)
        elif identity:
            known = (call for call in reversed(self._calls) if call.id == identity)
            last = next(known, last if not name else None)
        if last is None:
            return self._add(index)
        other = bool(identity and last.id and identity != last.id) and not _continues(last, name, text)
        if name and (other or (last.name and name != last.name)):
            return self._add(index)
        if not name and not text.lstrip().startswith("{"):
            return last  # most pieces continue a call and do not begin one
        if text.strip() and last.kind == "function" and last.is_whole:
            repeats = not other and (identity or not name) and text == "".join(last.pieces)
            return None if repeats else self._add_like(last, index)
        twice = name and not identity and not text and last.number in self._named and not last.pieces
        return self._add(index) if twice else last

    def _add_like(self, last: _Call, index: Any) -> _Call:
        """Begin another call of the same tool: its arguments began after a whole object."""
        call = self._add(index)
        call.name = last.name
        return call

    def _start(self, call: _Call, answer: str | None) -> Iterator[Event]:
        call.started = True
        # The number makes the id unique in the answer, the answer's id in the conversation.
        identity = call.id or f"call_{answer or 'answer'}_{self._choice}_{call.number}"
        while identity in self._ids:  # a result must name one call
            identity = f"{identity}_{call.number}"
        self._ids.add(identity)
        call.told = call.data()
        data = None if call.told is None else {self._provider: call.told}
        yield ToolCallStart(call.number, identity, call.name, self._choice, data)
        for text in call.pieces:
            yield ToolCallDelta(call.number, text, self._choice)


def _continues(last: _Call, name: str | None, text: str) -> bool:
    """Return whether a piece with another id goes on with a call: some servers make an id for each piece."""
    goes_on = text.strip() and not text.lstrip().startswith("{") and name in (None, "", last.name)
    return bool(goes_on and last.pieces and last.kind == "function" and not last.is_whole)


def _keep(beside: dict[str, Any], name: str, source: Mapping[str, Any], known: frozenset[str]) -> None:
    fields = {key: value for key, value in source.items() if key not in known and value is not None}
    if fields:
        beside[name] = {**beside.get(name, {}), **fields}


def _id_of(piece: Mapping[str, Any]) -> str | None:
    # Mistral's SDK reads "null" as a missing id, so the service must have sent it.
    identity: str | None = piece.get("id")
    return None if identity == "null" else identity


def _to_json(arguments: Any) -> str:
    return "" if arguments is None else write_json(arguments).decode()
