"""Decode an answer into events. The same code reads streams and whole answers, so that they cannot differ."""

from typing import Any

import orjson
from jackfield import (
    Event,
    Finish,
    FinishReason,
    RawEvent,
    Started,
    StreamInterruptedError,
    TextDelta,
    Usage,
    UsageUpdate,
)
from jackfield.plugin import Failure, FailureInStream, Frame, Head, Wire

_REASONS: dict[str, FinishReason] = {"length": "length", "eos_token": "stop", "stop_sequence": "stop"}


class AnswerDecoder:
    """Decodes one answer."""

    def __init__(self, wire: Wire) -> None:
        self._streamed = wire.stream
        self._ended = False

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        return [Started(head.headers.get("x-request-id"), head.headers.get("x-model-id"))]

    def feed(self, frame: Frame) -> list[Event]:
        """Decode a token of a stream, or a whole answer."""
        data: Any = orjson.loads(frame.data)
        if isinstance(data, list):  # the hosted API wraps a whole answer in a list
            data = data[0]
        if "error" in data:
            raise FailureInStream(Failure(data=data))
        if "token" not in data and "generated_text" not in data:
            return [RawEvent("unknown", data)]
        return [*self._text(data), *self._end(data)]

    def finish(self) -> list[Event]:
        """Handle the clean end of the body; a complete answer ends with the whole text."""
        if not self._ended:
            raise StreamInterruptedError("the stream ended before its last token")
        return []

    def _text(self, data: dict[str, Any]) -> list[Event]:
        if not self._streamed:
            return [TextDelta(data["generated_text"])]
        token = data["token"]
        return [] if token.get("special") else [TextDelta(token["text"])]

    def _end(self, data: dict[str, Any]) -> list[Event]:
        if data.get("generated_text") is None:
            return []
        self._ended = True
        details = data.get("details") or {}
        reason = details.get("finish_reason")
        usage = Usage(_input_tokens(details), details.get("generated_tokens"))
        told: list[Event] = [UsageUpdate(usage, raw=details)] if details else []
        return [*told, Finish(_REASONS.get(str(reason), "other"), raw=reason)]


def _input_tokens(details: dict[str, Any]) -> int | None:
    """Return the number of input tokens, if known: streams report it, whole answers only list the tokens."""
    count: int | None = details.get("input_length")
    return count if count is not None else len(details.get("prefill") or ()) or None
