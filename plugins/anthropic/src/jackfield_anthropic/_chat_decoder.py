"""Messages: the decoder of streamed and whole answers, and of one line of batch results."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

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
from jackfield.plugin import Frame, Head, exact_numbers, is_error_body, read_frame, sift_frame

from ._blocks import BlockReader
from ._errors import fail
from ._iterations import model_that_answered
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
_KNOWN: Final = frozenset(
    {"id", "type", "role", "model", "content", "usage", "stop_reason", "stop_sequence", "stop_details"}
)
_STOP_DETAILS: Final = ("stop_sequence", "stop_details")
_DONE: Final = b"[DONE]"
_DELTAS: Final = (
    "content_block_delta",
    "message_delta",
    "ping",
)  # without anything that a program computes with
_NO_REGION: Final = ("", "not_available", "global")


class MessageDecoder:
    """Decodes one message. A stream ends with `message_stop`, or at the end of the body if a stop reason came.

    Attributes:
        ended: `message_stop` has come, a whole message, or the `[DONE]` of a gateway.

    Args:
        provider: The `provider` of thinking and raw parts.
        json_tool: The name of the tool through which an answer in JSON comes; its arguments become the text.
        stream: The answer was requested as a stream.
    """

    def __init__(self, provider: str, json_tool: str | None = None, *, stream: bool = True) -> None:
        self._stream = stream
        self._blocks = BlockReader(provider, json_tool)
        self._json_tool = json_tool
        self._started = False
        self._begun = False  # a block of its content
        self._again = False  # a second start came after that
        self._indexes: set[int] = set()
        self._id: str | None = None
        self.ended = False
        self._finished = False
        self._model: str | None = None
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
        """Handle the response head."""
        return []

    @property
    def is_whole(self) -> bool:
        """Whether the stop reason has come."""
        return self._stop is not None or self._finished

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one event of a stream, a whole answer, or a line of batch results."""
        if self.ended:  # nothing after the end belongs to this answer
            return []
        try:
            event = orjson.loads(frame.data)
        except orjson.JSONDecodeError:
            if (
                frame.data.removeprefix(BOM_UTF8).strip() == _DONE
            ):  # how OpenAI's streams end, and those of gateways in front of other models
                self.ended = True
                return self._close()
            event = read_frame(frame, self._readers)
        if isinstance(event, dict) and event.get("type") == "content_block_delta":
            delta = event["delta"]
            if delta["type"] == "text_delta":  # fast path: nearly every event of a stream
                text = delta["text"]
                return [TextDelta("" if text is None else text, 0, event["index"])]
        event = sift_frame(frame, event, self._readers)
        if not event and self._stream:  # a heartbeat of a gateway
            return []
        if not isinstance(event, dict):
            raise MalformedResponseError(
                "the service sent JSON that is not an object", body=bytes(frame.data)
            )
        kind = event.get("type")
        if kind is None and self._stream and not is_error_body(event):
            kind = frame.event
        reader = self._readers.get(kind) if isinstance(kind, str) else None
        if kind not in _DELTAS:
            event = exact_numbers(event, frame.data)
        return list(self._other(kind, event) if reader is None else reader(event))

    def finish(self) -> list[Event]:
        """Check that the answer is complete: it is once it has a stop reason, even without `message_stop`."""
        if self._finished:
            return []
        if self._stop is None:
            raise StreamInterruptedError("the stream ended before message_stop; ask again")
        return list(self._end({}))

    def _close(self) -> list[Event]:
        """Handle an end that is not the service's own: it is one if a stop reason came."""
        return list(self._end({})) if self._stop is not None else []

    def _other(self, kind: Any, event: dict[str, Any]) -> Iterator[Event]:
        if kind == "error" or is_error_body(event):
            fail(event)
        if isinstance(event.get("result"), dict) and "custom_id" in event:
            yield from self._batch_line(event)
        elif kind is None:
            if not self._stream or any(value is not None for value in event.values()):
                raise MalformedResponseError(
                    f"the answer is not a message; it has {', '.join(event) or 'nothing'}"
                )
        elif kind != "ping":
            yield RawEvent(str(kind), event)

    def _batch_line(self, line: dict[str, Any]) -> Iterator[Event]:
        """Read `{"custom_id", "result"}` of batch results, which come in any order.

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
        if self._started:  # a duplicate, which has been seen in a stream, adds nothing
            identity = event["message"].get("id")
            if self._begun and self._id is not None and identity not in (None, "", self._id):
                self._reject_another(identity)
            self._again = self._begun
            return
        yield from self._envelope(event["message"])

    def _envelope(self, message: dict[str, Any]) -> Iterator[Event]:
        self._started, self._id = True, message.get("id")
        usage = _mapping(message.get("usage"))
        place = usage.get("inference_geo")
        region = None if place in _NO_REGION else place
        self._model = message.get("model")
        yield Started(message.get("id"), self._model, usage.get("service_tier"), region)
        yield from self._update_usage(usage)
        for name in message.keys() - _KNOWN:
            if message[name] is not None:
                yield RawEvent(name, message[name])

    def _update_usage(self, usage: Mapping[str, Any]) -> Iterator[Event]:
        """Update the token counts, which are running totals; a missing or null count keeps its last value."""
        if usage:
            self._usage = {**self._usage, **{k: v for k, v in usage.items() if v is not None}}
            if "iterations" in usage and (answering := model_that_answered(usage)) not in (None, self._model):
                self._model = answering
                yield Started(None, answering)
            yield UsageUpdate(read_usage(self._usage, self._model), self._usage)

    def _block_start(self, event: dict[str, Any]) -> Iterator[Event]:
        self._begun = True
        if self._again and event["index"] in self._indexes:
            self._reject_another(self._id)
        self._indexes.add(event["index"])
        yield from self._blocks.start(event["index"], event["content_block"])

    def _reject_another(self, identity: str | None) -> NoReturn:
        """Reject a message that a gateway asked for again after it lost the first one."""
        raise StreamInterruptedError(
            f"the service began another message, {identity}, before {self._id} had ended; ask again"
        )

    def _block_delta(self, event: dict[str, Any]) -> Iterator[Event]:
        yield from self._blocks.delta(event["index"], event["delta"])

    def _block_stop(self, event: dict[str, Any]) -> Iterator[Event]:
        yield from self._blocks.stop(event["index"])

    def _delta(self, event: dict[str, Any]) -> Iterator[Event]:
        delta = event.get("delta") or {}
        self._keep_stop(delta)
        yield from self._update_usage(_mapping(event.get("usage")))
        for name in delta.keys() - _KNOWN:
            if delta[name] is not None:
                yield RawEvent(name, delta[name])
        for name in event.keys() - {"type", "delta", "usage"}:
            yield RawEvent(name, event[name])

    def _keep_stop(self, fields: Mapping[str, Any]) -> None:
        self._stop = fields.get("stop_reason") or self._stop
        self._detail.update({name: fields[name] for name in _STOP_DETAILS if fields.get(name) is not None})

    def _end(self, event: dict[str, Any]) -> Iterator[Event]:
        yield from self._blocks.stop_all()
        for name in event.keys() - {"type"}:  # Bedrock's metrics
            yield RawEvent(name, event[name])
        self.ended = self._finished = True
        reason: FinishReason = _STOPS.get(self._stop or "", "other")
        if self._blocks.direct and (reason == "stop" or self._stop is None):  # compatible services say so
            reason = "tool_calls"
        elif reason == "tool_calls" and self._json_tool is not None and not self._blocks.calls:
            reason = "stop"
        yield Finish(reason, 0, self._stop, self._detail or None)

    def _whole(self, message: dict[str, Any]) -> Iterator[Event]:
        yield from self._envelope(message)
        for index, block in enumerate(message.get("content") or ()):
            yield from self._blocks.start(index, block)
            yield from self._blocks.stop(index)
        self._keep_stop(message)
        yield from self._end({})


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return an object that counts; what is none is not worth the answer."""
    return value if isinstance(value, Mapping) else {}
