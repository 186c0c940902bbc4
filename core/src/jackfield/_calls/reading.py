"""Decode the frames of one response, and see to what holds for every decoder: where an answer ends, and half characters."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from jackfield._contract.protocols import Decoder
from jackfield._types.errors import MalformedResponseError, StreamInterruptedError
from jackfield._types.events import Event, Finish
from jackfield._types.wire import Frame, Head, Headers

from .halves import HalfJoiner

__all__ = ["FrameReader", "corrected"]

_SHOWN = 200


class FrameReader:
    """Decode the frames of one response into events.

    Whatever the decoder raises is passed on; the events that came before are in `events`.

    Attributes:
        events: All events so far.
        has_begun: `start` was called.
        has_frames: A frame has come.
        ended: The decoder says that the answer has ended, though the body may not have: what follows is not decoded.
        frame: The frame that was decoded last.
    """

    __slots__ = ("_decoder", "_joiner", "_tells_end", "ended", "events", "frame", "has_begun", "has_frames")

    def __init__(self, decoder: Decoder, events: list[Event]) -> None:
        self._decoder = decoder
        self._joiner = HalfJoiner()
        self._tells_end = hasattr(decoder, "ended")
        self.events = events
        self.has_begun = False
        self.has_frames = False
        self.ended = False
        self.frame: Frame | None = None

    def start(self, head: Head) -> None:
        """Let the decoder handle the head."""
        self.has_begun = True
        self.events += self._decoder.start(head)

    def feed(self, batch: Sequence[Frame]) -> None:
        """Decode the frames of one network read."""
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
            if self._joiner.is_needed:
                events[before:] = self._joiner.join(events[before:])

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
        if self._joiner.is_needed:
            ending = self._joiner.join(ending) + self._joiner.flush()
        self.events += ending


def corrected(head: Head, content_type: str | None) -> Head:
    """Return a head with the content type that the body shows; None shows nothing."""
    told = head.headers.get("content-type", "")
    if content_type is None or told.partition(";")[0].strip().lower() == content_type:
        return head
    others = [(name, value) for name, value in head.headers.items() if name.lower() != "content-type"]
    return attrs.evolve(head, headers=Headers([*others, ("content-type", content_type)]))


def _show(stray: bytes) -> str:
    return repr(stray.strip()[:_SHOWN].decode("utf-8", "replace"))
