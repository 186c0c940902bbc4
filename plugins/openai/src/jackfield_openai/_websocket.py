"""The Responses API over WebSockets: one socket carries one answer at a time, stays open, and serves the next call.

Source: OpenAI's guide to the WebSocket mode of Responses (2026) and its Python SDK 3.54.0: `response.create`, the events of
a stream, and at most 60 minutes for a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from jackfield import ConnectionFailedError, StreamInterruptedError
from jackfield.http import HttpTransport
from jackfield.plugin import Exchange, Frame, Head, Wire, read_json, write_json

if TYPE_CHECKING:
    import aiohttp

__all__ = ["WebSocketTransport"]

_OLDEST: Final = 55 * 60.0
"""Seconds after which a socket is not used again: the service closes it after 60 minutes."""
_LIMIT: Final = b"websocket_connection_limit_reached"
_REFUSES: Final = (1003, 1007, 1008, 1009)
"""Codes of closing that mean the message itself: its kind, its text, a policy, its size."""


class WebSocketTransport:
    """Carries chats over WebSockets.

    Args:
        http: Opens them.
    """

    def __init__(self, http: HttpTransport) -> None:
        self._http = http
        self._idle: list[_Socket] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    async def open(self) -> None:
        """Do nothing: sockets are opened when they are needed."""

    @asynccontextmanager
    async def exchange(self, wire: Wire) -> AsyncIterator[Exchange]:
        """Send a request; the frames are the events of its answer."""
        socket = await self._take(wire)
        if isinstance(socket, Head):
            yield Exchange(socket, _nothing())
            return
        answer = _Answer(self, wire, socket)
        try:
            await answer.send()
            yield Exchange(Head(None, socket.headers), answer)
        finally:
            self._put_back(answer)

    async def connect(self, wire: Wire) -> _Socket | Head:
        """Open a socket; return the head of an answer that is none."""
        head, socket = await self._http.connect_websocket(wire)
        return head if socket is None else _Socket(socket, head)

    async def _take(self, wire: Wire) -> _Socket | Head:
        """Return an idle socket: the one that carried the answer to be continued, else the last used; or open one."""
        wanted = wire.body.get("previous_response_id")
        while self._idle:
            known = next(
                (socket for socket in self._idle if wanted is not None and socket.answer == wanted), None
            )
            socket = known or self._idle[-1]
            self._idle.remove(socket)  # before anything is waited for: another call must not take it, too
            if await socket.wake():
                return socket
            self.close_later(socket)
        return await self.connect(wire)

    def _put_back(self, answer: _Answer) -> None:
        socket = answer.socket
        if answer.is_whole and not self._closed:
            socket.rest(answer.id)
            self._idle.append(socket)
        else:
            self.close_later(socket)

    def close_later(self, socket: _Socket) -> None:
        """Close a socket without waiting for the other side."""
        task = asyncio.get_running_loop().create_task(socket.aclose())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def aclose(self) -> None:
        """Close all sockets; may be called twice."""
        self._closed = True
        idle, self._idle = self._idle, []
        for socket in idle:
            self.close_later(socket)
        if self._leaving:
            await asyncio.wait(self._leaving)


class _Socket:
    """An open socket.

    Attributes:
        headers: Of the answer that opened it.
        answer: The id of the last answer that it carried, which the service knows there even if it does not keep it.
        was_used: It has carried an answer.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, head: Head) -> None:
        self._socket = socket
        self._opened_at = asyncio.get_running_loop().time()
        self._watch: asyncio.Task[Any] | None = None
        self.headers = head.headers
        self.answer: str | None = None
        self.was_used = False

    def rest(self, answer: str | None) -> None:
        """Wait for the next call, and meanwhile answer pings and see that the other side closes."""
        self.answer, self.was_used = answer, True
        self._watch = asyncio.get_running_loop().create_task(self._socket.receive())

    async def wake(self) -> bool:
        """Return whether the socket can carry another answer."""
        watch, self._watch = self._watch, None
        if watch is None or watch.done():  # closed, or told something that no call asked for
            return False
        await _stop(watch)
        return asyncio.get_running_loop().time() - self._opened_at < _OLDEST and not self._socket.closed

    async def send(self, text: str) -> None:
        """Send a message."""
        await self._socket.send_str(text)

    async def receive(self) -> aiohttp.WSMessage:
        """Return the next message."""
        return await self._socket.receive()

    @property
    def fault(self) -> tuple[int | None, str]:
        """The code with which it was closed, and the reason."""
        return self._socket.close_code, str(self._socket.exception() or "")

    async def aclose(self) -> None:
        """Close it."""
        watch, self._watch = self._watch, None
        if watch is not None:
            await _stop(watch)
        await self._socket.close()


class _Answer:
    """The events of one answer.

    Attributes:
        socket: The socket that carries it.
        id: The service's name for it.
        is_whole: It was read to its end, so the socket may carry the next.
    """

    def __init__(self, transport: WebSocketTransport, wire: Wire, socket: _Socket) -> None:
        self._transport = transport
        self._wire = wire
        self._text = write_json(wire.body).decode()
        self._begun = False
        self.socket = socket
        self.id: str | None = None
        self.is_whole = False

    def __aiter__(self) -> _Answer:
        return self

    async def send(self) -> None:
        """Send the request, on another socket if this one turns out to be closed."""
        try:
            await self.socket.send(self._text)
        except OSError as error:
            if not self.socket.was_used:
                raise ConnectionFailedError(
                    f"the WebSocket was closed before the request was sent: {error}"
                ) from error
            await self._reconnect()

    async def __anext__(self) -> Sequence[Frame]:
        from aiohttp import WSMsgType

        while True:
            message = await self.socket.receive()
            kind = message.type
            if kind is WSMsgType.TEXT or kind is WSMsgType.BINARY:
                data = message.data if isinstance(message.data, bytes) else message.data.encode()
                if self._begun or not (self.socket.was_used and _LIMIT in data[:1000]):
                    return (self._note(data),)
            elif self._begun or not self.socket.was_used:
                raise self._interrupted(str(getattr(message, "extra", None) or ""))
            # A socket that had served before was at its end: the service has not begun, so another one may carry it.
            await self._reconnect()

    def leave(self) -> None:
        """Handle that the answer was read to its end."""
        self.is_whole = True

    def _note(self, data: bytes) -> Frame:
        if not self._begun:
            self._begun = True
            self.id = _id_in(data)
        return Frame(data)

    async def _reconnect(self) -> None:
        self._transport.close_later(self.socket)
        found = await self._transport.connect(self._wire)
        if isinstance(found, Head):
            raise ConnectionFailedError(
                f"the service does not open another WebSocket (status {found.status})"
            )
        self.socket = found
        await self.socket.send(self._text)

    def _interrupted(self, reason: str) -> Exception:
        code, fault = self.socket.fault
        told = f"the service closed the WebSocket (code {code}{': ' if reason or fault else ''}{reason or fault})"
        if self._begun:
            return StreamInterruptedError(f"{told} before the answer had ended; ask again")
        return ConnectionFailedError(f"{told} before the answer began", retryable=code not in _REFUSES)


def _id_in(data: bytes) -> str | None:
    """Return the id of the response that an event is about; what is not such an event is left to the decoder."""
    try:
        response = read_json(data).get("response")
    except (ValueError, AttributeError):
        return None
    identity = response.get("id") if isinstance(response, dict) else None
    return identity if isinstance(identity, str) else None


async def _stop(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task


async def _nothing() -> AsyncIterator[Sequence[Frame]]:
    """Return the body of an answer that has none."""
    yield ()
