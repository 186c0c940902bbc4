"""Chat v2: the decoder of streamed and whole answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from jackfield import (
    CitationDelta,
    Event,
    Finish,
    LogprobsDelta,
    MalformedResponseError,
    PartAdded,
    RawEvent,
    RawPart,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageUpdate,
)
from jackfield.plugin import exact_numbers, write_json

from ._decoder import AnswerDecoder, as_word, fail_by_reason, read_citation, read_logprobs, reason_of
from ._messages import PLAN
from ._usage import read_usage

__all__ = ["ChatDecoder"]

_PLAN_BLOCK: Final = -1  # the blocks of the content count from 0
_KNOWN: Final = frozenset({"id", "message", "finish_reason", "usage", "logprobs", "type"})
_KNOWN_PARTS: Final = frozenset({"role", "content", "tool_plan", "tool_calls", "citations"})
_PIECE: Final = frozenset({"type", "text"})
_NOTHING: Final[Mapping[str, Any]] = {}
_EMPTY: Final = (None, "")


class ChatDecoder(AnswerDecoder):
    """Decodes one answer of chat v2. A stream ends with `message-end`."""

    marker = "message-end"
    names = frozenset(
        {"message-start", "content-start", "content-delta", "content-end", "tool-plan-delta", "tool-call-start",
         "tool-call-delta", "tool-call-end", "citation-start", "citation-end", "message-end"}
    )  # fmt: skip

    def __init__(self, provider: str, *, stream: bool) -> None:
        super().__init__(stream=stream)
        self._provider = provider
        self._numbers: dict[Any, int] = {}  # the service's index of a tool call: ours
        self._calls = 0
        self._open: set[int] = set()
        self._blocks: set[Any] = set()  # the indexes of the content's blocks
        self._others: set[Any] = set()  # the indexes of calls of an unknown kind
        self._handlers: dict[Any, Callable[[dict[str, Any]], Iterator[Event]]] = {
            "message-start": self._message_start,
            "content-start": self._content_start,
            "content-delta": self._content,
            "content-end": self._nothing,
            "tool-plan-delta": self._plan,
            "tool-call-start": self._call_start,
            "tool-call-delta": self._call_delta,
            "tool-call-end": self._call_end,
            "citation-start": self._citation,
            "citation-end": self._nothing,
            "message-end": self._message_end,
        }

    def _read(self, value: dict[str, Any], data: bytes) -> Iterable[Event]:
        kind = value.get("type")
        if kind == "content-delta" and "logprobs" not in value:
            try:  # fast path: most events of a stream are a piece of text
                content = value["delta"]["message"]["content"]
                piece = content["text"] if content.keys() <= _PIECE else None
            except (KeyError, TypeError, AttributeError):
                piece = None
            if piece:
                self._begun = True
                return (TextDelta(piece, 0, value.get("index")),)
        handler = self._handlers.get(kind)
        if handler is not None:
            self._begun = self._begun or kind != "message-start"
            return handler(value)
        if isinstance(value.get("message"), Mapping):
            value = exact_numbers(value, data)
            return self._whole(value, value["message"])
        return self._unknown(kind, value, "message")

    # -- the events of a stream ------------------------------------------------------------------------------

    def _nothing(self, event: dict[str, Any]) -> Iterator[Event]:
        return iter(())

    def _message_start(self, event: dict[str, Any]) -> Iterator[Event]:
        yield from self._begin(event.get("id"))

    def _content_start(self, event: dict[str, Any]) -> Iterator[Event]:
        index = event.get("index")
        if self._again and index in self._blocks:
            self._reject_another(self._id)
        self._blocks.add(index)
        return self._piece(_message_delta(event, "content"), event.get("index"))

    def _content(self, event: dict[str, Any]) -> Iterator[Event]:
        yield from self._piece(_message_delta(event, "content"), event.get("index"))
        if event.get("logprobs"):
            yield LogprobsDelta(read_logprobs(event["logprobs"]))

    def _piece(self, piece: Any, index: int | None) -> Iterator[Event]:
        if isinstance(piece, str):
            piece = {"text": piece}
        for part in piece if isinstance(piece, list) else [piece]:
            if part.get("thinking") not in _EMPTY:
                yield ThinkingDelta(part["thinking"], 0, index)
            if part.get("text") not in _EMPTY:
                yield TextDelta(part["text"], 0, index)
            if part.keys() - {"type", "text", "thinking"}:
                yield RawEvent("content", part)

    def _plan(self, event: dict[str, Any]) -> Iterator[Event]:
        plan = _message_delta(event, "tool_plan")
        if plan:
            yield ThinkingDelta(plan, 0, _PLAN_BLOCK, {"field": PLAN})

    def _call_start(self, event: dict[str, Any]) -> Iterator[Event]:
        call = _only(_message_delta(event, "tool_calls"))
        function = call.get("function") or _NOTHING
        if _is_other(call):
            self._others.add(event.get("index"))
            yield RawEvent("tool_call", event)
            return
        earlier = self._numbers.get(event.get("index"))
        if earlier in self._open:  # an index that comes again is of another call
            self._open.discard(earlier)
            yield ToolCallEnd(earlier)
        number = self._numbers[event.get("index")] = self._calls
        self._calls += 1
        self._open.add(number)
        yield ToolCallStart(number, call.get("id") or f"call_{number}", function.get("name") or "")
        yield from _arguments(number, function)

    def _call_delta(self, event: dict[str, Any]) -> Iterator[Event]:
        if event.get("index") in self._others:
            return iter((RawEvent("tool_call", event),))
        function = _only(_message_delta(event, "tool_calls")).get("function") or _NOTHING
        return _arguments(self._number(event), function)

    def _call_end(self, event: dict[str, Any]) -> Iterator[Event]:
        if event.get("index") in self._others:
            return
        number = self._number(event)
        if number in self._open:
            self._open.discard(number)
            yield ToolCallEnd(number)

    def _number(self, event: Mapping[str, Any]) -> int:
        number = self._numbers.get(event.get("index"))
        if number is None:
            raise MalformedResponseError("a piece of a tool call came before its start")
        return number

    def _citation(self, event: dict[str, Any]) -> Iterator[Event]:
        found = _message_delta(event, "citations")
        for citation in found if isinstance(found, list) else [found]:
            yield CitationDelta(read_citation(citation))

    def _message_end(self, event: dict[str, Any]) -> Iterator[Event]:
        delta = event.get("delta") or _NOTHING
        raw = as_word(delta.get("finish_reason"))
        fail_by_reason(raw, delta, delta.get("error"))
        for number in sorted(self._open):
            yield ToolCallEnd(number)
        yield from self._end(raw, delta.get("usage"))

    def _end(self, raw: str | None, usage: Any) -> Iterator[Event]:
        self._complete = self.ended = True
        if usage and isinstance(usage, Mapping):
            yield UsageUpdate(read_usage(usage), usage)
        yield Finish(reason_of(raw, calls=self._calls > 0), 0, raw)

    # -- a whole answer --------------------------------------------------------------------------------------

    def _whole(self, body: dict[str, Any], message: Mapping[str, Any]) -> Iterator[Event]:
        raw = as_word(body.get("finish_reason"))
        fail_by_reason(raw, {"id": body.get("id")})
        yield Started(body.get("id"))
        yield from self._message(message)
        if body.get("logprobs"):
            yield LogprobsDelta([token for item in body["logprobs"] for token in read_logprobs(item)])
        for name in body.keys() - _KNOWN:
            yield RawEvent(name, body[name])
        yield from self._end(raw, body.get("usage"))

    def _message(self, message: Mapping[str, Any]) -> Iterator[Event]:
        if message.get("tool_plan"):
            yield ThinkingDelta(message["tool_plan"], 0, _PLAN_BLOCK, {"field": PLAN})
        content = message.get("content") or ()
        for index, part in enumerate(
            [{"type": "text", "text": content}] if isinstance(content, str) else content
        ):
            if part.get("type") in ("text", "thinking"):
                yield from self._piece(part, index)
            else:
                yield PartAdded(RawPart(self._provider, part))
        for citation in message.get("citations") or ():
            yield CitationDelta(read_citation(citation))
        for number, call in enumerate(message.get("tool_calls") or ()):
            if _is_other(call):
                yield RawEvent("tool_call", call)
                continue
            function = call.get("function") or _NOTHING
            self._calls += 1
            yield ToolCallStart(number, call.get("id") or f"call_{number}", function.get("name") or "")
            yield from _arguments(number, function)
            yield ToolCallEnd(number)
        for name in message.keys() - _KNOWN_PARTS:
            if message[name]:
                yield RawEvent(name, message[name])


def _message_delta(event: Mapping[str, Any], name: str) -> Any:
    """Return the part of the message that an event changes."""
    return ((event.get("delta") or _NOTHING).get("message") or _NOTHING).get(name) or _NOTHING


def _only(value: Any) -> Mapping[str, Any]:
    """Return the single call of an event; the field's name is a plural, so it may become a list."""
    found: Mapping[str, Any] = (value[0] if value else _NOTHING) if isinstance(value, list) else value
    return found


def _is_other(call: Mapping[str, Any]) -> bool:
    """Return whether a call is of a kind that the API does not document: it is kept raw, and is not a tool call."""
    return call.get("function") is None and call.get("type") not in (None, "function")


def _arguments(number: int, function: Mapping[str, Any]) -> Iterator[Event]:
    """Read a piece of arguments; those of a call without any are "", and may be "null"."""
    text = function.get("arguments")
    if isinstance(text, Mapping):
        text = write_json(text).decode()
    if text not in (*_EMPTY, "null"):
        yield ToolCallDelta(number, text)
