"""Chat v1: the decoder of answers, streamed as JSON lines or whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from jackfield import (
    CitationDelta,
    Event,
    Finish,
    MalformedResponseError,
    RawEvent,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)
from jackfield.plugin import exact_numbers, write_json

from ._decoder import AnswerDecoder, as_word, fail_by_reason, read_citation, read_meta, reason_of
from ._errors import fail

__all__ = ["ChatV1Decoder"]

# `chat_history` repeats the request.
_KNOWN: Final = frozenset(
    {"response_id", "generation_id", "text", "tool_calls", "citations", "finish_reason", "meta", "token_count",
     "chat_history", "id", "prompt"}
)  # fmt: skip


class ChatV1Decoder(AnswerDecoder):
    """Decodes one answer of chat v1. A stream ends with `stream-end`, which repeats the whole answer.

    The plan before tool calls comes as the answer's text, and is text here.
    """

    def __init__(self, *, stream: bool) -> None:
        super().__init__(stream=stream)
        self._made = 0
        self._seen: set[str] = set()  # what has been read, because the end of a stream repeats it
        self._open: dict[Any, int] = {}
        self._documents: dict[str, Mapping[str, Any]] = {}
        self._handlers: dict[Any, Callable[[dict[str, Any]], Iterator[Event]]] = {
            "stream-start": self._stream_start,
            "text-generation": self._text,
            "citation-generation": self._citations,
            "tool-calls-chunk": self._calls_chunk,
            "tool-calls-generation": self._calls,
            "search-queries-generation": self._keep_search,
            "search-results": self._keep_search,
            "stream-end": self._stream_end,
            "stream-error": self._stream_error,
        }

    def _read(self, value: dict[str, Any], data: bytes) -> Iterator[Event]:
        kind = value.get("event_type")
        if kind != "text-generation":
            value = exact_numbers(value, data)
        handler = self._handlers.get(kind)
        if handler is not None:
            return handler(value)
        if kind is None and "text" in value:
            return self._answer(value)
        return self._unknown(kind, value, "text")

    def _stream_start(self, event: dict[str, Any]) -> Iterator[Event]:
        yield from self._begin(event.get("generation_id"))

    def _text(self, event: dict[str, Any]) -> Iterator[Event]:
        if event.get("text") not in (None, ""):
            self._begun = True
            self._seen.add("text")
            yield TextDelta(event["text"])

    def _citations(self, event: Mapping[str, Any]) -> Iterator[Event]:
        self._seen.add("citations")
        for citation in event.get("citations") or ():
            yield CitationDelta(read_citation(citation, self._documents))

    def _calls_chunk(self, event: dict[str, Any]) -> Iterator[Event]:
        delta = event.get("tool_call_delta") or {}
        for text in (event.get("text"), delta.get("text")):
            if text:
                self._seen.add("text")
                yield TextDelta(text)
        if not delta:
            return
        index = delta.get("index")
        if delta.get("name"):
            yield from self._begin_call(index, delta["name"])
        if delta.get("parameters"):
            if index not in self._open:
                raise MalformedResponseError("a piece of a tool call came before its name")
            yield ToolCallDelta(self._open[index], _written(delta["parameters"]))

    def _begin_call(self, index: Any, name: str) -> Iterator[Event]:
        self._begun = True
        self._seen.add("tool_calls")
        if index in self._open:  # an index that comes again is of another call
            yield ToolCallEnd(self._open[index])
        number = self._open[index] = self._made
        self._made += 1
        # The API has no ids of calls; this one is as unique in the conversation as the answer's id.
        yield ToolCallStart(number, f"{name}_{self._id or 'answer'}_{number}", name)

    def _calls(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Read whole calls; after chunks of them they are a repetition."""
        if event.get("text") and "text" not in self._seen:
            self._seen.add("text")
            yield TextDelta(event["text"])
        yield from self._whole_calls(event.get("tool_calls") or ())

    def _whole_calls(self, calls: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
        if "tool_calls" in self._seen:
            return
        for index, call in enumerate(calls):
            yield from self._begin_call(index, call.get("name") or "")
            yield ToolCallDelta(index, _written(call.get("parameters") or {}))

    def _keep_search(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Keep search queries and results; citations refer to documents by id."""
        for name in ("search_queries", "search_results", "documents"):
            if event.get(name):
                self._seen.add(name)
                yield RawEvent(name, event[name])
        self._remember(event)

    def _remember(self, event: Mapping[str, Any]) -> None:
        self._documents.update({one["id"]: one for one in event.get("documents") or () if "id" in one})

    def _stream_error(self, event: dict[str, Any]) -> Iterator[Event]:
        fail(event)

    def _stream_end(self, event: dict[str, Any]) -> Iterator[Event]:
        response = event.get("response") or {}
        raw = event.get("finish_reason") or response.get("finish_reason")
        return self._answer({**response, "finish_reason": raw}, event.get("error"))

    def _answer(self, body: Mapping[str, Any], problem: Any = None) -> Iterator[Event]:
        """Read a whole answer, without what a stream has already contained."""
        raw = as_word(body.get("finish_reason"))
        fail_by_reason(raw, {}, problem)
        self._id = self._id or body.get("generation_id")
        yield Started(body.get("response_id") or self._id)
        self._remember(body)
        yield from self._calls(body)
        if "citations" not in self._seen:
            yield from self._citations(body)
        for number in self._open.values():
            yield ToolCallEnd(number)
        for name in sorted(body.keys() - _KNOWN - self._seen):
            if body[name]:
                yield RawEvent(name, body[name])
        yield from read_meta(body)
        self._complete = self.ended = True
        yield Finish(reason_of(raw, calls=bool(self._open)), 0, raw)


def _written(parameters: Any) -> Any:
    """Return arguments as their text: they come as an object, and in pieces as text."""
    return write_json(parameters).decode() if isinstance(parameters, Mapping) else parameters
