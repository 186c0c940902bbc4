"""Transports for the official clients that hand each request to a surface in this process."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Iterator, Mapping
from types import ModuleType
from typing import Any

from jackfield import Mesh

from ._loop_thread import LoopThread, OtherLoop
from ._served import Served
from ._serving import serve
from ._surface import Surfaces

__all__ = ["async_transport", "http_module", "sync_transport"]


def http_module(client: type) -> ModuleType:
    """Return the HTTP library whose client an SDK's default client is: httpx2, or httpx before it."""
    for one in client.__mro__:
        if one.__name__ in ("AsyncClient", "Client"):
            return importlib.import_module(one.__module__.partition(".")[0])
    msg = f"{client!r} is not a client of httpx"
    raise TypeError(msg)


def _limits_of(request: Any) -> Mapping[str, float] | None:
    """Return the limits that a request has: how long nothing may come."""
    read = (request.extensions.get("timeout") or {}).get("read")
    return None if read is None else {"first_event": read, "idle": read}


async def _serve(mesh: Mesh, request: Any, body: bytes, surfaces: Surfaces) -> Served:
    return await serve(
        mesh,
        request.method,
        request.url.raw_path.partition(b"?")[0].decode(),
        dict(request.headers),
        body,
        query=dict(request.url.params),
        surfaces=surfaces,
        trusted=True,
        timeout=_limits_of(request),
    )


def async_transport(http: ModuleType, mesh: Mesh, surfaces: Surfaces) -> Any:
    """Return an async transport.

    Args:
        http: The SDK's HTTP library.
        mesh: The mesh, which must be open when a request comes.
        surfaces: The surfaces.
    """

    class Bytes(http.AsyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, pieces: Any) -> None:
            self._pieces = pieces

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in self._pieces:
                yield piece

        async def aclose(self) -> None:
            await self._pieces.aclose()

    class Transport(http.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            served = await _serve(mesh, request, await request.aread(), surfaces)
            if isinstance(served.body, bytes):
                return http.Response(served.status, headers=served.headers, content=served.body)
            return http.Response(served.status, headers=served.headers, stream=Bytes(served.body))

    return Transport()


def sync_transport(http: ModuleType, mesh: Mesh, surfaces: Surfaces, loop: LoopThread | OtherLoop) -> Any:
    """Return a sync transport, whose requests run in an event loop.

    Args:
        http: The SDK's HTTP library.
        mesh: The mesh.
        surfaces: The surfaces.
        loop: Where they run.
    """

    class Bytes(http.SyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, pieces: Any) -> None:
            self._pieces = pieces

        def __iter__(self) -> Iterator[bytes]:
            while True:
                piece = loop.run(_next(self._pieces))
                if piece is None:
                    return
                yield piece

        def close(self) -> None:
            loop.run(self._pieces.aclose())

    class Transport(http.BaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            served = loop.run(_serve(mesh, request, request.read(), surfaces))
            if isinstance(served.body, bytes):
                return http.Response(served.status, headers=served.headers, content=served.body)
            return http.Response(served.status, headers=served.headers, stream=Bytes(served.body))

        def close(self) -> None:
            loop.close()

    return Transport()


async def _next(pieces: Any) -> bytes | None:
    """Return the next piece; None at the end, as `StopAsyncIteration` cannot leave a coroutine's future."""
    piece: bytes | None = await anext(pieces, None)
    return piece
