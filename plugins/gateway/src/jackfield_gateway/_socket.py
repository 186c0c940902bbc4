"""Responses over a WebSocket: requests as frames, one after the other, and a conversation that lives with the connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

from jackfield_surfaces import Surface, SurfaceError, parse_body

from ._exchange import new_request_id
from ._keys import Key, key_in
from ._serve import STATE, find_refusal, refuse
from ._state import State
from ._tracing import in_trace_of
from ._turns import Turns, error_frame

__all__ = ["SOCKETS", "answer_socket", "close_sockets"]

logger = logging.getLogger("jackfield.gateway")

SOCKETS: Final = web.AppKey("sockets", set[web.WebSocketResponse])

_SURFACE: Final = "openai.responses"
_LIFETIME: Final = 3600.0
_IDLE: Final = 900.0
_HEARTBEAT: Final = 30.0
"""Seconds between two pings; a connection whose other side has gone without a word is noticed by them."""
_WAITING: Final = 8
"""Most requests that wait while one is answered."""
_CREATE: Final = "response.create"


async def answer_socket(request: web.Request) -> web.StreamResponse:
    """Serve a WebSocket, or refuse the upgrade with 426: after another status clients try again for seconds."""
    state = request.app[STATE]
    surface = state.surface(_SURFACE, "")
    request_id = new_request_id(request.headers)
    key, why = state.find_key(key_in(request.headers))
    if key is None:
        state.metrics.refuse("key")
        return refuse(surface, SurfaceError(why, kind="invalid_api_key", status=401), request_id)
    refusal = find_refusal(state)
    if refusal is not None:
        return refuse(surface, refusal, request_id)
    socket = web.WebSocketResponse(
        heartbeat=_HEARTBEAT, compress=False, max_msg_size=state.settings.most_bytes, timeout=2.0
    )
    if not socket.can_prepare(request).ok:
        return _refuse_upgrade(surface, request_id)
    socket.headers["x-request-id"] = request_id
    await socket.prepare(request)
    sockets = request.app[SOCKETS]
    sockets.add(socket)
    try:
        with in_trace_of(request.headers):
            await _Connection(state, socket, key, request.headers).run()
    finally:
        sockets.discard(socket)
    return socket


def _refuse_upgrade(surface: Surface, request_id: str) -> web.Response:
    error = SurfaceError(
        "GET /v1/responses takes a WebSocket of version 13; send requests with POST otherwise",
        kind="websocket_not_supported",
        status=426,
    )
    answer = refuse(surface, error, request_id, {"sec-websocket-version": "13"})
    answer.headers["connection"] = "close"
    return answer


async def close_sockets(app: web.Application) -> None:
    """Close every connection on which nothing runs any more, when the gateway stops."""
    sockets = app[SOCKETS]
    closing = [socket.close(code=WSCloseCode.GOING_AWAY, message=b"the gateway stops") for socket in sockets]
    await asyncio.gather(*closing, return_exceptions=True)


class _Connection:
    """One connection.

    Args:
        state: The gateway's state.
        socket: The WebSocket, open.
        key: Who opened it.
        headers: The headers of the upgrade.
    """

    def __init__(
        self, state: State, socket: web.WebSocketResponse, key: Key, headers: Mapping[str, str]
    ) -> None:
        self._state = state
        self._socket = socket
        self._key = key
        self._headers = headers
        self._turns = Turns(state, headers, self.send)
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._busy = False
        self._ends_at = asyncio.get_running_loop().time() + _LIFETIME

    async def run(self) -> None:
        """Serve until either side closes the connection. A client that leaves cancels what runs."""
        worker = asyncio.create_task(self._work())
        try:
            await self._read()
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)

    async def send(self, data: bytes) -> None:
        """Send a frame; waits until a slow client has room."""
        await self._socket.send_frame(data, WSMsgType.TEXT)

    async def _read(self) -> None:
        """Read frames until the connection ends."""
        while not self._socket.closed:
            try:
                async with asyncio.timeout(self._patience()):
                    message = await self._socket.receive()
            except TimeoutError:
                if self._busy:
                    continue
                await self._end()
                return
            if message.type is WSMsgType.TEXT:
                await self._take(message.data)
            elif message.type is WSMsgType.BINARY:
                await self._tell(SurfaceError("a frame must be text that holds a JSON object"))
            else:
                return

    def _patience(self) -> float:
        left = self._ends_at - asyncio.get_running_loop().time()
        return max(min(_IDLE, left), 1.0)

    async def _take(self, text: str) -> None:
        if self._waiting.qsize() >= _WAITING:
            error = SurfaceError(
                f"{_WAITING} requests wait already on this connection; wait for their answers",
                kind="too_many_requests",
                status=429,
            )
            await self._tell(error)
            return
        self._busy = True
        self._waiting.put_nowait(text)

    async def _work(self) -> None:
        """Answer one request after the other."""
        try:
            while True:
                text = await self._waiting.get()
                if await self._answer(text) is False:
                    return
                self._busy = not self._waiting.empty()
        except ConnectionError:
            pass  # the client has gone, which the reader notices too
        except Exception:
            logger.exception("a WebSocket failed")
            with suppress(ConnectionError):
                await self._socket.close(code=WSCloseCode.INTERNAL_ERROR)

    async def _answer(self, text: str) -> bool:
        """Answer a frame; return whether the connection goes on."""
        if asyncio.get_running_loop().time() >= self._ends_at:
            await self._end()
            return False
        state = self._state
        key, why = state.find_key(key_in(self._headers))  # it may have been blocked since
        if key is None:
            state.metrics.refuse("key")
            await self._tell(SurfaceError(why, kind="invalid_api_key", status=401))
            await self._socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"the key is refused")
            return False
        try:
            refusal = find_refusal(state)
            if refusal is not None:
                raise refusal
            content = dict(parse_body(text.encode("utf-8", "surrogatepass")))
            kind = content.pop("type", None)
            if kind != _CREATE:
                raise SurfaceError(
                    f"frames of the type {kind!r} are not served: send {_CREATE!r}",
                    parameter="type",
                    kind="invalid_value",
                )
        except SurfaceError as error:
            await self._tell(error)
            return not state.draining
        await self._turns.answer(key, content)
        return True

    async def _end(self) -> None:
        """Close a connection that is idle or old."""
        if asyncio.get_running_loop().time() >= self._ends_at - 1:
            error = SurfaceError(
                f"a connection lasts {_LIFETIME / 60:g} minutes at most; connect again",
                kind="websocket_connection_limit_reached",
            )
            await self._tell(error)
        await self._socket.close(code=WSCloseCode.GOING_AWAY, message=b"idle")

    async def _tell(self, error: SurfaceError) -> None:
        await self.send(error_frame(self._state.surface(_SURFACE, self._key.owner), error))
