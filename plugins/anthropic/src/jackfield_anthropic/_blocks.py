"""Read the content blocks of an answer, streamed or whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jackfield import (
    Citation,
    CitationDelta,
    Event,
    PartAdded,
    RawEvent,
    RawPart,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)
from jackfield.plugin import read_json, write_json

__all__ = ["BlockReader", "read_citation"]

_CALL: Final = frozenset({"type", "id", "name", "input"})


class _Block:
    """A block that has started and not stopped."""

    __slots__ = ("citations", "kind", "number", "pieces", "wire")

    def __init__(self, kind: str, wire: dict[str, Any]) -> None:
        self.kind = kind
        self.wire = wire
        self.number = -1
        self.pieces: list[str] = []
        self.citations: list[Any] = []


class BlockReader:
    """Reads blocks. A whole block starts complete and stops at once.

    Text, thinking and tool calls become events of their own; every other block (a server tool, its result, an unknown
    type) is kept as a `RawPart`, so that it can be sent back.

    Attributes:
        calls: The number of tool calls so far.
        direct: How many of them the model made itself, and not code that it runs at the service.
    """

    def __init__(self, provider: str, json_tool: str | None) -> None:
        self._provider = provider
        self._json_tool = json_tool
        self._open: dict[int, _Block] = {}
        self.calls = 0
        self.direct = 0

    def start(self, index: int, wire: dict[str, Any]) -> Iterator[Event]:
        """Read the start of a block."""
        kind = wire.get("type")
        if kind == "tool_use" and wire.get("name") == self._json_tool:
            kind = "json"
        block = self._open[index] = _Block(str(kind), wire)
        if kind == "text":
            if wire.get("text") not in (None, ""):
                yield TextDelta(wire["text"], 0, index)
            for citation in wire.get("citations") or ():
                yield self._cite(block, citation)
        elif kind in ("thinking", "redacted_thinking"):
            text = _text(wire.get("thinking"))
            data = {k: v for k, v in wire.items() if k not in ("type", "thinking") and v not in (None, "")}
            if text or data:
                yield ThinkingDelta(text, 0, index, data or None)
        elif kind == "tool_use":
            block.number = self.calls
            self.calls += 1
            caller = wire.get("caller")
            self.direct += not isinstance(caller, Mapping) or caller.get("type") == "direct"
            own = {name: value for name, value in wire.items() if name not in _CALL and value is not None}
            data_of = {self._provider: own} if own else None
            # The core makes an id where there is none.
            yield ToolCallStart(block.number, wire.get("id") or "", wire["name"], 0, data_of)

    def delta(self, index: int, delta: dict[str, Any]) -> Iterator[Event]:
        """Read a delta of a block."""
        kind = delta["type"]
        block = self._open.get(index)
        if kind == "text_delta":
            yield TextDelta(_text(delta["text"]), 0, index)
        elif kind == "thinking_delta":
            yield ThinkingDelta(_text(delta["thinking"]), 0, index)
        elif kind == "signature_delta":
            yield ThinkingDelta("", 0, index, {"signature": delta["signature"]})
        elif block is None:
            yield RawEvent(kind, delta)
        elif kind == "citations_delta":
            yield self._cite(block, delta["citation"])
        elif kind == "input_json_delta":
            yield from self._arguments(index, block, _text(delta["partial_json"]))
        elif block.number < 0 and block.kind not in ("text", "thinking", "json"):
            _join(block.wire, delta)
        else:
            yield RawEvent(kind, delta)

    def stop(self, index: int) -> Iterator[Event]:
        """Read the stop of a block."""
        block = self._open.pop(index, None)
        if block is None:
            return
        if block.kind == "text":
            if block.citations:
                # The service expects an answer with citations to be sent back with them.
                yield TextDelta("", 0, index, {self._provider: {"citations": block.citations}})
        elif block.kind in ("tool_use", "json"):
            given = block.wire.get("input")
            if not block.pieces and given:
                written = given if isinstance(given, str) else write_json(given).decode()
                yield from self._arguments(index, block, written)
            if block.kind == "tool_use":
                yield ToolCallEnd(block.number)
            elif not block.pieces:
                yield TextDelta("{}", 0, index)
        elif block.kind not in ("thinking", "redacted_thinking"):
            if block.pieces:
                block.wire = {**block.wire, "input": _parse("".join(block.pieces))}
            yield PartAdded(RawPart(self._provider, block.wire))

    def stop_all(self) -> Iterator[Event]:
        """Stop every block that has not stopped."""
        for index in list(self._open):
            yield from self.stop(index)

    def _arguments(self, index: int, block: _Block, text: str) -> Iterator[Event]:
        if text == "":
            return
        block.pieces.append(text)
        if block.kind == "tool_use":
            yield ToolCallDelta(block.number, text)
        elif block.kind == "json":
            yield TextDelta(text, 0, index)

    def _cite(self, block: _Block, citation: dict[str, Any]) -> Event:
        block.citations.append(citation)
        return CitationDelta(read_citation(citation))


def read_citation(wire: Mapping[str, Any]) -> Citation:
    """Read a citation. Its locations are in the source, not in the answer, so they stay in `data`.

    Source: types of Anthropic's Python SDK 2.12.0: locations by character, page, content block, search result and
    web search result.
    """
    number = wire.get("document_index", wire.get("search_result_index"))
    return Citation(
        text=wire.get("cited_text"),
        title=wire.get("document_title") or wire.get("title"),
        url=wire.get("url") or wire.get("source"),
        source_id=None if number is None else str(number),
        data=wire,
    )


def _join(wire: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Merge a delta into a block that is kept raw: strings are joined, other values replaced."""
    for name, value in delta.items():
        if name == "type":
            continue
        present = wire.get(name)
        joined = isinstance(present, str) and isinstance(value, str)
        wire[name] = present + value if joined else value


def _parse(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return text


def _text(value: Any) -> Any:
    """Return a piece of text; null is none. What is not a text, the core refuses."""
    return "" if value is None else value
