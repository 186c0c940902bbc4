"""The Responses API: the decoder of streamed and whole answers, and the count of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
)
from jackfield.plugin import Frame, Head, TokensCounted, Wire, is_error_body, read_frame, sift_frame

from ._answer_fields import FINISH_REASONS, exact_event, is_end_marker
from ._dialect import Dialect
from ._errors import fail, raise_failure
from ._responses_items import Item, Items
from ._usage import usage_event

__all__ = ["ResponsesDecoder", "read_count"]

_TERMINAL: Final = frozenset({"response.completed", "response.incomplete", "response.done"})
_UNFINISHED: Final = ("queued", "in_progress")
# They say nothing that the others do not say.
_SILENT: Final = frozenset({"keepalive", "ping", "heartbeat"})
_STATES: Final = frozenset({"response.in_progress", "response.queued"})


class ResponsesDecoder:
    """Decodes one answer of the Responses API; a stream ends with its terminal event.

    What a stream says several times (in pieces, at the end of a part, of an item, of the answer) is read once: the
    later event adds what the earlier ones did not bring, because some servers send only one of them.

    Attributes:
        ended: The terminal event has come, or `[DONE]`.
        is_whole: The terminal event has come.
    """

    def __init__(self, dialect: Dialect, wire: Wire) -> None:
        self._read_usage = dialect.usage
        self._streamed = wire.stream
        self._items = Items(dialect.id)
        asked = wire.body.get("store") if isinstance(wire.body, dict) else None
        self._stored = asked if isinstance(asked, bool) else None
        self._id: str | None = None
        self.ended = self.is_whole = False
        self._place: tuple[Any, Any, Any] | None = None  # of the last event, if it was a piece of text
        self._number = 0
        self._pieces: list[str] = []
        self._handlers: dict[str, Callable[[Item, dict[str, Any]], Iterator[Event]]] = {
            "response.output_text.delta": Item.add_text,
            "response.output_text.done": Item.end_text,
            "response.output_text.annotation.added": Item.add_annotation,
            "response.content_part.added": Item.begin_part,
            "response.content_part.done": Item.end_part,
            "response.refusal.delta": Item.add_refusal,
            "response.refusal.done": Item.end_refusal,
            "response.reasoning_summary_part.added": Item.begin_summary,
            "response.reasoning_summary_part.done": Item.end_summary,
            "response.reasoning_summary_text.delta": Item.add_thinking,
            "response.reasoning_summary_text.done": Item.end_thinking,
            "response.reasoning_text.delta": Item.add_thinking,
            "response.reasoning_text.done": Item.end_thinking,
            "response.function_call_arguments.delta": Item.add_arguments,
            "response.function_call_arguments.done": Item.end_arguments,
            "response.custom_tool_call_input.delta": Item.add_arguments,
            "response.custom_tool_call_input.done": Item.end_arguments,
            "response.output_item.added": Item.begin,
            "response.output_item.done": Item.end,
        }

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one event of a stream, or a whole answer."""
        data = frame.data
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            if is_end_marker(data):
                self.ended = True
                return []
            event = read_frame(frame)
        if not isinstance(event, dict):
            self._pass_over(frame, event)
            return []
        kind: Any = event.get("type")
        if kind == "response.output_text.delta" and not event.get("logprobs"):
            return [self._read_piece(event)]
        if (kind is None or frame.event == "error" != kind) and self._is_heartbeat(frame, event):
            return []
        if kind is None and frame.event is not None and not is_error_body(event):
            kind = frame.event
        event = exact_event(event, data)
        self._place = None
        handler = self._handlers.get(kind)
        if handler is None:
            return list(self._read_other(kind, event))
        return list(handler(self._items.find(event, kind), event))

    def finish(self) -> list[Event]:
        """Check that the answer has its end."""
        if not self.is_whole:
            raise StreamInterruptedError("the stream ended before response.completed; ask again")
        return []

    def _is_heartbeat(self, frame: Frame, event: dict[str, Any]) -> bool:
        return sift_frame(frame, event) is None or (not event and self._streamed)

    def _pass_over(self, frame: Frame, value: Any) -> None:
        """Pass over a heartbeat of a gateway; other JSON that is not an object is an error."""
        if not self._streamed:
            raise MalformedResponseError("the answer is JSON, but not an object", body=bytes(frame.data))
        if value and (frame.event is None or sift_frame(frame, value) is not None):
            fail(value)

    def _read_piece(self, event: dict[str, Any]) -> TextDelta:
        """Read a piece of text: a fast path, because nearly all events of a stream are one, of the same part as the last."""
        get = event.get
        delta, place = get("delta") or "", (get("output_index"), get("item_id"), get("content_index"))
        if place != self._place:
            item = self._items.find(event, "response.output_text.delta")
            self._place, self._number, self._pieces = place, item.number, item.pieces_of("text", event)
        self._pieces.append(delta)
        return TextDelta(delta, 0, self._number)

    def _read_other(self, kind: str | None, event: dict[str, Any]) -> Iterator[Event]:
        if kind in ("error", "response.failed") or (kind is None and event.get("error")):
            fail(event if kind != "error" or "error" in event else {"error": event})
        if event.get("object") == "response":
            yield from self._read_whole(event)
        elif kind == "response.created":
            yield self._make_started(event.get("response") or {})
        elif kind in _STATES:
            if self._items.any:
                self._check_id((event.get("response") or {}).get("id"))
        elif kind in _TERMINAL or kind == "response.cancelled":
            response = event.get("response") or {}
            self._check_status(response if kind != "response.cancelled" else {"status": "cancelled"})
            yield from self._read_end(response, completed=kind == "response.completed")
        elif kind is None:
            raise_failure(event)
            raise MalformedResponseError(
                f"the answer is not a response; it has {', '.join(event) or 'no fields'}"
            )
        elif kind not in _SILENT:
            yield RawEvent(kind, event)

    def _read_whole(self, response: dict[str, Any]) -> Iterator[Event]:
        self._check_status(response)
        status = response.get("status")
        if status in _UNFINISHED:
            raise MalformedResponseError(
                f"the response {response.get('id')} is {status}: the service has not answered yet"
            )
        yield self._make_started(response)
        yield from self._read_end(response)

    def _check_status(self, response: Mapping[str, Any]) -> None:
        status = response.get("status")
        if status in ("failed", "cancelled"):
            fail({"error": response.get("error") or {"message": f"the response was {status}"}})

    def _make_started(self, response: Mapping[str, Any]) -> Started:
        identity = response.get("id")
        self._check_id(identity)
        self._id = self._items.answer = identity or self._id
        # Until it is complete, the tier is the requested one ("auto").
        return Started(identity, response.get("model"))

    def _check_id(self, identity: str | None) -> None:
        if self._id is not None and identity not in (None, self._id) and not self.is_whole:
            raise StreamInterruptedError(
                f"the service began another response, {identity}, before {self._id} had ended; ask again"
            )

    def _read_end(self, response: dict[str, Any], *, completed: bool = False) -> Iterator[Event]:
        yield from self._items.end_all(response.get("output") or ())
        usage = response.get("usage")
        if usage:
            yield usage_event(self._read_usage, usage)
        stored = response.get("store")
        stored = stored if isinstance(stored, bool) else self._stored
        yield Started(response.get("id"), response.get("model"), response.get("service_tier"), stored=stored)
        if response.get("content_filters"):  # Azure: the verdicts on prompt and answer
            yield RawEvent("content_filters", response["content_filters"])
        self.is_whole = self.ended = True
        status = response.get("status")
        if completed and (status is None or status in _UNFINISHED):
            status = "completed"  # the event says so
        raw = (response.get("incomplete_details") or {}).get("reason") or status
        reason: FinishReason = FINISH_REASONS.get(raw, "other") if isinstance(raw, str) else "other"
        if reason == "stop" and self._items.calls:
            reason = "tool_calls"
        elif reason == "stop" and self._items.refused:
            reason = "refusal"
        yield Finish(reason, 0, raw)


def read_count(value: Any) -> Iterator[Event]:
    """Read the answer of the endpoint that counts tokens."""
    raise_failure(value)
    yield TokensCounted(value["input_tokens"])
