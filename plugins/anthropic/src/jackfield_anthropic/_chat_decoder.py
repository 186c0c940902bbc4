"""Messages: the answer, streamed or whole, and one line of a batch's results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from jackfield import (
    Event,
    Finish,
    FinishReason,
    MalformedResponseError,
    RawEvent,
    Started,
    StreamInterruptedError,
    TextDelta,
    UsageUpdate,
)
from jackfield.plugin import Frame, Head

from ._blocks import BlockReader
from ._errors import fail
from ._usage import read_usage

__all__ = ["MessageDecoder"]

_STOPS: Final[Mapping[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
    "pause_turn": "pause",
}
_MESSAGE: Final = frozenset(
    {"id", "type", "role", "model", "content", "usage", "stop_reason", "stop_sequence", "stop_details"}
)
_ENDS: Final = ("stop_sequence", "stop_details")
_UNTOLD: Final = ("", "not_available", "global")


class MessageDecoder:
    """Reads one message. A stream ends with `message_stop`.

    Args:
        provider: Tags parts that only this provider understands.
        json_tool: The tool through which an answer in JSON comes; its arguments are the text.
    """

    def __init__(self, provider: str, json_tool: str | None = None) -> None:
        self._blocks = BlockReader(provider, json_tool)
        self._json_tool = json_tool
        self._begun = False
        self._ended = False
        self._usage: dict[str, Any] = {}
        self._stop: str | None = None
        self._detail: dict[str, Any] = {}
        self._readers = {
            "message_start": self._start,
            "content_block_start": self._block_start,
            "content_block_delta": self._block_delta,
            "content_block_stop": self._block_stop,
            "message_delta": self._delta,
            "message_stop": self._end,
            "message": self._whole,
        }

    def start(self, head: Head) -> list[Event]:
        """Hear that the answer began."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Read one event of a stream, a whole answer, or a line of a batch's results."""
        try:
            event = orjson.loads(frame.data)
        except orjson.JSONDecodeError as error:
            raise MalformedResponseError(
                f"the service sent something that is not JSON ({error}): {bytes(frame.data[:80])!r}",
                body=bytes(frame.data),
            ) from error
        if not isinstance(event, dict):
            raise MalformedResponseError("the service sent no object", body=bytes(frame.data))
        kind = event.get("type")
        if self._ended:  # what stands behind the end is not of this answer
            return []
        if kind == "content_block_delta":
            delta = event["delta"]
            if delta["type"] == "text_delta":  # fast path: nearly every event of a stream
                return [TextDelta(delta["text"] or "", 0, event["index"])]
        reader = self._readers.get(kind) if isinstance(kind, str) else None
        return list(self._other(kind, event) if reader is None else reader(event))

    def finish(self) -> list[Event]:
        """Check that the answer has its end."""
        if not self._ended:
            raise StreamInterruptedError("the stream ended before message_stop; ask again")
        return []

    def _other(self, kind: Any, event: dict[str, Any]) -> Iterator[Event]:
        if kind == "error" or event.get("error"):
            fail(event)
        if isinstance(event.get("result"), dict) and "custom_id" in event:
            yield from self._batch_line(event)
        elif kind is None:
            raise MalformedResponseError(f"the answer is no message; it has {', '.join(event) or 'nothing'}")
        elif kind != "ping":
            yield RawEvent(str(kind), event)

    def _batch_line(self, line: dict[str, Any]) -> Iterator[Event]:
        """Read `{"custom_id", "result"}`; results come in any order.

        Source: Anthropic's Python SDK 2.12.0: a result is succeeded, errored, canceled or expired.
        """
        result = line["result"]
        if result.get("type") != "succeeded":
            failure = result.get("error")
            if failure is None:
                message = f"the batch's request {line['custom_id']} was {result.get('type')}"
                failure = {"error": {"type": result.get("type"), "message": message}}
            fail(failure if "error" in failure else {"error": failure})
        yield RawEvent("custom_id", line["custom_id"])
        yield from self._whole(result["message"])

    def _start(self, event: dict[str, Any]) -> Iterator[Event]:
        if self._begun:  # a second one has been seen in a stream; it says nothing new
            return
        yield from self._envelope(event["message"])

    def _envelope(self, message: dict[str, Any]) -> Iterator[Event]:
        self._begun = True
        usage = message.get("usage") or {}
        place = usage.get("inference_geo")
        region = None if place in _UNTOLD else place
        yield Started(message.get("id"), message.get("model"), usage.get("service_tier"), region)
        yield from self._used(usage)
        for name in message.keys() - _MESSAGE:
            if message[name] is not None:
                yield RawEvent(name, message[name])

    def _used(self, usage: Mapping[str, Any]) -> Iterator[Event]:
        """Take counts, which are totals so far; one that is missing or null leaves the earlier in force."""
        if usage:
            self._usage = {**self._usage, **{k: v for k, v in usage.items() if v is not None}}
            yield UsageUpdate(read_usage(self._usage), self._usage)

    def _block_start(self, event: dict[str, Any]) -> Iterator[Event]:
        yield from self._blocks.start(event["index"], event["content_block"])

    def _block_delta(self, event: dict[str, Any]) -> Iterator[Event]:
        yield from self._blocks.delta(event["index"], event["delta"])

    def _block_stop(self, event: dict[str, Any]) -> Iterator[Event]:
        yield from self._blocks.stop(event["index"])

    def _delta(self, event: dict[str, Any]) -> Iterator[Event]:
        delta = event.get("delta") or {}
        self._stopped(delta)
        yield from self._used(event.get("usage") or {})
        for name in delta.keys() - _MESSAGE:
            if delta[name] is not None:
                yield RawEvent(name, delta[name])
        for name in event.keys() - {"type", "delta", "usage"}:
            yield RawEvent(name, event[name])

    def _stopped(self, told: Mapping[str, Any]) -> None:
        self._stop = told.get("stop_reason") or self._stop
        self._detail.update({name: told[name] for name in _ENDS if told.get(name) is not None})

    def _end(self, event: dict[str, Any]) -> Iterator[Event]:
        yield from self._blocks.stop_all()
        for name in event.keys() - {"type"}:  # Bedrock's metrics
            yield RawEvent(name, event[name])
        self._ended = True
        reason: FinishReason = _STOPS.get(self._stop or "", "other")
        if reason == "tool_calls" and self._json_tool is not None and not self._blocks.calls:
            reason = "stop"
        yield Finish(reason, 0, self._stop, self._detail or None)

    def _whole(self, message: dict[str, Any]) -> Iterator[Event]:
        yield from self._envelope(message)
        for index, block in enumerate(message.get("content") or ()):
            yield from self._blocks.start(index, block)
            yield from self._blocks.stop(index)
        self._stopped(message)
        yield from self._end({})
