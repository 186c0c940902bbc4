"""A loopback HTTP server that records what it is asked and answers what a test has written.

It speaks HTTP/1.1 by itself, over asyncio's protocols: a real server framework would not reset a connection,
end a chunked body early or promise more bytes than it sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import math
import re
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import attrs

from jackfield.testing._answers import Answer
from jackfield.testing._http_reader import RecordedRequest, RequestReader

__all__ = ["Disconnect", "RecordingServer", "Respond"]

Respond = Callable[[RecordedRequest], Answer | Awaitable[Answer]]
"""A function that answers a request."""

_BACKLOG = 2048
# On Linux a reset does not take back what the other side has received, but it does what is still on its way.
_BEFORE_RESET = 0.02


@attrs.frozen
class Disconnect:
    """A client that went before it had its whole answer.

    Attributes:
        request: What it had asked.
        chunks_sent: Chunks of the answer's body that were written before.
    """

    request: RecordedRequest
    chunks_sent: int


@attrs.define
class _Route:
    method: str
    pattern: str
    answer: Answer | Respond

    def matches(self, request: RecordedRequest) -> bool:
        subject = request.path_qs if "?" in self.pattern else request.path
        pattern = ".*".join(re.escape(piece) for piece in self.pattern.split("*"))
        return self.method in {"*", request.method} and re.fullmatch(pattern, subject) is not None


class RecordingServer:
    """Play a service over real loopback sockets.

    ```python
    async with RecordingServer() as server:
        server.answer(Answer.retry_after_seconds(0), Answer.json({"ok": True}))
        ...  # call server.url
        assert server.requests[0].json["model"] == "m"
    ```

    Answers come from the queue that `answer` fills; when it is empty, from the first fitting `route`; else it
    is 404 with a text that says so.

    Attributes:
        requests: All requests, in the order in which they were complete.
        disconnects: Clients that went before they had their whole answer. A client that closes an idle
            connection is none.
        connections: TCP connections accepted so far.
        open_connections: TCP connections open now.
    """

    def __init__(self) -> None:
        self.requests: list[RecordedRequest] = []
        self.disconnects: list[Disconnect] = []
        self.connections = 0
        self._queue: deque[Answer | Respond] = deque()
        self._routes: list[_Route] = []
        self._open: set[_Connection] = set()
        self._changed: asyncio.Event | None = None
        self._server: asyncio.Server | None = None
        self._url = ""

    async def __aenter__(self) -> Self:
        self._changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=_BACKLOG)
        host, port = self._server.sockets[0].getsockname()
        self._url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        tasks = [connection.abandon() for connection in list(self._open)]
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await self._until(lambda: not self._open, 1.0)
        await server.wait_closed()

    @property
    def url(self) -> str:
        """The server's address: scheme, host and port, without a slash at the end."""
        return self._url

    @property
    def open_connections(self) -> int:
        """TCP connections open now."""
        return len(self._open)

    def answer(self, *answers: Answer | Respond) -> None:
        """Queue answers for the next requests, whatever they ask; each answers one request."""
        self._queue.extend(answers)

    def route(self, method: str, path: str, answer: Answer | Respond) -> None:
        """Answer all requests that fit. Of two routes that fit, the first one set does it.

        Args:
            method: Such as `POST`; `*` fits all.
            path: The raw path, compared whole; `*` fits any text. With a `?` in it, compared with path and
                query.
            answer: An answer, or a function of the request, plain or async, that gives one.
        """
        self._routes.append(_Route(method, path, answer))

    async def wait_disconnected(self, timeout: float = 5.0, count: int = 1) -> Disconnect:
        """Wait until `count` clients have gone before they had their whole answer; give the last of them.

        Raises:
            TimeoutError: They have not, within `timeout` seconds.
        """
        await self._until(lambda: len(self.disconnects) >= count, timeout)
        return self.disconnects[count - 1]

    async def wait_requests(self, count: int = 1, timeout: float = 5.0) -> None:
        """Wait until `count` requests have come.

        Raises:
            TimeoutError: They have not, within `timeout` seconds.
        """
        await self._until(lambda: len(self.requests) >= count, timeout)

    async def wait_closed(self, timeout: float = 5.0) -> None:
        """Wait until no connection is open: the client has closed its pool.

        Raises:
            TimeoutError: One is still open after `timeout` seconds.
        """
        await self._until(lambda: not self._open, timeout)

    async def _until(self, condition: Callable[[], bool], timeout: float) -> None:
        if self._changed is None:
            raise RuntimeError("the server has not been started: use it in `async with`")
        async with asyncio.timeout(timeout):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed.set()

    # What connections tell and ask

    def opened(self, connection: _Connection) -> int:
        """Count a connection; give its number."""
        self._open.add(connection)
        self.connections += 1
        return self.connections

    def received(self, request: RecordedRequest) -> None:
        """Record a request."""
        self.requests.append(request)
        self._notify()

    def deserted(self, disconnect: Disconnect) -> None:
        """Record a client that went."""
        self.disconnects.append(disconnect)
        self._notify()

    def closed(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        self._notify()

    def scripted(self, request: RecordedRequest) -> Answer | Respond:
        """Return the answer that the test has scripted for this request."""
        if self._queue:
            return self._queue.popleft()
        for route in self._routes:
            if route.matches(request):
                return route.answer
        return Answer.text(
            f"RecordingServer: no answer is scripted for {request.method} {request.path_qs}", 404
        )


class _ClientGoneError(Exception):
    """Unwind an answer whose client has gone."""


class _Connection(asyncio.Protocol):
    """One TCP connection: its requests are answered one after the other."""

    def __init__(self, owner: RecordingServer) -> None:
        self._owner = owner
        self._requests: asyncio.Queue[RecordedRequest | None] = asyncio.Queue()  # None: no more will come
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone = asyncio.Event()
        self._sent = 0

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"not a stream transport: {transport!r}")
        self._transport = transport
        self._reader = RequestReader(self._owner.opened(self))
        # A chunk is a packet, as far as that is ours to say: tests of cut streams want to see the cuts.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_write_buffer_limits(high=0)  # so that "writable" means that all is written
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        try:
            requests = self._reader.feed(data)
        except ValueError:  # not HTTP
            self._transport.abort()
            return
        for request in requests:
            self._owner.received(request)
            self._requests.put_nowait(request)

    def eof_received(self) -> None:
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._requests.put_nowait(None)
        self._owner.closed(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _leave(self) -> None:
        self._gone.set()
        self._writable.set()  # who waits to write shall see that no one reads

    def abandon(self) -> asyncio.Task[None]:
        """Drop the connection, because the server ends."""
        self._transport.abort()
        self._task.cancel()
        return self._task

    # Answers

    async def _serve(self) -> None:
        while (request := await self._requests.get()) is not None:
            self._sent = 0
            try:
                answer = await self._choose(request)
                await self._play(answer, request)
            except _ClientGoneError:
                self._owner.deserted(Disconnect(request, self._sent))
                self._transport.close()
                return
            if answer.close or request.headers.get("connection", "").lower() == "close":
                self._transport.close()
            if self._transport.is_closing():
                return

    async def _choose(self, request: RecordedRequest) -> Answer:
        """Return the scripted answer; a function that fails is a 500 that names the error."""
        chosen = self._owner.scripted(request)
        if isinstance(chosen, Answer):
            return chosen
        try:
            made = chosen(request)
            return made if isinstance(made, Answer) else await self._unless_gone(made)
        except _ClientGoneError:
            raise
        except Exception as fault:  # the test's own code: its client is to see what happened
            return Answer.text(f"RecordingServer: the function for this request raised {fault!r}", 500)

    async def _unless_gone(self, making: Awaitable[Answer]) -> Answer:
        work = asyncio.ensure_future(making)
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise _ClientGoneError
            return work.result()
        finally:
            for task in (work, gone):
                task.cancel()

    async def _play(self, answer: Answer, request: RecordedRequest) -> None:
        await self._pause(answer.delay)
        if answer.hang_up:
            await self._reset() if answer.reset_after is not None else self._transport.close()
            return
        self._write(_head(answer))
        if request.method == "HEAD" or answer.status in {204, 304}:
            return
        for index, chunk in enumerate(answer.chunks):
            if await self._misbehaves(answer):
                return
            await self._pause(answer.interval if index else 0.0)
            self._write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if answer.streamed else chunk)
            self._sent += 1
            await self._writable.wait()
        if await self._misbehaves(answer):
            return
        if answer.streamed:
            self._write(b"0\r\n\r\n")

    async def _misbehaves(self, answer: Answer) -> bool:
        """Play the fault that stands at this place, if any; True where the connection is over."""
        if self._sent == answer.stall_after:
            await self._pause(math.inf)
        if self._sent == answer.reset_after:
            await self._reset()
            return True
        if self._sent == answer.truncate_after:
            self._transport.close()
            return True
        return False

    async def _pause(self, seconds: float) -> None:
        """Wait, at least for the others' turn; leave as soon as the client does."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                    await self._gone.wait()
        else:
            await asyncio.sleep(0)
        if self._gone.is_set():
            raise _ClientGoneError

    def _write(self, data: bytes) -> None:
        if self._gone.is_set():
            raise _ClientGoneError
        self._transport.write(data)

    async def _reset(self) -> None:
        await self._writable.wait()
        await asyncio.sleep(_BEFORE_RESET)
        linger_not_at_all = struct.pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger_not_at_all
        )
        self._transport.abort()


def _head(answer: Answer) -> bytes:
    try:
        phrase = http.HTTPStatus(answer.status).phrase
    except ValueError:  # 529 and its like
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {answer.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    if answer.streamed:
        lines.append("Transfer-Encoding: chunked")
    elif answer.status not in {204, 304}:
        length = len(answer.body) if answer.declared_length is None else answer.declared_length
        lines.append(f"Content-Length: {length}")
    if answer.close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
