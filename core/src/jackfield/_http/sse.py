"""Cut server-sent events into frames, also what gateways and servers write between them that is not an event."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from jackfield._types.wire import Frame

__all__ = ["BYTE_ORDER_MARK", "Block", "SSEFramer"]

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_CACHED_NAMES: Final = 64
"""A bound against a service that makes up names."""
_MOST_STRAY: Final = 500
_LARGEST_BLOCK: Final = 1 << 17
_IGNORED: Final = frozenset({b"", b"id", b"retry"})
"""What a line begins with that means nothing here; a comment has the empty field name."""
_BEGINNINGS: Final = frozenset({b"{", b"[", b'"', b"<"})
_FIELD: Final = rb"[A-Za-z][A-Za-z0-9_-]*"


class Block(list[Any]):
    """Events of an answer in place of frames: what they were made of has been decoded already."""

    __slots__ = ()


class SSEFramer:
    """Cut a stream of server-sent events into frames.

    `Frame.data` is the event's data: several `data:` lines joined by newlines, one space after the colon
    taken off. `Frame.event` is the event's name, None where it has none. Lines may end in LF, CRLF or CR.

    Source: WHATWG HTML living standard, section 9.2 "Server-sent events". The departures, each because of what services,
    and gateways before them, do:

    * The last event counts without the blank line after it (at a clean end only).
    * An event whose data is empty or missing is a keep-alive, also one with a name, and is dropped; only an `error` is not.
    * `id:` and `retry:` mean nothing, because an answer of a model is never resumed by event id.
    * A field `error:` is an event named `error` (llama.cpp until September 2025).
    * Lines of JSON without a field, and a page, are events without a name: an error that a gateway adds to a stream, or a
      body that is not an event stream at all.

    Attributes:
        stray: Text that is not part of an event, since the last event; its beginning.
        is_open: The body ended without the blank line after its last event, which may thus have been cut.
        read_block: Reads several events together, if it can; None reads each by itself.
    """

    __slots__ = ("_after_return", "_begun", "_names", "_pending", "is_open", "read_block", "stray")

    def __init__(self) -> None:
        # What came since the last blank line. It grows in place, so that a huge event costs linear time and no more
        # memory than its size, also where it comes byte by byte.
        self._pending = bytearray()
        self._after_return = False
        self._begun = False
        self._names: dict[bytes, str] = {}
        self.stray = b""
        self.is_open = False
        self.read_block: Callable[[bytes], Sequence[object] | None] | None = None

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take the next bytes and return the events that they complete, a `Block` if `read_block` has read them."""
        if self._after_return or b"\r" in chunk:
            chunk = self._to_newlines(chunk)
        pending = self._pending
        end = chunk.rfind(b"\n\n") + 2
        if end < 2 and not (chunk[:1] == b"\n" and pending[-1:] == b"\n"):
            pending += chunk
            return []
        if pending:
            pending += chunk
            chunk = bytes(pending)
            pending.clear()
            end = chunk.rfind(b"\n\n") + 2
        if end < len(chunk):
            pending += chunk[end:]
            chunk = chunk[:end]
        if self.read_block is not None and len(chunk) <= _LARGEST_BLOCK:
            events = self.read_block(chunk)
            if events is not None:
                self.stray = b""
                return Block(events)
        return self._events(chunk)

    def close(self) -> list[Frame]:
        """Take the clean end of the body; an event that only lacks its blank line is delivered."""
        rest = bytes(self._pending)
        self._pending.clear()
        self.is_open = bool(rest.strip())
        return self._events(rest + b"\n\n") if rest else []

    def _to_newlines(self, chunk: bytes) -> bytes:
        """Replace CRLF and CR by LF, also where the network cut between the two bytes of a CRLF.

        A CR at the end of a chunk is a line's end at once, so that no event waits for the next chunk; the
        LF that may follow is then dropped.
        """
        if not chunk:
            return chunk
        if self._after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_return = chunk.endswith(b"\r")
        chunk = chunk.replace(b"\r\n\r\n", b"\n\n")  # usually all there is: half the replacements
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in chunk else chunk

    def _events(self, text: bytes) -> list[Frame]:
        """Read whole events; `text` has LF line ends only and ends with a blank line."""
        if not self._begun:
            self._begun = True
            text = text.removeprefix(BYTE_ORDER_MARK)
        # Fast path: nearly all bodies have one shape over and over: `data: {...}`, or a name before it. One split gives all
        # events, and one count of newlines proves that there was nothing else between them.
        if text.startswith(b"data: "):
            payloads = text[6:-2].split(b"\n\ndata: ")
            if text.count(b"\n") == 2 * len(payloads) and all(payloads):
                self.stray = b""
                return list(map(Frame, payloads))
        elif text.startswith(b"event: "):
            blocks = text[7:-2].split(b"\n\nevent: ")
            if text.count(b"\n") == 3 * len(blocks):
                pairs = [block.partition(b"\ndata: ") for block in blocks]
                if all(name and data for name, _, data in pairs):
                    self.stray = b""
                    return [Frame(data, self._name(name)) for name, _, data in pairs]
        return [frame for block in text.split(b"\n\n") for frame in self._read_event(block)]

    def _name(self, raw: bytes) -> str:
        """Decode an event's name; a stream has few, so each is decoded once."""
        name = self._names.get(raw)
        if name is None:
            name = raw.decode("utf-8", "replace")
            if len(self._names) < _CACHED_NAMES:
                self._names[raw] = name
        return name

    def _read_event(self, block: bytes) -> list[Frame]:
        """Read the lines between two blank ones: an event, errors and JSON beside it, or nothing."""
        name = b""
        data: list[bytes] = []
        errors: list[bytes] = []
        bare: list[bytes] = []
        stray = b""
        for line in block.split(b"\n"):
            field, colon, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" "))
            elif field == b"event":
                name = value.removeprefix(b" ")
            elif field in _IGNORED:
                pass
            elif field.lower() == b"error":
                errors.append(value.strip())
            elif bare or line.lstrip()[:1] in _BEGINNINGS:
                bare.append(line.strip())
            elif not (colon and re.fullmatch(_FIELD, field)):
                stray += line + b"\n"
        if not (data or errors or bare or name == b"error"):
            self.stray = (self.stray + stray)[:_MOST_STRAY]
            return []
        self.stray = stray[:_MOST_STRAY]
        frames = []
        joined = b"\n".join(data)
        if joined or name == b"error":
            frames.append(Frame(joined, self._name(name) if name else None))
        frames += [Frame(error, "error") for error in errors]
        return frames + _bare_frames(bare)


def _bare_frames(lines: list[bytes]) -> list[Frame]:
    """Return lines of JSON as one frame, or as one each if each is an object; a page is one frame."""
    if len(lines) > 1 and all(line[:1] == b"{" and line[-1:] == b"}" for line in lines):
        return [Frame(line) for line in lines]
    return [Frame(b"\n".join(lines))] if lines else []
