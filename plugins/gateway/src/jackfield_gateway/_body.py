"""Read the body of a request: never more of it than is allowed, also after decompression."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from jackfield_surfaces import SurfaceError

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["read_body"]

_GZIP: Final = 31
_ZLIB: Final = 15
_WINDOWS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}


async def read_body(request: web.Request, most: int) -> bytes:
    """Return the body of a request.

    aiohttp.web decompresses nothing here (`auto_decompress` is a client's option), so that is done under the same limit.

    Args:
        request: The request.
        most: Most bytes.

    Raises:
        SurfaceError: It is longer (413), or encoded in another way (415).
    """
    if request.content_length is not None and request.content_length > most:
        raise _too_long(most)
    body = bytearray()
    async for piece in request.content.iter_chunked(1 << 16):
        body += piece
        if len(body) > most:
            raise _too_long(most)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return bytes(body)
    window = _WINDOWS.get(encoding)
    if window is None:
        raise SurfaceError(
            f"the body's content-encoding {encoding!r} is not supported; send it plain or with gzip",
            status=415,
        )
    return _decompress(bytes(body), window, most)


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
