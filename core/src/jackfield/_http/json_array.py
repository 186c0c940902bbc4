"""A stream that a service sends as the elements of one JSON array."""

from __future__ import annotations

import enum
import re

from jackfield._types.wire import Frame

from .framer import FramingError, StrictFramer

__all__ = ["JSONArrayFramer"]

_NAME = "json_array"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
# All that cannot change the depth: whole strings, and everything else but brackets (and, for an element that is
# no object or array, the comma that ends it).
_NESTED = re.compile(rb'(?:[^"{}\[\]]+|' + _STRING + rb")*", re.DOTALL)
_FLAT = re.compile(rb'(?:[^"{}\[\],]+|' + _STRING + rb")*", re.DOTALL)
# What is left of a string that the network cut; ends before its quote, or before a lone backslash.
_STRING_REST = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)

_QUOTE, _BACKSLASH = b'"\\'
_OPENERS = b"[{"


class _State(enum.Enum):
    BEFORE = "before the array"
    VALUE = "before an element"
    INSIDE = "inside an element"
    AFTER = "after an element"
    END = "after the array"


class JSONArrayFramer(StrictFramer):
    """Return the elements of one top-level JSON array, each as soon as it is complete.

    `Frame.data` is the element's text. A body that is a single JSON object, such as an error, is one frame.
    Only what is needed to find the elements is checked: a fault inside one shows when it is parsed.

    Raises:
        FramingError: The body is neither an array nor an object, elements are not divided by commas, there
            is text after the end, or the body ended before its closing bracket.
    """

    def __init__(self) -> None:
        super().__init__()
        self._buffer = bytearray()
        self._dropped = 0  # bytes of the body that are no longer in the buffer
        self._at = 0  # everything before this is read, so no byte is looked at twice
        self._start = 0
        self._depth = 0
        self._floor = 0  # the depth of an element: 1 in an array, 0 for a single object
        self._state = _State.BEFORE
        self._first = True
        self._in_string = False

    def _advance(self, chunk: bytes, frames: list[Frame]) -> None:
        self._buffer += chunk
        while self._step(frames):
            pass
        done = self._start if self._state is _State.INSIDE else self._at
        del self._buffer[:done]
        self._dropped += done
        self._at -= done
        self._start -= done

    def _finish(self) -> list[Frame]:
        if self._state is _State.END:
            return []
        raise self._error(f"the body ended {self._state.value}" if self._dropped + self._at else "no body")

    def _step(self, frames: list[Frame]) -> bool:
        """Read on to the next change of state; False where that needs more bytes."""
        if self._state is _State.INSIDE:
            return self._cross_string() and self._cross_element(frames)
        if self._state is _State.BEFORE and not self._cross_mark():
            return False
        self._at = _end(_SPACE, self._buffer, self._at)
        if self._at == len(self._buffer):
            return False
        byte = self._buffer[self._at : self._at + 1]
        if self._state is _State.BEFORE:
            self._begin(byte)
        elif self._state is _State.VALUE:
            self._begin_value(byte)
        elif self._state is _State.AFTER and byte in b",]":
            self._at += 1
            self._state = _State.VALUE if byte == b"," else _State.END
        else:
            raise self._error(f"unexpected {bytes(byte)!r} {self._state.value}")
        return True

    def _cross_mark(self) -> bool:
        if self._at == 0 and self._dropped == 0 and self._buffer.startswith(_BYTE_ORDER_MARK):
            self._at = len(_BYTE_ORDER_MARK)
        # A cut mark is a reason to wait; one byte of it is enough to know.
        return not _BYTE_ORDER_MARK.startswith(self._buffer[self._at :]) or self._at > 0

    def _begin(self, byte: bytearray) -> None:
        if byte == b"[":
            self._floor = self._depth = 1
            self._at += 1
            self._state = _State.VALUE
        elif byte == b"{":
            self._start = self._at
            self._state = _State.INSIDE
        else:
            raise self._error(f"the body begins with {bytes(byte)!r}, not with an array or an object")

    def _begin_value(self, byte: bytearray) -> None:
        if byte == b"]" and self._first:
            self._at += 1
            self._state = _State.END
        elif byte in b",]}":
            raise self._error(f"unexpected {bytes(byte)!r} {self._state.value}")
        else:
            self._first = False
            self._start = self._at
            self._state = _State.INSIDE

    def _cross_string(self) -> bool:
        """Leave the string that an earlier chunk ended in, if any."""
        if not self._in_string:
            return True
        self._at = _end(_STRING_REST, self._buffer, self._at)
        if self._at == len(self._buffer) or self._buffer[self._at] == _BACKSLASH:
            return False
        self._at += 1
        self._in_string = False
        return True

    def _cross_element(self, frames: list[Frame]) -> bool:
        buffer, at, depth, floor = self._buffer, self._at, self._depth, self._floor
        size = len(buffer)
        while True:
            at = _end(_NESTED if depth > floor else _FLAT, buffer, at)
            if at == size or buffer[at] == _QUOTE:
                # The element goes on, and if it was a quote, inside a string that is not complete.
                self._in_string = at < size
                self._at = at + self._in_string
                self._depth = depth
                return self._in_string
            if buffer[at] in _OPENERS:
                depth += 1
                at += 1
                continue
            if depth > floor:
                depth -= 1
                at += 1
                if depth > floor:
                    continue
            self._at = at
            self._depth = depth
            self._state = _State.AFTER if floor else _State.END
            frames.append(Frame(bytes(buffer[self._start : at]).rstrip()))
            return True

    def _error(self, reason: str) -> FramingError:
        return FramingError(reason, self._dropped + self._at, _NAME)


def _end(pattern: re.Pattern[bytes], buffer: bytearray, at: int) -> int:
    found = pattern.match(buffer, at)
    return at if found is None else found.end()
