"""The Responses API: the decoder of streamed and whole answers, and the count of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from jackfield import (
    CitationDelta,
    Event,
    Finish,
    FinishReason,
    LogprobsDelta,
    MalformedResponseError,
    PartAdded,
    RawEvent,
    RawPart,
    RefusalDelta,
    Started,
    StreamInterruptedError,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageUpdate,
)
from jackfield.plugin import Frame, Head, TokensCounted, Wire

from ._answer_fields import FINISH_REASONS, read_citation, read_logprobs
from ._dialect import Dialect
from ._errors import fail, raise_failure

__all__ = ["ResponsesDecoder", "read_count"]

_CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}
_TERMINAL: Final = frozenset({"response.completed", "response.incomplete"})
# They repeat what other events contained piece by piece.
_REPEATS: Final = frozenset(
    {"response.in_progress", "response.queued", "response.content_part.added", "response.content_part.done",
     "response.output_text.done", "response.refusal.done", "response.function_call_arguments.done",
     "response.custom_tool_call_input.done", "response.reasoning_summary_text.done", "response.reasoning_text.done",
     "response.reasoning_summary_part.done", "response.output_text.annotation.added", "keepalive"}
)  # fmt: skip


class ResponsesDecoder:
    """Decodes one answer of the Responses API; a stream ends with its terminal event."""

    def __init__(self, dialect: Dialect, wire: Wire) -> None:
        self._provider = dialect.id
        self._read_usage = dialect.usage
        self._seen: set[tuple[int, str]] = set()  # (output index, which of its contents came in pieces)
        self._calls: dict[int, int] = {}  # output index -> number of the call
        self._refused = False
        self._finished = False
        self._handlers = {
            "response.output_text.delta": self._read_text,
            "response.refusal.delta": self._read_refusal,
            "response.reasoning_summary_text.delta": self._read_thinking,
            "response.reasoning_text.delta": self._read_thinking,
            "response.reasoning_summary_part.added": self._read_thinking_part,
            "response.function_call_arguments.delta": self._read_arguments,
            "response.custom_tool_call_input.delta": self._read_arguments,
            "response.output_item.added": self._read_added_item,
            "response.output_item.done": self._read_done_item,
        }

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one event of a stream, or a whole answer."""
        if frame.data[:6] == b"[DONE]":
            return []
        try:
            event = orjson.loads(frame.data)
        except orjson.JSONDecodeError as error:
            raise MalformedResponseError(
                f"the service sent something that is not JSON ({error})", body=bytes(frame.data)
            ) from error
        kind = event.get("type")
        handler = self._handlers.get(kind)
        if handler is not None:
            return list(handler(event))
        return list(self._read_other(kind, event))

    def finish(self) -> list[Event]:
        """Check that the answer has its end."""
        if not self._finished:
            raise StreamInterruptedError("the stream ended before response.completed; ask again")
        return []

    def _read_other(self, kind: str | None, event: dict[str, Any]) -> Iterator[Event]:
        if kind in ("error", "response.failed") or (kind is None and event.get("error")):
            fail(event if kind != "error" or "error" in event else {"error": event})
        if event.get("object") == "response":
            yield from self._read_whole(event)
        elif kind == "response.created":
            yield self._make_started(event["response"])
        elif kind in _TERMINAL:
            yield from self._read_end(event["response"])
        elif kind is None:
            raise_failure(event)
            raise MalformedResponseError(
                f"the answer is not a response; it has {', '.join(event) or 'no fields'}"
            )
        elif kind not in _REPEATS:
            yield RawEvent(kind, event)

    def _read_whole(self, response: dict[str, Any]) -> Iterator[Event]:
        if response.get("status") == "failed":
            fail({"error": response.get("error") or {"message": "the response failed"}})
        yield self._make_started(response)
        for index, item in enumerate(response.get("output") or ()):
            yield from self._read_item(index, item)
        yield from self._read_end(response)

    def _make_started(self, response: Mapping[str, Any]) -> Started:
        # Until it is complete, the tier is the requested one ("auto").
        return Started(response.get("id"), response.get("model"))

    def _read_text(self, event: dict[str, Any]) -> Iterator[Event]:
        index = event["output_index"]
        self._seen.add((index, "text"))
        yield TextDelta(event["delta"] or "", 0, index)
        if event.get("logprobs"):
            yield LogprobsDelta(read_logprobs({"content": event["logprobs"]}))

    def _read_refusal(self, event: dict[str, Any]) -> Iterator[Event]:
        self._seen.add((event["output_index"], "refusal"))
        self._refused = True
        yield RefusalDelta(event["delta"] or "")

    def _read_thinking(self, event: dict[str, Any]) -> Iterator[Event]:
        self._seen.add((event["output_index"], "thinking"))
        yield ThinkingDelta(event["delta"] or "", 0, event["output_index"])

    def _read_thinking_part(self, event: dict[str, Any]) -> Iterator[Event]:
        if event.get("summary_index"):
            yield ThinkingDelta("\n\n", 0, event["output_index"])

    def _read_arguments(self, event: dict[str, Any]) -> Iterator[Event]:
        self._seen.add((event["output_index"], "arguments"))
        yield ToolCallDelta(self._calls[event["output_index"]], event["delta"] or "")

    def _read_added_item(self, event: dict[str, Any]) -> Iterator[Event]:
        if event["item"].get("type") in _CALLS:
            yield self._start_call(event["output_index"], event["item"])

    def _read_done_item(self, event: dict[str, Any]) -> Iterator[Event]:
        yield from self._read_item(event["output_index"], event["item"])

    def _start_call(self, index: int, item: Mapping[str, Any]) -> ToolCallStart:
        number = self._calls[index] = len(self._calls)
        own = {name: item[name] for name in ("id", "namespace") if item.get(name) is not None}
        if item["type"] == "custom_tool_call":
            own["type"] = "custom"
        return ToolCallStart(number, item["call_id"], item["name"], 0, {self._provider: own} if own else None)

    def _read_item(self, index: int, item: dict[str, Any]) -> Iterator[Event]:
        """Read a whole item, without what came in pieces."""
        kind = item.get("type")
        if kind == "message":
            yield from self._read_message(index, item)
        elif kind == "reasoning":
            pieces = item.get("summary") or item.get("content") or ()
            seen = (index, "thinking") in self._seen
            text = "" if seen else "\n\n".join(piece.get("text") or "" for piece in pieces)
            data = {"item": {name: value for name, value in item.items() if name != "status"}}
            yield ThinkingDelta(text, 0, index, data)
        elif kind in _CALLS:
            if index not in self._calls:
                yield self._start_call(index, item)
            arguments = item.get(_CALLS[kind])
            if arguments and (index, "arguments") not in self._seen:
                yield ToolCallDelta(self._calls[index], arguments)
            yield ToolCallEnd(self._calls[index])
        else:
            yield PartAdded(RawPart(self._provider, item))

    def _read_message(self, index: int, item: dict[str, Any]) -> Iterator[Event]:
        phase = None if item.get("phase") is None else {self._provider: {"phase": item["phase"]}}
        for part in item.get("content") or ():
            if part.get("type") == "refusal":
                self._refused = True
                if (index, "refusal") not in self._seen:
                    yield RefusalDelta(part["refusal"])
                continue
            if (index, "text") not in self._seen:
                yield TextDelta(part.get("text") or "", 0, index, phase)
                if part.get("logprobs"):
                    yield LogprobsDelta(read_logprobs({"content": part["logprobs"]}))
            elif phase is not None:
                yield TextDelta("", 0, index, phase)
            for annotation in part.get("annotations") or ():
                citation = read_citation(annotation)
                yield RawEvent("annotation", annotation) if citation is None else CitationDelta(citation)

    def _read_end(self, response: dict[str, Any]) -> Iterator[Event]:
        usage = response.get("usage")
        if usage:
            yield UsageUpdate(self._read_usage(usage), usage)
        yield Started(response.get("id"), response.get("model"), response.get("service_tier"))
        if response.get("content_filters"):  # Azure: the verdicts on prompt and answer
            yield RawEvent("content_filters", response["content_filters"])
        self._finished = True
        status = response.get("status")
        raw = (response.get("incomplete_details") or {}).get("reason") or status
        reason: FinishReason = FINISH_REASONS.get(raw, "other") if isinstance(raw, str) else "other"
        if reason == "stop" and self._calls:
            reason = "tool_calls"
        elif reason == "stop" and self._refused:
            reason = "refusal"
        yield Finish(reason, 0, raw)


def read_count(value: Any) -> Iterator[Event]:
    """Read the answer of the endpoint that counts tokens."""
    raise_failure(value)
    yield TokensCounted(value["input_tokens"])
