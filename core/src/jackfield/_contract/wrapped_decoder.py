"""Decode with the decoder of another dialect, and change what comes of it."""

from __future__ import annotations

from jackfield._faces import show_in
from jackfield._types.events import Event
from jackfield._types.wire import Frame, Head

from .protocols import Decoder

__all__ = ["WrappedDecoder"]


class WrappedDecoder:
    """A decoder around another one: subclass it, and override what differs.

    It says of the end of the answer what the inner decoder says (`ended`, `is_whole`, `lacks_end`), which a wrapper of one's
    own must not forget.

    Args:
        inner: The decoder of the dialect.
    """

    def __init__(self, inner: Decoder) -> None:
        self._inner = inner

    @property
    def ended(self) -> bool:
        """Whether the end marker has come."""
        return bool(getattr(self._inner, "ended", False))

    @property
    def is_whole(self) -> bool:
        """Whether each choice has its finish reason."""
        return bool(getattr(self._inner, "is_whole", False))

    @property
    def lacks_end(self) -> bool:
        """Whether the service ended its stream and not its answer."""
        return bool(getattr(self._inner, "lacks_end", False))

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        return self._inner.start(head)

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one frame."""
        return self._inner.feed(frame)

    def finish(self) -> list[Event]:
        """Handle the clean end of the body."""
        return self._inner.finish()


show_in("jackfield.plugin", WrappedDecoder)
