"""The AWS event stream encoding, read with both checksums verified.

Source: AWS, "Event stream encoding" (Amazon Transcribe developer guide and Smithy's
`application/vnd.amazon.eventstream` specification); botocore's `eventstream` module reads the same.
"""

from __future__ import annotations

import datetime as dt
import struct
import uuid
import zlib

from jackfield._types.wire import Frame

from .framer import FramingError, StrictFramer

__all__ = ["AWSEventStreamFramer"]

_NAME = "aws_eventstream"
_PRELUDE = struct.Struct(">III")  # total length, length of the headers, CRC32 of those eight bytes
_CHECKSUM = struct.Struct(">I")
_LENGTH = struct.Struct(">H")
_LONGEST = (24 << 20) + (128 << 10)
"""Most bytes of a message. Source: botocore's `eventstream`: 24 MiB of payload and 128 KiB of headers (1.44.5)."""
_OVERHEAD = _PRELUDE.size + _CHECKSUM.size
_INTEGERS = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EVENT_HEADERS = (":event-type", ":exception-type", ":error-code")

# Headers of one stream repeat; reading each distinct block once saves most of the work. The bound is against a
# service that puts something unique into each.
_CACHED_BLOCKS = 64


class AWSEventStreamFramer(StrictFramer):
    """Cut an AWS event stream into one frame a message.

    `Frame.data` is the payload, `Frame.headers` all headers of the message by name, `Frame.event` what the
    message is: its `:event-type`, else `:exception-type`, else `:error-code`.

    Header values are bool, int, bytes, str, aware `datetime` (UTC) or `uuid.UUID`.

    Raises:
        FramingError: A checksum or a length does not fit, a header cannot be read, or the body ended inside
            a message.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()
        self._needed = _PRELUDE.size  # nothing can be done before this many bytes are held
        self._offset = 0
        self._blocks: dict[bytes, tuple[str | None, dict[str, object]]] = {}

    def _advance(self, chunk: bytes, frames: list[Frame]) -> None:
        self._held += chunk
        if len(self._held) < self._needed:
            return
        data = bytes(self._held)
        at = 0
        while True:
            total = self._measure(data, at)
            self._needed = total or _PRELUDE.size
            if len(data) - at < self._needed:
                break
            frames.append(self._read(data, at, total))
            at += total
            self._offset += total
        self._held = bytearray(data[at:])

    def _measure(self, data: bytes, at: int) -> int:
        """Return the length of the message at `at`, 0 while its prelude is not here yet."""
        if len(data) - at < _PRELUDE.size:
            return 0
        total, headers, checksum = _PRELUDE.unpack_from(data, at)
        if zlib.crc32(data[at : at + 8]) != checksum:
            raise self._error("the checksum of a message's prelude does not fit", 0)
        if total < _OVERHEAD + headers:
            raise self._error(f"a message of {total} bytes claims {headers} bytes of headers", 0)
        if total > _LONGEST:  # at once: what is announced would be waited for
            raise self._error(f"a message announces {total} bytes; the most is {_LONGEST}", 0)
        return int(total)

    def _read(self, data: bytes, at: int, total: int) -> Frame:
        end = at + total - _CHECKSUM.size
        if zlib.crc32(data[at:end]) != _CHECKSUM.unpack_from(data, end)[0]:
            raise self._error("the checksum of a message does not fit", 0)
        body = at + _PRELUDE.size + int.from_bytes(data[at + 4 : at + 8], "big")
        block = data[at + _PRELUDE.size : body]
        known = self._blocks.get(block)
        if known is None:
            known = self._read_headers(block)
            if len(self._blocks) < _CACHED_BLOCKS:
                self._blocks[block] = known
        event, headers = known
        # A copy: frames are mutable, and what is read once is shared. A read-only view could not be pickled.
        return Frame(data[body:end], event, headers.copy())

    def _read_headers(self, block: bytes) -> tuple[str | None, dict[str, object]]:
        headers: dict[str, object] = {}
        at = 0
        try:
            while at < len(block):
                name = _take(block, at + 1, block[at]).decode()
                at += 1 + block[at]
                if name in headers:
                    raise ValueError(f"the header {name!r} stands twice")
                headers[name], at = _read_value(block, at)
        except (ValueError, IndexError, struct.error, OverflowError) as fault:
            raise self._error(f"a header cannot be read: {fault}", _PRELUDE.size + at) from fault
        event = next((value for key in _EVENT_HEADERS if isinstance(value := headers.get(key), str)), None)
        return event, headers

    def _finish(self) -> list[Frame]:
        held = len(self._held)
        if held:
            raise self._error(f"the body ended {held} bytes into a message", held)
        return []

    def _error(self, reason: str, into: int) -> FramingError:
        return FramingError(reason, self._offset + into, _NAME)


def _take(block: bytes, at: int, size: int) -> bytes:
    if at + size > len(block):
        raise ValueError("it is longer than the headers")
    return block[at : at + size]


def _read_value(block: bytes, at: int) -> tuple[object, int]:
    """Read the type byte and the value at `at`; give the value and where the next header begins."""
    kind = block[at]
    at += 1
    if kind in (0, 1):
        return kind == 0, at
    if kind in _INTEGERS:
        packing = _INTEGERS[kind]
        return packing.unpack_from(block, at)[0], at + packing.size
    if kind in (6, 7):
        size = _LENGTH.unpack_from(block, at)[0]
        raw = _take(block, at + _LENGTH.size, size)
        return (raw if kind == 6 else raw.decode()), at + _LENGTH.size + size
    if kind == 8:
        milliseconds = _INTEGERS[5].unpack_from(block, at)[0]
        return _EPOCH + dt.timedelta(milliseconds=milliseconds), at + 8
    if kind == 9:
        return uuid.UUID(bytes=_take(block, at, 16)), at + 16
    raise ValueError(f"unknown value type {kind}")
