"""The fast path for plain requests: over aiohttp's connections, past its session.

Half of what a call over aiohttp costs goes into `ClientSession.request` and its request and response objects, which are
made anew for each call and serve cases that do not arise here: redirects, cookies, traces, forms. What nearly every
call is, a POST of bytes under headers that stay the same, needs none of them. Names, TLS, the pool and the parser stay
aiohttp's; what is not so plain goes through its session.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:
    import yarl
    from aiohttp.connector import Connection
    from multidict import CIMultiDictProxy

__all__ = ["LONGEST_HEADER", "NotHttpError", "PreparedPost", "PreparedResponse", "unreadable"]

LONGEST_HEADER: Final = 1 << 16
"""Bytes of one header of an answer; gateways are known to set cookies and policies beyond aiohttp's 8 KiB."""
_ENCODING: Final = r"(?i:content-encoding): (?:\w+ \()?([\w-]+)"
_TOO_LONG: Final = r"more than (\d+) bytes when reading: b?((?s:.){0,40})"

_FRAMING_HEADERS = ("content-length", "transfer-encoding")


class NotHttpError(aiohttp.ClientConnectionError):
    """What answered does not speak HTTP, or breaks its rules: to ask again is to be answered so again."""


class PreparedPost:
    """A POST to one address under one set of headers; made once and sent many times.

    Args:
        session: Whose connections are used.
        url: The address, as it shall be sent.
        headers: All headers but those that aiohttp adds (Host, Accept, Accept-Encoding), and those that authenticate each
            attempt anew.
        buffer: Bytes of an answer that may wait to be read.

    Attributes:
        given: The headers as given.

    Raises:
        ValueError: A header holds a line end.
    """

    __slots__ = ("_buffer", "_connector", "_head", "_key", "_timeout", "given")

    def __init__(
        self, session: aiohttp.ClientSession, url: yarl.URL, headers: Mapping[str, str], buffer: int
    ) -> None:
        self.given = headers
        # Never sent itself: it says where to connect to, and completes the headers as aiohttp would.
        self._key = aiohttp.ClientRequest(
            "POST",
            url,
            headers=headers,
            loop=asyncio.get_running_loop(),
            response_class=aiohttp.ClientResponse,
            session=session,
            ssl=True,
        )
        lines = [f"POST {url.raw_path_qs} HTTP/1.1"]
        for name, value in self._key.headers.items():
            if name.lower() not in _FRAMING_HEADERS:
                lines.append(f"{name}: {value}")
        _refuse_line_ends(lines)
        self._head = "\r\n".join([*lines, "Content-Length: "]).encode()
        self._connector: Any = session.connector
        self._timeout = session.timeout
        self._buffer = buffer

    async def send(self, body: bytes, auth_headers: Mapping[str, str] | None = None) -> PreparedResponse:
        """Send a body and give the answer, its own body unread.

        Args:
            body: The bytes.
            auth_headers: Headers of this attempt alone.

        Raises:
            aiohttp.ClientError: No connection, or it broke before the answer began.
            ValueError: A header holds a line end.
        """
        more = b"" if auth_headers is None else _lines(auth_headers)
        try:
            connection = await self._connector.connect(self._key, [], self._timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError("no connection in time") from error
        try:
            transport = connection.transport
            if transport is None:
                raise aiohttp.ClientConnectionError("the connection was closed before anything was sent")
            protocol = connection.protocol
            # Without a length, a body ends with the connection: HTTP/1.0 servers, and some gateways.
            protocol.set_response_params(
                auto_decompress=True,
                read_until_eof=True,
                read_bufsize=self._buffer,
                max_line_size=LONGEST_HEADER,
                max_field_size=LONGEST_HEADER,
            )
            transport.write(b"%b%d\r\n%b\r\n%b" % (self._head, len(body), more, body))
            message, payload = await protocol.read()
            while 100 <= message.code < 200 and message.code != 101:  # "early hints" and the like
                message, payload = await protocol.read()
        except HttpProcessingError as error:
            connection.close()
            raise NotHttpError(unreadable(error.message)) from error
        except BaseException:
            connection.close()
            raise
        return PreparedResponse(connection, message.code, message.headers, payload)


class PreparedResponse:
    """An answer that has begun; what the transport uses of `aiohttp.ClientResponse`, under the same names."""

    __slots__ = ("_connection", "content", "headers", "status")

    def __init__(
        self,
        connection: Connection,
        status: int,
        headers: CIMultiDictProxy[str],
        content: aiohttp.StreamReader,
    ) -> None:
        self._connection: Connection | None = connection
        self.status = status
        self.headers = headers
        self.content = content
        content.on_eof(self._at_end)

    def close(self) -> None:
        """Cut the connection, unless the body was read to its end and it went back to the pool."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self.content.exception() is None:  # wakes whoever waits for more of the body
            self.content.set_exception(aiohttp.ClientConnectionError("Connection closed"))
        connection.close()

    def _at_end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()


def unreadable(message: str) -> str:
    """Return why an answer cannot be read.

    Args:
        message: What aiohttp says of it.
    """
    encoding, too_long = re.search(_ENCODING, message), re.search(_TOO_LONG, message)
    if encoding is not None:
        return f"the answer has the Content-Encoding {encoding[1]}, which was not asked for and cannot be decoded"
    if too_long is not None:
        return f"the answer has a header of more than {too_long[1]} bytes, which begins {too_long[2]}"
    return f"the answer is not valid HTTP: {message}"


def _lines(headers: Mapping[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    _refuse_line_ends(lines)
    return "".join(f"{line}\r\n" for line in lines).encode()


def _refuse_line_ends(lines: Sequence[str]) -> None:
    text = "".join(lines)
    if "\r" in text or "\n" in text or "\0" in text:
        msg = "a header or the address holds a line end"
        raise ValueError(msg)
