"""Read the body of a request: never more of it than is allowed, also after decompression."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Final

from jackfield_surfaces import SurfaceError

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["read_body"]

_SILENCE: Final = 30.0
"""Seconds without a byte after which a body is given up."""
_WHOLE: Final = 600.0
"""Seconds that a body may take, however it trickles."""
_GZIP: Final = 31
_ZLIB: Final = 15
_WINDOWS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}


async def read_body(request: web.BaseRequest, most: int) -> bytes:
    """Return the body of a request.

    aiohttp.web decompresses nothing here (`auto_decompress` is a client's option), so that is done under the same limit.

    Args:
        request: The request.
        most: Most bytes.

    Raises:
        SurfaceError: It is longer (413), does not come (408), or is encoded in another way (415).
    """
    if request.content_length is not None and request.content_length > most:
        raise _too_long(most)
    body = await _receive(request, most)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return body
    window = _WINDOWS.get(encoding)
    if window is None:
        raise SurfaceError(
            f"the body's content-encoding {encoding!r} is not supported; send it plain or with gzip",
            status=415,
        )
    return _decompress(body, window, most)


async def _receive(request: web.BaseRequest, most: int) -> bytes:
    """Read the body as it was sent; a client that says less and less is not waited for."""
    if request.content.is_eof():  # most come together with their head, and need no clock
        whole = request.content.read_nowait()
        if len(whole) > most:
            raise _too_long(most)
        return whole
    clock = asyncio.get_running_loop().time
    ends, body = clock() + _WHOLE, bytearray()
    try:
        async with asyncio.timeout(_SILENCE) as silence:
            async for piece in request.content.iter_chunked(1 << 16):
                body += piece
                if len(body) > most:
                    raise _too_long(most)
                silence.reschedule(min(clock() + _SILENCE, ends))
    except TimeoutError:
        raise SurfaceError(
            "the body of the request did not come in time", kind="request_timeout", status=408
        ) from None
    return bytes(body)


def _decompress(body: bytes, window: int, most: int) -> bytes:
    reader = zlib.decompressobj(window)
    try:
        plain = reader.decompress(body, most + 1)
    except zlib.error as error:
        raise SurfaceError(f"the body cannot be decompressed: {error}") from error
    if len(plain) > most:
        raise _too_long(most)
    if not reader.eof:
        raise SurfaceError("the body cannot be decompressed: it is cut")
    return plain


def _too_long(most: int) -> SurfaceError:
    return SurfaceError(f"the body is longer than {most} bytes, which is what this gateway takes", status=413)
