"""Read the body of an HTTP answer: cut into frames, never longer than allowed, and never for long at a time."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from jackfield._types.errors import JackfieldError, MalformedResponseError, StreamInterruptedError
from jackfield._types.sizes import show_size
from jackfield._types.wire import Frame, Wire

from .framer import Framer, FramingError
from .framers import SniffedFramer, framer_for
from .sse import Block, SSEFramer

if TYPE_CHECKING:
    import aiohttp

    from .prepared_post import PreparedResponse

__all__ = ["HttpFrames"]

_JSON_START: Final = rb"(?:\xef\xbb\xbf)?[ \t\r\n]*[\[{]"
_LONGEST_ERROR_BODY = 1 << 20
_NOT_DECODED: Final = "Can not decode content-encoding"
"""What aiohttp says of such a body; where one ends too early, it says only the name of the encoding."""
_FRAME_SHARE = 4
"""One event of a stream may have this part of what the whole answer may have."""
_VALUE_SHARE = 32
"""A piece of JSON may have one value for this many bytes of what it may have; OpenAI's largest embeddings have one for 42.

In memory a value of two bytes takes thirty times as much, and all of them are read at once: nothing else runs meanwhile.
"""
_FEW_VALUES = 1 << 20
"""However little a piece may have, this many values do no harm."""
_LIST_WEIGHT = 4
"""A list or an object takes some four times as much as a number."""
_TURN = 1 << 15
"""Bytes that are read before other tasks have their turn.

aiohttp decompresses as soon as there is room in its buffer, so a body that expands a thousandfold is there without a
single wait: without turns of our own, no time limit would fire and no other call would go on. The smallest events take
some 10 ms for this many bytes.
"""

_SMALL = _FEW_VALUES // _LIST_WEIGHT - _TURN
"""Frames that these many bytes completed have few values, with what the read before left of the first of them."""


class HttpFrames:
    """The frames of one answer, those of one network read at a time; none where it completed none.

    Args:
        response: The answer, its body unread.
        wire: What was sent.
        most: Most bytes of the body, decompressed; None is no limit.

    Attributes:
        ended: There will be no more; spares a reader the step that finds it out.
        content_type: What the content type should have been, if the body shows that it is wrong.
        is_left: The rest of the body is of no interest.
        copies: Every piece of the body, decompressed, is appended here as well; None keeps no copies.
        read_block: Reads several server-sent events together, if it can.

    No async generator: each of those registers itself with the event loop, which every call would pay for.
    """

    __slots__ = (
        "_at", "_body", "_chunk", "_framer", "_most", "_most_pending", "_pending", "_response", "_size", "_turn", "_wire",
        "content_type", "copies", "ended", "is_left", "read_block",
    )  # fmt: skip

    def __init__(
        self, response: aiohttp.ClientResponse | PreparedResponse, wire: Wire, most: int | None
    ) -> None:
        self._response = response
        self._wire = wire
        self._most = most
        self._most_pending = None if most is None else most // _FRAME_SHARE
        self._framer: Framer | None = None
        self._body = bytearray()  # no list: pieces of two bytes each would take twenty times their size
        self._chunk = b""
        self._at = 0  # what stands before is read
        self._size = 0
        self._pending = 0  # bytes since the last frame
        self._turn = 0  # bytes since other tasks had theirs
        self.ended = False
        self.content_type: str | None = None
        self.is_left = False
        self.copies: list[bytes] | None = None
        self.read_block: Callable[[bytes], Sequence[object] | None] | None = None

    @property
    def stray(self) -> bytes:
        """Text of an event stream that is not part of an event, since the last event."""
        found: bytes = getattr(self._framer, "stray", b"")
        return found

    @property
    def is_open(self) -> bool:
        """Whether the body ended without the end of its last frame, which may thus have been cut."""
        return bool(getattr(self._framer, "is_open", False))

    def leave(self) -> None:
        """Do without the rest: the answer is whole, although its body has not ended."""
        self.ended = self.is_left = True

    def __aiter__(self) -> HttpFrames:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        try:
            if not self.ended:
                frames = await self._read()
                if frames or not self.ended:
                    return frames
        except FramingError as error:
            raise MalformedResponseError(f"the answer does not keep to its framing: {error}") from error
        except JackfieldError:
            raise
        except Exception as error:
            import aiohttp  # here, since an import costs every read something, even if it is done

            if not isinstance(error, (aiohttp.ClientError, OSError)):
                raise
            raise self._explain(error) from error
        raise StopAsyncIteration

    async def _read(self) -> Sequence[Frame]:
        framer = self._framer
        if framer is None:
            response = self._response
            if response.status >= 400:
                self.ended = True
                return (Frame(await self._error_body()),)
            if not self._wire.stream:
                return await self._read_whole()
            framer = self._framer = framer_for(response.headers.get("Content-Type"), self._wire.framing)
            if isinstance(framer, SSEFramer):
                framer.read_block = self.read_block
        chunk = await self._next_piece()
        if not chunk:
            self.ended = True
            try:
                frames = framer.close()
            except FramingError as error:
                raise StreamInterruptedError(f"the answer was cut: {error}") from error
            self._check_frames(frames)
            return frames
        frames = framer.feed(chunk)
        if isinstance(framer, SniffedFramer):
            self.content_type = framer.found
            self._framer = framer.inner or framer
            if isinstance(self._framer, SSEFramer):
                self._framer.read_block = self.read_block
        self._pending += len(chunk)
        if frames:
            if self._pending > _SMALL:
                self._check_frames(frames)
            self._pending = 0
        elif self._most_pending is not None and self._pending > self._most_pending:
            raise _too_long("one event of the answer", self._most_pending, "a quarter of ")
        return frames

    def _check_frames(self, frames: Sequence[Frame]) -> None:
        if isinstance(frames, Block):
            return
        for frame in frames:
            _check_values(frame.data, self._most_pending, "one event of the answer")

    async def _next_piece(self) -> bytes:
        """Return what the network brought, at most as much as may be read in one turn."""
        piece = self._chunk or await self._read_piece()
        if len(piece) > _TURN:
            piece = self._cut(piece)
        self._turn += len(piece)
        if self._turn >= _TURN:
            await self._take_turns()
        return piece

    def _cut(self, chunk: bytes) -> bytes:
        """Return as much of a chunk as may be read in one turn, and keep the rest."""
        at = self._at
        piece = chunk[at : at + _TURN]
        at += len(piece)
        self._chunk, self._at = (chunk, at) if at < len(chunk) else (b"", 0)
        return piece

    def _explain(self, error: Exception) -> JackfieldError:
        """Return the error of a body that broke: it was cut, or is not encoded as its header says."""
        from aiohttp.http_exceptions import ContentEncodingError

        reason = str(error) or type(error).__name__
        if isinstance(error.__cause__, ContentEncodingError) and _NOT_DECODED in reason:
            encoding = self._response.headers.get("Content-Encoding", "")
            return MalformedResponseError(
                f"the answer has the header Content-Encoding: {encoding}, and its body is not encoded so"
            )
        return StreamInterruptedError(f"the answer was cut: {reason}")

    async def _read_piece(self) -> bytes:
        """Wait for more of the body; b"" at its end."""
        content = self._response.content
        try:
            chunk = await content.readany()
        except Exception as error:
            chunk = _read_left(content, error)
        self._size += len(chunk)
        if self._most is not None and self._size > self._most:
            raise _too_long("the answer", self._most)
        if self.copies is not None and chunk:
            self.copies.append(chunk)
        return chunk

    async def _take_turns(self) -> None:
        self._turn = 0
        await asyncio.sleep(0)

    async def _read_whole(self) -> Sequence[Frame]:
        """Read on in a body that is one frame."""
        # Not by the response's own `read`: that lifts aiohttp's bound on what is decompressed at once.
        chunk = await self._read_piece()
        body = self._body
        if not body and self._response.content.at_eof():
            self.ended = True
            _check_values(chunk, self._most, "the answer")
            return (Frame(chunk),)
        if not chunk:
            self.ended = True
            _check_values(body, self._most, "the answer")
            whole = bytes(body)
            body.clear()  # not there twice while it is parsed
            return (Frame(whole),)
        body += chunk
        self._turn += len(chunk)
        if self._turn >= _TURN:
            await self._take_turns()
        return ()

    async def _error_body(self) -> bytes:
        """Read an error's body, as far as anybody would read it."""
        import aiohttp

        body = bytearray()
        content = self._response.content
        # Half an explanation is better than none.
        with contextlib.suppress(aiohttp.ClientError, OSError):
            try:
                while len(body) <= _LONGEST_ERROR_BODY and (chunk := await content.readany()):
                    body += chunk
            except (aiohttp.ClientError, OSError) as error:
                body += _read_left(content, error)
        return bytes(body[:_LONGEST_ERROR_BODY])


def _read_left(content: aiohttp.StreamReader, error: Exception) -> bytes:
    """Read what came of a body before it was cut, which aiohttp would forget; raise the error if there is no more."""
    if content.exception() is not error:
        raise error
    content._exception = None  # noqa: SLF001 -- there is no public way to what is left
    try:
        left = content.read_nowait()
    finally:
        content._exception = error  # noqa: SLF001
    if not left:
        raise error
    return left


def _check_values(data: bytes | bytearray, most: int | None, what: str) -> None:
    """Refuse JSON of far more values than any service sends, before it is parsed.

    Args:
        data: One frame.
        most: Most bytes that it may have; None is no limit.
        what: What it is, for the error.

    Raises:
        MalformedResponseError: It has too many.
    """
    if most is None:
        return
    allowed = max(most // _VALUE_SHARE, _FEW_VALUES)
    # If every byte began a list, there would still be few enough: most answers need not be counted.
    if len(data) * _LIST_WEIGHT <= allowed or not re.match(_JSON_START, data):
        return
    values = data.count(b",") + _LIST_WEIGHT * (data.count(b"[") + data.count(b"{"))
    if values > allowed:
        raise MalformedResponseError(
            f"{what} has more than {allowed} values in its JSON; it was not parsed. "
            'Declare a larger max_response if the service does send so many: max_response = "1 GiB"'
        )


def _too_long(what: str, most: int, share: str = "") -> MalformedResponseError:
    return MalformedResponseError(
        f"{what} is longer than {show_size(most)}, {share}max_response of its connection; it was not read to the end. "
        'Declare more if the service does send so much: max_response = "1 GiB"'
    )
