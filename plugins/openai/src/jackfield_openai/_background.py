"""Answers that the service computes in the background: submit, poll or stream, take a broken stream up again, cancel.

Source: OpenAI's guide to background mode and its Python SDK 3.54.0: GET and POST .../cancel of a response; a stream is
taken up again with `stream=true&starting_after=N`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import attrs

from jackfield import ConnectionFailedError, JackfieldError, MalformedResponseError, StreamInterruptedError
from jackfield.http import HttpTransport, error_from_status, retry_after_seconds
from jackfield.plugin import Exchange, Failure, Frame, Head, Wire, quote_segment, read_json

from ._errors import error as error_of

__all__ = ["BackgroundTransport"]

_FIRST_PAUSE: Final = 1.0
_SLOWER: Final = 1.5
_LONGEST_PAUSE: Final = 10.0
_NOT_DONE: Final = ("queued", "in_progress")
_ENDS: Final = frozenset(
    {"response.completed", "response.failed", "response.incomplete", "response.cancelled", "error"}
)
_UNAUTHORIZED: Final = 401
_LEAVING: Final = 10.0
"""Seconds that the last cancellations have when a connection is closed."""


class BackgroundTransport:
    """Carries requests whose answers are computed in the background.

    An answer that nobody waits for any more, because its caller was cancelled or its time is over, is cancelled at the
    service as well. The core's time limits end the waiting; each look at the answer says that the service is alive.

    Args:
        http: Carries the single requests.
    """

    def __init__(self, http: HttpTransport) -> None:
        self._http = http
        self._leaving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Do nothing: the HTTP transport is open."""

    @asynccontextmanager
    async def exchange(self, wire: Wire) -> AsyncIterator[Exchange]:
        """Send a request; the frames are those of the answer, once the service has computed it."""
        plain = attrs.evolve(wire, transport=None)
        async with self._http.exchange(plain) as submitted:
            status = submitted.head.status
            if status is None or not 200 <= status < 300:
                yield submitted
                return
            answer = (_Stream if wire.stream else _Whole)(self._http, plain, submitted)
            try:
                yield Exchange(submitted.head, answer)
            finally:
                await answer.leave_now()
                if answer.is_running:
                    self._cancel_later(plain, answer.id or "")

    def _cancel_later(self, wire: Wire, identity: str) -> None:
        """Cancel an answer at the service, without waiting: the caller's task may be cancelled itself."""
        task = asyncio.get_running_loop().create_task(self._cancel(wire, identity))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _cancel(self, wire: Wire, identity: str) -> None:
        with contextlib.suppress(JackfieldError):  # nobody is there to hear of it
            await _fetch(self._http.exchange(_about(wire, identity, "/cancel", method="POST")))

    async def aclose(self) -> None:
        """Wait for cancellations that are under way; may be called twice."""
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=_LEAVING)
            for task in self._leaving:
                task.cancel()


class _Answer:
    """The frames of one answer.

    Attributes:
        id: The service's name for it, once it is known.
        is_running: The service is computing it, as far as is known.
    """

    def __init__(self, http: HttpTransport, wire: Wire, submitted: Exchange) -> None:
        self._http = http
        self._wire = wire
        self._submitted = submitted
        self._left = asyncio.Event()
        self._renewed = False
        self.id: str | None = None
        self.is_running = False

    def __aiter__(self) -> _Answer:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        raise NotImplementedError

    def leave(self) -> None:
        """Handle that the answer was read to its end."""
        self.is_running = False

    async def leave_now(self) -> None:
        """Wake whoever waits for the next frame: nobody wants it any more."""
        self._left.set()

    async def _pause(self, seconds: float) -> bool:
        """Wait; return whether the answer is still wanted."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._left.wait(), seconds)
        return not self._left.is_set()

    async def _should_ask_again(self, head: Head) -> bool:
        """Return whether a look that failed is worth repeating: the answer is being computed, and will be charged."""
        if (
            head.status == _UNAUTHORIZED and not self._renewed
        ):  # the wait may be longer than the life of a token
            self._renewed = True
            return await self._http.refresh_credentials(self._wire)
        return head.status is not None and (head.status in (408, 409, 429) or head.status >= 500)

    def _fail(self, head: Head, body: bytes) -> JackfieldError:
        failure = Failure(status=head.status, headers=head.headers, body=body)
        return error_of(failure) or error_from_status(failure)


class _Whole(_Answer):
    """An answer that comes at once: asked for until it is there."""

    def __init__(self, http: HttpTransport, wire: Wire, submitted: Exchange) -> None:
        super().__init__(http, wire, submitted)
        self._pause_before = 0.0
        self._asked_to_wait: float | None = None
        self.ended = False

    async def __anext__(self) -> Sequence[Frame]:
        if self.ended:
            raise StopAsyncIteration
        if self.id is None:
            return self._look(await _body_of(self._submitted))
        if not await self._pause(self._asked_to_wait or self._pause_before):
            raise StopAsyncIteration
        self._asked_to_wait = None
        self._pause_before = min(self._pause_before * _SLOWER, _LONGEST_PAUSE)
        try:
            head, body = await _fetch(self._http.exchange(_about(self._wire, self.id)))
        except (ConnectionFailedError, StreamInterruptedError):
            return ()
        if head.status == 200:
            return self._look(body)
        if not await self._should_ask_again(head):
            self.is_running = head.status != 404
            raise self._fail(head, body)
        self._asked_to_wait = retry_after_seconds(head.headers)
        return ()

    def _look(self, body: bytes) -> Sequence[Frame]:
        """Return the answer if it is there, else no frames, which says that the service is alive."""
        response = _read(body)
        self.is_running = response.get("status") in _NOT_DONE
        if self.is_running:
            if self.id is None:
                self.id, self._pause_before = _id_of(response, body), _FIRST_PAUSE
            return ()
        self.ended = True
        return (Frame(body),)


class _Stream(_Answer):
    """An answer that is streamed: a stream that breaks is taken up again behind the last event that came."""

    def __init__(self, http: HttpTransport, wire: Wire, submitted: Exchange) -> None:
        super().__init__(http, wire, submitted)
        self._frames = aiter(submitted.frames)
        self._taken_up: AbstractAsyncContextManager[Exchange] | None = None
        self._last: Frame | None = None
        self._pause_before = 0.0

    async def __anext__(self) -> Sequence[Frame]:
        while True:
            try:
                frames = await anext(self._frames)
            except StopAsyncIteration:
                if not self._is_broken():
                    raise
            except (ConnectionFailedError, StreamInterruptedError):
                if not self._is_broken():
                    raise
            else:
                if frames:
                    self._note(frames)
                return frames
            if not await self._take_up():
                raise StopAsyncIteration

    def leave(self) -> None:
        """Handle that the answer was read to its end."""
        super().leave()
        inner = getattr(self._frames, "leave", None)
        if inner is not None:
            inner()

    async def leave_now(self) -> None:
        """Close the stream that was taken up last."""
        await super().leave_now()
        self._look_at_last()
        await self._close_stream()

    def _note(self, frames: Sequence[Frame]) -> None:
        """Keep what a broken stream would be taken up with; nothing of it is parsed until then, but the first event."""
        self._last = frames[-1]
        self._pause_before = 0.0
        if self.id is None:
            response = _read(frames[0].data).get("response")
            self.id = _id_of(response if isinstance(response, dict) else {}, frames[0].data)
            self.is_running = True

    def _is_broken(self) -> bool:
        """Return whether the answer has an end that has not come."""
        self._look_at_last()
        return self.is_running and not self._left.is_set()

    def _look_at_last(self) -> None:
        if self._last is not None and self.is_running:
            self.is_running = _read(self._last.data).get("type") not in _ENDS

    async def _take_up(self) -> bool:
        """Request what follows the last event; return whether it is still wanted."""
        await self._close_stream()
        query = {"stream": "true"}
        number = _read(self._last.data if self._last else b"{}").get("sequence_number")
        if isinstance(number, int):
            query["starting_after"] = str(number)
        while True:
            if not await self._pause(self._pause_before):
                return False
            self._pause_before = min(max(self._pause_before * _SLOWER, _FIRST_PAUSE), _LONGEST_PAUSE)
            again = attrs.evolve(
                _about(self._wire, self.id or "", query=query), stream=True, framing=self._wire.framing
            )
            stream = self._http.exchange(again)
            try:
                exchange = await stream.__aenter__()
            except (ConnectionFailedError, StreamInterruptedError):
                continue
            self._taken_up = stream
            if exchange.head.status == 200:
                self._frames = aiter(exchange.frames)
                return True
            body = await _body_of(exchange)
            await self._close_stream()
            if not await self._should_ask_again(exchange.head):
                raise self._fail(exchange.head, body)

    async def _close_stream(self) -> None:
        stream, self._taken_up = self._taken_up, None
        if stream is not None:
            await stream.__aexit__(None, None, None)


def _about(
    wire: Wire, identity: str, what: str = "", *, method: str = "GET", query: Mapping[str, str] | None = None
) -> Wire:
    """Return the request about an answer, with the headers and the authentication of the one that asked for it."""
    path = f"{wire.path}/{quote_segment(identity)}{what}"
    return Wire(
        path, method=method, headers=wire.headers, query={**wire.query, **(query or {})}, auth=wire.auth
    )


async def _fetch(under_way: AbstractAsyncContextManager[Exchange]) -> tuple[Head, bytes]:
    async with under_way as exchange:
        return exchange.head, await _body_of(exchange)


async def _body_of(exchange: Exchange) -> bytes:
    return b"".join([bytes(frame.data) async for frames in exchange.frames for frame in frames])


def _read(body: bytes) -> dict[str, Any]:
    try:
        value = read_json(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _id_of(response: Mapping[str, Any], body: bytes) -> str:
    identity = response.get("id")
    if not isinstance(identity, str) or not identity:
        raise MalformedResponseError("the service computes an answer that it gave no id", body=body)
    return identity
