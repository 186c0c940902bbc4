"""Decode answers that consist of JSON values, streamed or whole, without naming an event class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from jackfield._faces import show_in
from jackfield._json import exact_part, write_json
from jackfield._types.errors import MalformedResponseError, StreamInterruptedError
from jackfield._types.events import (
    Event,
    Finish,
    FinishReason,
    RawEvent,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageUpdate,
)
from jackfield._types.failures import Failure
from jackfield._types.usage import Usage
from jackfield._types.wire import Frame, Head

from .json_frames import read_frame
from .protocols import FailureInStream

__all__ = ["EventDecoder", "whole_tool_call"]


def whole_tool_call(
    index: int, id: str, name: str, arguments: Mapping[str, Any] | str, *, choice: int = 0
) -> list[Event]:
    """Return the events of a tool call that came in one piece.

    Args:
        index: Number of the call within its choice, from 0.
        id: Id of the call. If the service has none, make one that is the same whenever the same answer is decoded.
        name: Name of the tool.
        arguments: The arguments, or their JSON text as the model wrote it.
        choice: Number of the choice.
    """
    text = arguments if isinstance(arguments, str) else write_json(arguments).decode()
    return [
        ToolCallStart(index, id, name, choice),
        ToolCallDelta(index, text, choice),
        ToolCallEnd(index, choice),
    ]


class EventDecoder:
    """Decode an answer whose frames are JSON: subclass it, and implement `read`.

    `read` gets one value, an event of a stream or a whole answer, and calls the `add_` methods for what is in it:

        class ChatDecoder(EventDecoder):
            def read(self, data):
                if "delta" in data:
                    self.add_text(data["delta"])
                if "end_reason" in data:
                    self.add_usage(data["prompt_tokens"], data["answer_tokens"], raw=data)
                    self.add_finish(data["end_reason"])

    An answer that ends before each of its choices has finished is interrupted (`StreamInterruptedError`).

    Args:
        reasons: The service's reasons for the end of an answer, and what they mean; any other one is "other".

    Attributes:
        event: Name of the frame that is read, if the framing has names (SSE `event:`).
        ended: The service's end marker has come; `read` sets it, if the service has one. What follows is not read.
    """

    def __init__(self, reasons: Mapping[str, FinishReason] | None = None) -> None:
        self.event: str | None = None
        self.ended = False
        self._reasons = reasons or {}
        self._events: list[Event] = []
        self._data: Any = b""
        self._value: Any = None
        self._calls: dict[int, int] = {}
        self._open: dict[int, int] = {}
        self._finished: dict[int, bool] = {}

    @property
    def is_whole(self) -> bool:
        """Whether each choice that began has finished; the answer then survives a body that is cut or stays silent."""
        return bool(self._finished) and all(self._finished.values())

    def read(self, data: Any) -> None:
        """Read one JSON value of the answer. Called by `feed`."""
        raise NotImplementedError(f"{type(self).__name__} must implement read")

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one frame: bytes of JSON, or the value itself from an SDK. Heartbeats are passed over (`read_frame`).

        Raises:
            FailureInStream: The frame is named `error`.
            MalformedResponseError: It is not JSON.
        """
        data = read_frame(frame)
        if data is None:
            return []
        self.event = frame.event
        self._events = []
        self._data, self._value = frame.data, data
        self.read(data)
        return self._events

    def finish(self) -> list[Event]:
        """Handle the clean end of the body.

        Raises:
            StreamInterruptedError: A choice has not finished, or none has begun.
        """
        if not self.is_whole:
            raise StreamInterruptedError("the answer ended before the service said why")
        return []

    def add(self, event: Event) -> None:
        """Add any event, such as a citation."""
        self._events.append(event)

    def add_started(self, id: str | None = None, model: str | None = None) -> None:
        """Add the service's id for the answer, and the model that answers."""
        self._events.append(Started(id, model))

    def add_text(self, text: str, *, choice: int = 0) -> None:
        """Add a piece of text; an empty one says nothing and is left out."""
        self._finished.setdefault(choice, False)
        if text:
            self._events.append(TextDelta(text, choice))

    def add_thinking(self, text: str, *, choice: int = 0, data: Mapping[str, Any] | None = None) -> None:
        """Add a piece of thinking.

        Args:
            text: The piece.
            choice: Number of the choice.
            data: What the service wants back with the thinking, such as a signature.
        """
        self._finished.setdefault(choice, False)
        self._events.append(ThinkingDelta(text, choice, data=data))

    def add_tool_call(
        self, id: str, name: str, arguments: Mapping[str, Any] | str | None = None, *, choice: int = 0
    ) -> None:
        """Add a tool call, which ends the one before it.

        Args:
            id: Id of the call.
            name: Name of the tool.
            arguments: All arguments, or their JSON text; None if they follow in pieces, with `add_arguments`.
            choice: Number of the choice.
        """
        self._end_call(choice)
        self._finished.setdefault(choice, False)
        index = self._calls.get(choice, 0)
        self._calls[choice] = index + 1
        if arguments is not None:
            if not isinstance(arguments, str):
                arguments = exact_part(arguments, self._value, self._data)
            self._events += whole_tool_call(index, id, name, arguments, choice=choice)
            return
        self._open[choice] = index
        self._events.append(ToolCallStart(index, id, name, choice))

    def add_arguments(self, text: str, *, choice: int = 0) -> None:
        """Add a piece of the JSON text of the arguments of the last tool call.

        Raises:
            MalformedResponseError: There is no tool call whose arguments are open.
        """
        index = self._open.get(choice)
        if index is None:
            raise MalformedResponseError("the service sent arguments without a tool call")
        self._events.append(ToolCallDelta(index, text, choice))

    def add_usage(
        self,
        input_tokens: int | None,
        output_tokens: int | None,
        *,
        cached_input_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        raw: Any = None,
    ) -> None:
        """Add the token counts so far: totals, not increments. A count that the service does not report is None, not 0.

        Args:
            input_tokens: All input, including what came from a cache.
            output_tokens: All output, including thinking.
            cached_input_tokens: The part of the input that came from a cache.
            cache_write_tokens: The part of the input that was written to a cache.
            reasoning_tokens: The part of the output that is thinking.
            raw: The service's own object.
        """
        counts = Usage(input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens)
        self._events.append(UsageUpdate(counts, raw))

    def add_finish(self, reason: str | None, *, choice: int = 0, detail: Any = None) -> None:
        """Add the end of a choice.

        Args:
            reason: The service's own word.
            choice: Number of the choice.
            detail: More that the service says of it: the stop sequence, verdicts of a filter.
        """
        self._end_call(choice)
        self._finished[choice] = True
        self._events.append(Finish(self._reasons.get(reason or "", "other"), choice, reason, detail))

    def add_raw(self, kind: str, data: Any) -> None:
        """Add an object of an unknown kind: services add events without notice."""
        self._events.append(RawEvent(kind, data))

    def fail(self, data: Any, *, status: int | None = None) -> NoReturn:
        """Raise an error that came inside the answer; `jackfield_error` gets it as a `Failure`.

        Args:
            data: The service's own object.
            status: The HTTP status that belongs to it, if the service says so.
        """
        raise FailureInStream(Failure(status=status, data=data))

    def _end_call(self, choice: int) -> None:
        index = self._open.pop(choice, None)
        if index is not None:
            self._events.append(ToolCallEnd(index, choice))


show_in("jackfield.plugin", EventDecoder)
