"""A pool of connections that is stricter than aiohttp's about what belongs to an answer.

HTTP/1.1 knows whose answer is whose by order alone. A connection on which anything has come that nobody asked for
therefore answers every later request with the answer to another one, so it is never used again. And a body without a
length is whole only if the service ended the connection itself: a reset, and TLS that ends without its own farewell,
are not an end.
"""

from __future__ import annotations

import asyncio
import functools
import select
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult
    from aiohttp.connector import Connection

__all__ = ["Pool"]


class Pool(aiohttp.TCPConnector):
    """aiohttp's pool, with a look at each connection before it is used and when it comes back.

    `TCPConnector` says nothing of whether its parts may be replaced; `test_pool.py` fails where they no longer are.
    """

    def __init__(self, limit: float | None, **options: Any) -> None:
        """Make an empty pool.

        Args:
            limit: Seconds until a new connection must stand: names, all addresses, a proxy's answer, TLS.
            options: As `TCPConnector` takes them.
        """
        super().__init__(limit=0, resolver=_Resolver(limit), **options)
        self._limit_to_stand = limit
        self._factory = functools.partial(_Line, loop=self._loop)  # type: ignore[assignment]

    async def _get(self, key: Any, traces: Any) -> Connection | None:
        while (connection := await super()._get(key, traces)) is not None:
            line: Any = connection.protocol
            if line.is_quiet():
                return connection
            connection.close()
        return None

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:
        # aiohttp's own limit holds for one address after the other, and not for what a proxy says to CONNECT.
        async with asyncio.timeout(self._limit_to_stand):
            line: Any = await super()._create_connection(req, traces, timeout)
        if not line.is_quiet():
            line.close()
            raise aiohttp.ClientConnectionError("the service spoke before it was asked")
        made: ResponseHandler = line
        return made

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        super()._release(key, protocol, should_close=should_close or not protocol.rest())


class _Line(ResponseHandler):
    """One connection.

    Attributes:
        was_used: An answer has come over it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.was_used = False
        self._parser_before: Any = None
        self._ended_by_service = False
        self._unread: Callable[[], object] | None = None

    def rest(self) -> bool:
        """Take the answer for ended: whatever comes now is kept aside unparsed. Return whether it may serve again."""
        self.was_used = True
        self._parser_before, self._parser = self._parser, None
        # What is still to be sent of a request that was answered early would stand before the next one.
        return self.transport is not None and self.transport.get_write_buffer_size() == 0

    def is_quiet(self) -> bool:
        """Return whether nothing has come since the last answer, in the read that ended it or later."""
        if self.should_close:
            return False
        parser, self._parser_before = self._parser_before, None
        if parser is not None:
            try:
                if parser.feed_eof() is not None:  # a head had begun behind the answer's last byte
                    return False
            except Exception:
                return False
        unread = self._unread
        if unread is None:
            transport: Any = self.transport
            if not self.was_used and transport.get_extra_info("ssl_object") is not None:
                return True  # TLS itself sends tickets behind its handshake
            unread = self._unread = _unread(transport.get_extra_info("socket"))
        return not unread()

    def eof_received(self) -> None:
        """Note that the service itself ended the connection."""
        tls = self.transport.get_extra_info("ssl_object") if self.transport is not None else None
        self._ended_by_service = tls is None or _has_close_notify(tls)
        super().eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Break a body that a lost connection would otherwise pass for ended (RFC 9112, 8 and 9.8)."""
        payload = self._payload
        if not self._ended_by_service and payload is not None and not payload.is_eof():
            tls = self.transport is not None and self.transport.get_extra_info("ssl_object") is not None
            end = "TLS ended without close_notify" if tls else "the connection was closed"
            what = end if exc is None else str(exc)
            payload.set_exception(aiohttp.ClientPayloadError(what), *(() if exc is None else (exc,)))
        super().connection_lost(exc)


def _has_close_notify(tls: ssl.SSLObject) -> bool:
    """Return whether TLS itself was ended; asyncio calls both kinds of end one."""
    try:
        return tls.read(1) == b""
    except ssl.SSLError:  # it would wait for more
        return False


def _unread(sock: Any) -> Callable[[], object]:
    """Return how to ask the system for what the event loop has not read yet: bytes, or the connection's end."""
    if sock is None:
        return lambda: False
    if not hasattr(select, "poll"):
        return lambda: select.select([sock], [], [], 0)[0]
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return functools.partial(poll.poll, 0)


class _Resolver(aiohttp.ThreadedResolver):
    """Look names up within a limit.

    Lookups outlive those who wait for them: others may wait for the same one.
    """

    def __init__(self, limit: float | None) -> None:
        super().__init__()
        self._limit = limit

    async def resolve(self, *args: Any, **options: Any) -> list[ResolveResult]:
        """Look a name up.

        Raises:
            OSError: It does not exist, or has no address.
        """
        async with asyncio.timeout(self._limit):
            found = await super().resolve(*args, **options)
        if not found:
            raise OSError(None, "the name has no address")
        return found
