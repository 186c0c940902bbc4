"""Write a streamed answer: what comes together goes out together, and silence is filled."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from aiohttp import web

from jackfield import Reply, Stream
from jackfield_surfaces import Encoder

__all__ = ["StreamWriter"]

_HEADERS: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",  # nginx would hold the events back
}


class StreamWriter:
    """Writes the events of one answer to one client.

    A slow client holds up the reading of the service's answer: `write` waits until its buffer has room.

    Args:
        request: The client's request.
        encoder: Turns events into the surface's bytes.
        keep_alive: Seconds of silence after which a line goes out that clients skip.
    """

    def __init__(self, request: web.BaseRequest, encoder: Encoder, keep_alive: float) -> None:
        self._request = request
        self._encoder = encoder
        self._keep_alive = keep_alive
        self._response = web.StreamResponse(headers=_HEADERS)
        self._last = asyncio.get_running_loop().time()
        self._timer: asyncio.TimerHandle | None = None
        self._filling: asyncio.Task[None] | None = None
        self._writing = False

    async def start(self, head: Reply, headers: Mapping[str, str]) -> web.StreamResponse:
        """Send the head of the answer.

        Args:
            head: The reply as it is before its first event.
            headers: Headers of the answer.
        """
        self._response.headers.update(headers)
        await self._response.prepare(self._request)
        await self._write(self._encoder.start(head))
        return self._response

    async def copy(self, stream: Stream) -> None:
        """Write every event until the stream ends."""
        self._watch()
        try:
            async for event in stream:
                pieces = self._encoder.feed(event)
                for more in stream.ready():  # what came together goes out together
                    pieces += self._encoder.feed(more)
                await self._write(pieces)
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _watch(self) -> None:
        """Look again when the longest silence that is allowed from now on has passed."""
        loop = asyncio.get_running_loop()
        due = self._last + self._keep_alive
        if loop.time() >= due:
            self._last = loop.time()
            due = self._last + self._keep_alive
            if not self._writing:
                self._filling = loop.create_task(self._fill_silence())
        self._timer = loop.call_at(due, self._watch)

    async def _fill_silence(self) -> None:
        with suppress(ConnectionError):  # whoever writes the next event is told of it
            await self._write(self._encoder.keep_alive())

    async def finish(self, end: list[bytes]) -> None:
        """Write the end of the answer."""
        await self._write(end)
        await self._response.write_eof()

    async def fail(self, error: BaseException) -> None:
        """Write an error in the middle of an answer."""
        await self._write(self._encoder.fail(error))
        await self._response.write_eof()

    async def _write(self, pieces: list[bytes]) -> None:
        if not pieces:
            return
        self._writing = True
        try:
            await self._response.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        finally:
            self._writing = False
            self._last = asyncio.get_running_loop().time()
