"""An answer to a client, before a transport sends it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final, Protocol, runtime_checkable

import attrs

__all__ = ["JSON", "STREAM_HEADERS", "Pieces", "Served"]

JSON: Final = "application/json"
STREAM_HEADERS: Final[Mapping[str, str]] = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


@runtime_checkable
class Pieces(Protocol):
    """The bytes of a stream, piece by piece."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None:
        """Close the upstream at once; may be called twice."""


@attrs.frozen
class Served:
    """An answer to a client.

    Attributes:
        status: The HTTP status.
        headers: The headers, by names in lower case.
        body: The bytes, or a stream of them that must be read to its end or closed.
        error: What went wrong, if anything did before the answer began.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | Pieces
    error: BaseException | None = attrs.field(default=None, repr=False)
