"""Read HTTP/1.1 requests from bytes: only what a test server needs, without any I/O."""

from __future__ import annotations

from typing import Any

import attrs

from jackfield._types.wire import Headers

__all__ = ["BadRequestError", "RecordedRequest", "RequestReader"]

_MAX_HEAD = 1 << 18


class BadRequestError(ValueError):
    """Raised for bytes that are not an HTTP/1.1 request."""


@attrs.frozen
class RecordedRequest:
    """One request as it came over the wire.

    Attributes:
        method: In capitals, as sent.
        path_qs: Path and query exactly as sent: nothing decoded, nothing normalised.
        headers: Case-insensitive; values of a repeated header joined by ", ".
        body: The body, its transfer encoding undone.
        connection: Number of the TCP connection it came on, from 1 in order of acceptance.
    """

    method: str
    path_qs: str
    headers: Headers
    body: bytes
    connection: int = 0

    @property
    def path(self) -> str:
        """The path alone, as sent."""
        return self.path_qs.partition("?")[0]

    @property
    def query(self) -> str:
        """The query alone, as sent, without its question mark."""
        return self.path_qs.partition("?")[2]

    @property
    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: It is not JSON.
        """
        import orjson

        return orjson.loads(self.body)


class RequestReader:
    """Take bytes, give requests. One reader reads one connection."""

    def __init__(self, connection: int) -> None:
        self._connection = connection
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[RecordedRequest]:
        """Take the next bytes and give the requests that they complete.

        Raises:
            BadRequestError: This is not HTTP/1.1.
        """
        self._buffer += data
        requests = []
        while (request := self._next()) is not None:
            requests.append(request)
        return requests

    def _next(self) -> RecordedRequest | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEAD:
                raise BadRequestError("the head has no end")
            return None
        # latin-1: a header is bytes, and what a client sends is to be seen as it is
        first, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        try:
            method, path_qs, _version = first.split(" ")
        except ValueError as fault:
            raise BadRequestError(f"no request line: {first[:80]!r}") from fault
        headers = Headers([_read_header(line) for line in lines])
        found = self._body(headers, end + 4)
        if found is None:
            return None
        body, used = found
        del self._buffer[:used]
        return RecordedRequest(method, path_qs, headers, body, self._connection)

    def _body(self, headers: Headers, at: int) -> tuple[bytes, int] | None:
        """Return the body that begins at `at` and where it ends; None while it is not complete."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunked(at)
        end = at + int(headers.get("content-length", "0"))
        return (bytes(self._buffer[at:end]), end) if len(self._buffer) >= end else None

    def _chunked(self, at: int) -> tuple[bytes, int] | None:
        pieces = []
        while (line_end := self._buffer.find(b"\r\n", at)) >= 0:
            size = int(bytes(self._buffer[at:line_end]).partition(b";")[0], 16)
            at = line_end + 2
            if len(self._buffer) < at + size + 2:
                return None
            pieces.append(bytes(self._buffer[at : at + size]))
            at += size + 2
            if size == 0:
                return b"".join(pieces), at
        return None


def _read_header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()
