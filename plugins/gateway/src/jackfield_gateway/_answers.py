"""A fast path for whole answers: head and body in one piece, past the objects in which aiohttp.web keeps headers."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE

__all__ = ["WholeAnswer", "answer_whole"]

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
_SERVER: Final = f"Date: %s\r\nServer: {SERVER_SOFTWARE}\r\nContent-Length: "


def answer_whole(
    request: web.BaseRequest, headers: Mapping[str, str], body: bytes, status: int = 200
) -> web.StreamResponse:
    """Return an answer that is sent as a whole.

    Args:
        request: The client's request.
        headers: Its headers, `content-type` among them; none that says how the body is sent.
        body: Its body.
        status: Its status.
    """
    if request.version != HttpVersion11 or request.method == "HEAD" or not body:
        return web.Response(status=status, headers=headers, body=body)
    return WholeAnswer(status, headers, body)


class WholeAnswer(web.StreamResponse):
    """An answer of HTTP/1.1 with a body.

    Args:
        status: Its status.
        headers: Its headers.
        body: Its body.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(status=status)
        self._own = headers
        self._whole = body

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send head and body.

        Raises:
            ValueError: A header holds a line end.
        """
        if self._eof_sent:
            return
        self._keep_alive = request.keep_alive
        values = "".join(self._own.values())
        if "\r" in values or "\n" in values or "\0" in values:
            msg = "a header of the answer holds a line end"
            raise ValueError(msg)
        lines = [f"HTTP/1.1 {self.status} {_REASONS.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in self._own.items()]
        if not self._keep_alive:
            lines.append("Connection: close")
        lines.append(_SERVER % rfc822_formatted_time())
        head = "\r\n".join(lines) + f"{len(self._whole)}\r\n\r\n"
        self._eof_sent = True
        self._body_length = len(self._whole)
        await request.writer.write(head.encode() + self._whole)

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: the body went out with its head."""
