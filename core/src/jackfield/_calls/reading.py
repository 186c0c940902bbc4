"""Decode the frames of one response, and see to what holds for every decoder: ends, types of values, half characters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from jackfield._contract.protocols import Decoder
from jackfield._json import Halves
from jackfield._types.errors import MalformedResponseError, StreamInterruptedError
from jackfield._types.events import Event, Finish, TextDelta
from jackfield._types.failures import Failure
from jackfield._types.wire import Frame, Head, Headers

from .soundness import EventChecker

if TYPE_CHECKING:
    from .halves import HalfJoiner

__all__ = ["FrameReader", "corrected", "find_failure", "is_cut_json", "is_event_stream"]

_SHOWN = 200
_BLOCKS = frozenset({int, type(None)})
_LONGEST_FAILURE = 100_000
_JSON = "application/json"
_IS_JSON = rb"(?:\xef\xbb\xbf)?\s*[{\[]"
_FIELD_OF_EVENT = rb"(?:\xef\xbb\xbf)?\s*(?:(?:data|event|id|retry|error):|:)"


class FrameReader:
    """Decode the frames of one response into events.

    Whatever the decoder raises is passed on; the events that came before are in `events`.

    Attributes:
        events: All events so far.
        has_begun: `start` was called.
        has_frames: A frame has come.
        ended: The decoder says that the answer has ended, though the body may not have: what follows is not decoded.
        frame: The frame that was decoded last.
        lacks_end: The decoder accepts that the answer's own end is missing.
    """

    __slots__ = (
        "_checker",
        "_decoder",
        "_joiner",
        "_kept",
        "_tells_end",
        "ended",
        "events",
        "frame",
        "has_begun",
        "has_frames",
        "lacks_end",
    )

    def __init__(self, decoder: Decoder, events: list[Event]) -> None:
        self._decoder = decoder
        self._checker = EventChecker()
        self._joiner: HalfJoiner | None = None
        self._kept = Halves.kept
        self._tells_end = hasattr(decoder, "ended")
        self.events = events
        self.has_begun = False
        self.has_frames = False
        self.ended = False
        self.frame: Frame | None = None
        self.lacks_end = False

    @property
    def is_whole(self) -> bool:
        """Whether the decoder says that nothing of the answer can be missing, though its end has not come."""
        return bool(getattr(self._decoder, "is_whole", False))

    def start(self, head: Head) -> None:
        """Let the decoder handle the head."""
        self.has_begun = True
        self.events += self._decoder.start(head)

    def feed(self, batch: Sequence[Frame]) -> None:
        """Decode the frames of one network read.

        Raises:
            MalformedResponseError: A text is of another type; the events before it are in `events`.
        """
        events, decoder = self.events, self._decoder
        before = len(events)
        feed = decoder.feed
        frame = None
        self.has_frames = True
        try:
            if self._tells_end:
                for frame in batch:
                    events += feed(frame)
                    if decoder.ended:  # type: ignore[attr-defined]  # optional, and looked for
                        self.ended = True
                        break
            else:
                for frame in batch:
                    events += feed(frame)
        finally:
            self.frame = frame
            fault = None
            for event in events[before:]:
                if not (
                    event.__class__ is TextDelta
                    and event.text.__class__ is str
                    and event.choice.__class__ is int
                    and event.block.__class__ in _BLOCKS
                ):
                    fault = self._checker.check(events, before)
                    break
            if Halves.kept != self._kept:  # a half has come: from now on, events are looked at
                events[before:] = self._find_joiner().join(events[before:])
            if fault is not None:
                raise MalformedResponseError(fault, body=None if frame is None else _body_of(frame))

    def take(self, block: Sequence[Any]) -> None:
        """Take events that the decoder has read together."""
        self.events += block

    def _find_joiner(self) -> HalfJoiner:
        if self._joiner is None:
            from .halves import HalfJoiner  # hardly any answer has half a character

            self._joiner = HalfJoiner()
        return self._joiner

    def finish(self, stray: bytes = b"") -> None:
        """Let the decoder handle the end.

        Args:
            stray: Text at the end of an event stream that is not part of an event.

        Raises:
            MalformedResponseError: Such text is all that came.
            StreamInterruptedError: The answer's end is missing, in the decoder's words, or it ends in such text.
        """
        try:
            ending = self._decoder.finish()
        except StreamInterruptedError as error:
            if not stray:
                raise
            if not self.has_frames:
                raise MalformedResponseError(
                    f"the service sent no events, but {_show(stray)}", body=stray
                ) from error
            error.message += f"; the last that came is {_show(stray)}"
            error.args = (error.message,)
            raise
        if stray and not self.ended and any(type(event) is Finish and event.raw is None for event in ending):
            # A decoder that takes any clean end for the answer's must not take an error of a gateway for it.
            raise StreamInterruptedError(
                f"the stream ended in something that is not an event: {_show(stray)}"
            )
        fault = self._checker.check(ending, 0) if ending else None
        if Halves.kept != self._kept:
            joiner = self._find_joiner()
            ending = joiner.join(ending) + joiner.flush()
        self.lacks_end = getattr(self._decoder, "lacks_end", False)
        self.events += ending
        if fault is not None:
            raise MalformedResponseError(fault)


def find_failure(data: object) -> Failure | None:
    """Return the failure that an answer with a good status holds in place of what its decoder looks for.

    Args:
        data: The answer's body, or the last event of its stream.
    """
    if not isinstance(data, bytes | bytearray | memoryview | str) or len(data) > _LONGEST_FAILURE:
        return None
    from jackfield._json import read_json
    from jackfield._types.error_bodies import is_error_body

    try:
        value = read_json(data)
    except ValueError:
        return None
    if not is_error_body(value, refused=True):
        return None
    body = data.encode("utf-8", "replace") if isinstance(data, str) else bytes(data)
    return Failure(body=body, in_stream=True, data=value)


def is_event_stream(data: object) -> bool:
    """Return whether a body begins as an event stream does: no JSON and no page does."""
    return (
        isinstance(data, bytes) and not data.startswith(b"{") and re.match(_FIELD_OF_EVENT, data) is not None
    )


def is_cut_json(data: object) -> bool:
    """Return whether data is JSON of which the end is missing."""
    from jackfield._json import read_json

    if not isinstance(data, bytes) or not data.lstrip().startswith((b"{", b"[")):
        return False
    try:
        read_json(data)
    except ValueError:
        return True
    return False


def corrected(head: Head, content_type: str | None, body: bytes | None = None) -> Head:
    """Return a head with the content type that the body shows.

    Args:
        head: The head.
        content_type: What the body showed while it was cut into frames; None shows nothing.
        body: A whole body: JSON is no page, whatever its label.
    """
    told = head.headers.get("content-type", "")
    if content_type is None and body is not None:
        content_type = _JSON if told.lower().startswith("text/html") and re.match(_IS_JSON, body) else None
    if content_type is None or told.partition(";")[0].strip().lower() == content_type:
        return head
    others = [(name, value) for name, value in head.headers.items() if name.lower() != "content-type"]
    return attrs.evolve(head, headers=Headers([*others, ("content-type", content_type)]))


def _body_of(frame: Frame) -> bytes | None:
    return bytes(frame.data) if isinstance(frame.data, bytes | bytearray | memoryview) else None


def _show(stray: bytes) -> str:
    return repr(stray.strip()[:_SHOWN].decode("utf-8", "replace"))
