"""The protocol of framers, the fault they raise, and how faults wait for the frames before them."""

from __future__ import annotations

import abc
from typing import Protocol, runtime_checkable

from jackfield._types.wire import Frame

__all__ = ["Framer", "FramingError", "StrictFramer"]


class FramingError(ValueError):
    """A body does not keep to its framing.

    Attributes:
        reason: What is wrong, in words.
        offset: Bytes from the start of the framed data to the fault. Inside a nested framing this counts
            the inner data.
        framing: The framing's name as in `framer_for`.
    """

    def __init__(self, reason: str, offset: int, framing: str) -> None:
        super().__init__(reason, offset, framing)  # all arguments, so that it can be pickled
        self.reason = reason
        self.offset = offset
        self.framing = framing

    def __str__(self) -> str:
        return f"{self.framing}: {self.reason} (at byte {self.offset})"


@runtime_checkable
class Framer(Protocol):
    """Cut one body into frames, without doing any I/O.

    One framer reads one body. How the network cut the body never changes the frames.
    """

    def feed(self, chunk: bytes) -> list[Frame]:
        """Read the next bytes and return the frames that they complete.

        Raises:
            FramingError: The body does not keep to its framing. Frames that were complete before the fault
                are returned first: the fault is then raised by the next call.
        """

    def close(self) -> list[Frame]:
        """Handle the clean end of the body and return what is left.

        Not to be called for a body that was cut below HTTP: the caller knows that already.

        Raises:
            FramingError: The body ended inside a frame, or an earlier fault was waiting to be raised.
        """


class StrictFramer(abc.ABC):
    """Framer of a format in which a body can be wrong.

    Keeps the promise that frames before a fault are delivered before the fault is raised, wherever the
    network happened to cut the body.
    """

    def __init__(self) -> None:
        self._fault: FramingError | None = None

    def feed(self, chunk: bytes) -> list[Frame]:
        """Read the next bytes and return the frames that they complete."""
        if self._fault is not None:
            raise self._fault
        frames: list[Frame] = []
        try:
            self._advance(chunk, frames)
        except FramingError as fault:
            self._fault = fault
            if not frames:
                raise
        return frames

    def close(self) -> list[Frame]:
        """Handle the clean end of the body and return what is left."""
        if self._fault is not None:
            raise self._fault
        return self._finish()

    @abc.abstractmethod
    def _advance(self, chunk: bytes, frames: list[Frame]) -> None:
        """Read `chunk`, appending to `frames` what it completes."""

    @abc.abstractmethod
    def _finish(self) -> list[Frame]:
        """Return what the clean end of the body completes."""
