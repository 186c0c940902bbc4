"""Snowflake's own form of a chat, `inference:complete`: the answer, streamed or whole."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from jackfield import (
    Event,
    Finish,
    FinishReason,
    MalformedResponseError,
    PartAdded,
    RawEvent,
    RawPart,
    Started,
    StreamInterruptedError,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageUpdate,
)
from jackfield.plugin import (
    Failure,
    FailureInStream,
    Frame,
    Head,
    Wire,
    exact_numbers,
    is_error_body,
    read_frame,
    read_json,
    sift_frame,
    write_json,
)

from ._usage import read_usage

__all__ = ["CompleteDecoder", "raise_failure"]

_ENVELOPE: Final = frozenset({"id", "object", "created", "model", "choices", "usage"})
_DELTA: Final = frozenset(
    {"type", "role", "content", "text", "content_list", "tool_use", "tool_use_id", "name", "input"}
)
_REASONS: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "content_filter": "content_filter",
}


def raise_failure(value: Any, event: str | None = None) -> None:
    """Raise the error in an answer, if there is one: `error`, or `message` instead of `choices`.

    Raises:
        FailureInStream: There is one.
    """
    if not isinstance(value, dict):
        raise MalformedResponseError(f"the answer is a {type(value).__name__}, not an object")
    is_message = value.get("message") is not None and "choices" not in value
    if event == "error" or is_message or is_error_body(value):
        raise FailureInStream(Failure(body=write_json(value), in_stream=True, data=value, event=event))


class _Choice:
    """The state of one choice."""

    __slots__ = ("arguments", "call", "calls", "open", "raw", "said")

    def __init__(self) -> None:
        self.call: str | None = None
        self.calls = 0
        self.open = False
        self.arguments = ""
        self.raw: str | None = None
        self.said = ""


class CompleteDecoder:
    """Decode one answer. Sources: docs.snowflake.com, Cortex REST API (2025); snowflake.core 1.14.0.

    A stream has no end marker and no finish reason. Every documented stream reports its usage, at the end or with each
    piece, so a stream that ends without it was cut off. `CortexDecoder` infers why an answer ended.

    Attributes:
        ended: A gateway's `[DONE]` has come; the service itself sends none.
    """

    def __init__(self, wire: Wire) -> None:
        self._streamed = wire.stream
        self.ended = False
        guard = wire.body.get("guardrails") if isinstance(wire.body, dict) else None
        self._unsafe = guard.get("response_when_unsafe") if isinstance(guard, Mapping) else None
        self._started: Started | None = None
        self._choices: dict[int, _Choice] = {}
        self._usage: Any = None
        self._usage_is_last = False  # the last event contained nothing but the usage

    def start(self, head: Head) -> list[Event]:
        """Handle the response head; JSON instead of a stream is a whole answer."""
        if head.headers.get("content-type", "").startswith("application/json"):
            self._streamed = False
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one event of a stream, or a whole answer."""
        data = frame.data
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            if data.removeprefix(BOM_UTF8).strip() == b"[DONE]":
                self.ended = True
                return []
            event = read_frame(frame)
        event = sift_frame(frame, event)
        if event is None and self._streamed:
            return []  # a heartbeat
        raise_failure(event, frame.event)
        event = exact_numbers(event, data)
        if "choices" not in event and "usage" not in event:
            if not self._streamed:
                raise MalformedResponseError(
                    f"the answer has no choices; it has {', '.join(event) or 'nothing'}"
                )
            return [RawEvent(frame.event or str(event.get("type", "unknown")), event)]
        return list(self._event(event))

    def finish(self) -> list[Event]:
        """Check that there was an answer, and finish every choice."""
        if not self._choices or (self._streamed and self._usage is None):
            raise StreamInterruptedError(
                "the stream ended without its usage, which comes at the end; try again"
            )
        return [event for index, choice in self._choices.items() for event in self._end(index, choice)]

    def _event(self, event: dict[str, Any]) -> Iterator[Event]:
        started = Started(event.get("id") or None, event.get("model") or None)
        if started != self._started and (started.id or started.model or self._started is None):
            self._started = started
            yield started
        for name in event.keys() - _ENVELOPE:
            if event[name] is not None:
                yield RawEvent(name, event[name])
        usage = event.get("usage")
        self._usage_is_last = bool(usage)
        for position, wire in enumerate(event.get("choices") or ()):
            index = wire.get("index", position)
            choice = self._choices.setdefault(index, _Choice())
            choice.raw = wire.get("finish_reason") or choice.raw
            for one in self._message(_message_of(wire), index, choice):
                self._usage_is_last = False
                yield one
        if usage and usage != self._usage:
            self._usage = usage
            yield UsageUpdate(read_usage(usage), usage)

    def _message(self, message: Mapping[str, Any], index: int, choice: _Choice) -> Iterator[Event]:
        """Read a message: its text is in `content`, in `text` and in `content_list` at once, so only one is read."""
        items = [item for item in message.get("content_list") or () if isinstance(item, Mapping)]
        listed = any(_text(item) for item in items)
        text = message.get("content") or message.get("text")
        if text and not listed and isinstance(text, str):
            yield self._text_delta(text, index, choice)
        for item in items or (message,):
            if _text(item):
                if listed:
                    yield self._text_delta(_text(item), index, choice)
            else:
                yield from self._item(item, index, choice)
        for name in message.keys() - _DELTA:
            if message[name] not in (None, "", []):
                yield RawEvent(name, message[name])

    def _text_delta(self, text: str, index: int, choice: _Choice) -> TextDelta:
        choice.said += text if self._unsafe is not None else ""
        return TextDelta(text, index)

    def _item(self, item: Mapping[str, Any], index: int, choice: _Choice) -> Iterator[Event]:
        """Read a piece of a tool call, flat or in `tool_use`; keep an item of another type as it came."""
        call = item.get("tool_use")
        call = call if isinstance(call, Mapping) else item
        name = call.get("tool_use_id")
        if name and name != choice.call:  # the pieces that follow may repeat the id, or have ""
            yield from self._close(index, choice)
            choice.open, choice.arguments, choice.call = True, "", name
            yield ToolCallStart(choice.calls, str(name), str(call.get("name") or ""), index)
            choice.calls += 1
        piece = call.get("input")
        if piece is not None and choice.open:
            text = piece if isinstance(piece, str) else write_json(piece).decode()
            choice.arguments += text
            yield ToolCallDelta(choice.calls - 1, text, index)
        elif call is item and item.get("type") not in (None, "text", "tool_use"):
            yield PartAdded(RawPart("snowflake", dict(item)), index)

    def _close(self, index: int, choice: _Choice) -> Iterator[Event]:
        if choice.open:
            choice.open = False
            yield ToolCallEnd(choice.calls - 1, index)

    def _end(self, index: int, choice: _Choice) -> Iterator[Event]:
        if choice.open and self._streamed and not self._usage_is_last and not _is_json(choice.arguments):
            raise StreamInterruptedError("the stream ended within a tool call; try again")
        yield from self._close(index, choice)
        reason: FinishReason = _REASONS.get(choice.raw or "", "other")
        if reason == "stop" and choice.calls:
            reason = "tool_calls"
        if self._unsafe is not None and choice.said.strip() == str(self._unsafe).strip():
            # Cortex Guard answers with the caller's own text, as if the model had written it.
            yield Finish("content_filter", index, "guardrails")
        else:
            yield Finish(reason, index, choice.raw)


def _message_of(wire: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the message of a choice: `delta`, `message`, or text in `messages`, as in the SQL function."""
    text = wire.get("messages")
    return wire.get("delta") or wire.get("message") or ({"content": text} if isinstance(text, str) else {})


def _text(item: Mapping[str, Any]) -> str:
    """Return the text of an item; "" if it is not text."""
    text = item.get("text") if item.get("type", "text") == "text" else None
    return text if isinstance(text, str) else ""


def _is_json(text: str) -> bool:
    try:
        read_json(text or "{}")
    except ValueError:
        return False
    return True
