"""Legacy text completions (`/v1/complete`): the answer.

Source: Anthropic's Python SDK 0.125.0, the last that had them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jackfield import (
    Event,
    Finish,
    FinishReason,
    MalformedResponseError,
    RawEvent,
    Started,
    StreamInterruptedError,
    TextDelta,
)
from jackfield.plugin import Frame, Head, read_frame

from ._errors import raise_failure

__all__ = ["CompletionDecoder"]

_STOPS: Final[Mapping[str, FinishReason]] = {"stop_sequence": "stop", "max_tokens": "length"}
_EVENTS: Final = ("completion",)
_ENVELOPE: Final = frozenset(
    {"type", "id", "completion", "stop_reason", "model", "stop", "log_id", "truncated"}
)


class CompletionDecoder:
    """Decodes one text completion, streamed or whole. It ends with a stop reason and reports no usage.

    Attributes:
        ended: The stop reason has come.
    """

    def __init__(self) -> None:
        self._started = False
        self.ended = False

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one event of a stream, or a whole answer."""
        if self.ended:
            return []
        event = read_frame(frame, _EVENTS)
        if event is None:
            return []
        raise_failure(event)
        if not isinstance(event, dict):
            raise MalformedResponseError("the answer is not a JSON object", body=bytes(frame.data))
        if "completion" not in event:
            if "type" not in event:
                raise MalformedResponseError("the answer has no completion", body=bytes(frame.data))
            return [] if event["type"] == "ping" else [RawEvent(event["type"], event)]
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Started(event.get("id"), event.get("model")))
        if event["completion"] not in (None, ""):
            events.append(TextDelta(event["completion"]))
        events += [
            RawEvent(name, event[name]) for name in event.keys() - _ENVELOPE if event[name] is not None
        ]
        raw = event.get("stop_reason")
        if raw is not None:
            self.ended = True
            stop = event.get("stop")
            detail = None if stop is None else {"stop_sequence": stop}
            events.append(Finish(_STOPS.get(raw, "other"), 0, raw, detail))
        return events

    def finish(self) -> list[Event]:
        """Check that the answer is complete."""
        if not self.ended:
            raise StreamInterruptedError("the stream ended without a stop reason; ask again")
        return []
