"""Write the AWS event stream encoding, for fakes of the services that answer in it."""

from __future__ import annotations

import datetime as dt
import struct
import uuid
import zlib
from collections.abc import Mapping

__all__ = ["encode_aws_event"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
_INTEGERS = ((2, ">b", 8), (3, ">h", 16), (4, ">i", 32), (5, ">q", 64))


def encode_aws_event(headers: Mapping[str, object], payload: bytes = b"") -> bytes:
    """Encode one message of an AWS event stream, checksums included.

    The value types are chosen from the Python ones: bool, int (the smallest of 8, 16, 32 and 64 bits that
    holds it), bytes, str, aware `datetime` (milliseconds), `uuid.UUID`.

    Args:
        headers: In order; names of at most 255 bytes. Real services send at least `:message-type` (`event`,
            `exception` or `error`) and `:event-type` or `:exception-type`.
        payload: The message's payload.

    Raises:
        TypeError: A header's value has none of the types above.
        struct.error: A name or value is longer than the encoding can say.

    Source: AWS, "Event stream encoding" (Smithy's `application/vnd.amazon.eventstream` specification).
    """
    block = b"".join(_encode_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _encode_header(name: str, value: object) -> bytes:
    raw_name = name.encode()
    return struct.pack(">B", len(raw_name)) + raw_name + _encode_value(value)


def _encode_value(value: object) -> bytes:
    if isinstance(value, bool):
        return b"\x00" if value else b"\x01"
    if isinstance(value, int):
        bits = value.bit_length() if value >= 0 else (~value).bit_length()
        kind, packing = next(((k, p) for k, p, size in _INTEGERS if bits < size), (5, ">q"))
        return struct.pack(">B", kind) + struct.pack(packing, value)
    if isinstance(value, bytes):
        return b"\x06" + struct.pack(">H", len(value)) + value
    if isinstance(value, str):
        raw = value.encode()
        return b"\x07" + struct.pack(">H", len(raw)) + raw
    if isinstance(value, dt.datetime):
        return b"\x08" + struct.pack(">q", (value - _EPOCH) // _MILLISECOND)
    if isinstance(value, uuid.UUID):
        return b"\x09" + value.bytes
    raise TypeError(f"no header type for {value!r}: give a bool, int, bytes, str, datetime or UUID")
