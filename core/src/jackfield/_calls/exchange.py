"""One exchange with a service: send a wire, check the status, decode frames into events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import attrs

from jackfield._contract.protocols import Exchange, FailureInStream, Transport
from jackfield._http.sse import Block
from jackfield._types.capabilities import ModelRef
from jackfield._types.errors import (
    JackfieldError,
    MalformedResponseError,
    PluginError,
    ProviderError,
    StreamInterruptedError,
    TimeoutError,
)
from jackfield._types.events import Event, Finish
from jackfield._types.failures import Failure, error_from_status
from jackfield._types.wire import Frame, Head, Wire

from .reading import FrameReader, corrected, find_failure, is_cut_json, is_event_stream
from .watchdog import Watchdog

if TYPE_CHECKING:
    from jackfield._plugins.registry import Provider

__all__ = ["WireExchange"]

_NO_ANSWER = (MalformedResponseError, StreamInterruptedError)
"""What a decoder says of something that is not its service's answer: it may be an error of a gateway's."""


class WireExchange:
    """Send one wire and read the response.

    Where the decoder says that the answer is whole, it is not lost if the rest of its body is cut or does not come.

    The limits of the phases first_event and idle are limits of silence: each is for one read, so that whatever comes, a
    comment between events included, begins it again.

    Attributes:
        events: All events so far.
        fault: What broke the response after the last of `events`; it is raised after those were delivered.
        body: The body of a whole response, for `Reply.raw`, or of a listing; None for a stream.
        head: Status and headers, after the response began.
        copies: The pieces of the body as they come, if they are to be handed on; None otherwise.
        ended: The answer was read to its end: its body's clean end, or the end that its decoder recognizes.
    """

    __slots__ = (
        "_context", "_frames", "_is_open", "_model", "_provider", "_reader", "_started", "_transport", "_watchdog", "_wire",
        "body", "copies", "ended", "events", "fault", "head",
    )  # fmt: skip

    def __init__(
        self, provider: Provider, model: ModelRef | None, wire: Wire, transport: Transport, watchdog: Watchdog
    ) -> None:
        self._provider = provider
        self._model = model
        self._wire = wire
        self._transport = transport
        self._watchdog = watchdog
        self._context: AbstractAsyncContextManager[Exchange] | None = None
        self._frames: AsyncIterator[Sequence[Frame]] | None = None
        self._reader: FrameReader | None = None
        self._started = 0
        self._is_open = False  # the last event of a stream that was read at once may have been cut
        self.events: list[Event] = []
        self.fault: JackfieldError | None = None
        self.body: bytes | None = None
        self.head: Head | None = None
        self.copies: list[bytes] | None = None
        self.ended = False

    @property
    def is_complete(self) -> bool:
        """Whether the answer ended, and its decoder does not miss its end."""
        return self.ended and (self._reader is None or not self._reader.lacks_end)

    async def prepare(self, prepare: Callable[[Wire], Awaitable[None]]) -> None:
        """Prepare the transport for the wire.

        Raises:
            JackfieldError: It cannot.
        """
        try:
            await prepare(self._wire)
        except JackfieldError:
            raise
        except Exception as error:
            raise self._map_exception(error) from error

    async def begin(self, limit: float | None) -> None:
        """Send, and read until a frame or the end brought a first event.

        What `Decoder.start` returned does not count: the service has said nothing yet, so an error that follows may
        still be retried, and the caller sees no event until then.

        Args:
            limit: Seconds of the phase first_event.

        Raises:
            JackfieldError: No connection, an error status, a broken response. The upstream is closed.
        """
        try:
            with self._watchdog("first_event", limit):
                await self._open()
            self._prepare_decoder()
            while len(self.events) <= self._started and not self.ended:
                with self._watchdog("first_event", limit):
                    await self._step()
            self.require_end()
        except JackfieldError as error:
            await self.close()
            if len(self.events) <= self._started:
                self.events.clear()
                raise
            # A read may bring events and a fault at once. What the caller sees, and whether the call is tried
            # again, must not depend on where the network cut: the events come first.
            self.fault = error
        except BaseException:
            await self.close()
            raise

    async def read_whole(self, limit: float | None) -> None:
        """Send, and read to the end.

        Args:
            limit: Seconds of the phase first_event; the first event of a whole response is also its last.

        Raises:
            JackfieldError: As `begin`.
        """
        try:
            with self._watchdog("first_event", limit):
                await self._open()
            self._prepare_decoder()
            while not self.ended:
                with self._watchdog("first_event", limit):
                    await self._step()
        except JackfieldError:
            if len(self.events) <= self._started:
                self.events.clear()
            raise
        finally:
            await self.close()

    async def read_more(self, idle: float | None) -> None:
        """Read until there is at least one more event, or the end.

        Args:
            idle: Seconds of the phase idle.

        Raises:
            JackfieldError: The stream broke. Events that came before are in `events`.
        """
        before = len(self.events)
        try:
            while len(self.events) == before and not self.ended:
                with self._watchdog("idle", idle):
                    await self._step()
        except TimeoutError:
            reader = self._reader
            if reader is None or not reader.is_whole:
                raise
            self._finish(reader)

    async def read_once(self, idle: float | None) -> None:
        """Decode what one read of the network brings, be it an event or not.

        Args:
            idle: Seconds of the phase idle.

        Raises:
            JackfieldError: As `read_more`.
        """
        with self._watchdog("idle", idle):
            await self._step()

    def require_end(self) -> None:
        """Check that the events of a stream that ended include its finish.

        Raises:
            StreamInterruptedError: They do not.
        """
        if self.ended and not any(type(event) is Finish for event in reversed(self.events)):
            raise StreamInterruptedError("the stream ended without a finish reason")

    async def read_body(self, limit: float | None) -> None:
        """Send and read the whole body into `body`, without a decoder; for listings.

        Args:
            limit: Seconds of the phase first_event.

        Raises:
            JackfieldError: As `begin`.
        """
        try:
            with self._watchdog("first_event", limit):
                await self._open()
            body = bytearray()
            while not self.ended:
                with self._watchdog("first_event", limit):
                    body += await self._read_piece()
            self.body = bytes(body)
        finally:
            await self.close()

    def build_malformed(self, message: str, body: bytes | None = None) -> MalformedResponseError:
        """Return an error with the response as far as it was read.

        Args:
            message: What is wrong with it.
            body: What is shown as the body; None is the body as far as it is known.
        """
        head = self.head
        return MalformedResponseError(
            message,
            status=None if head is None else head.status,
            headers=None if head is None else head.headers,
            body=self.body if body is None else body,
        )

    async def close(self) -> None:
        """Close the upstream at once; may be called twice."""
        context, self._context = self._context, None
        frames, self._frames = self._frames, None
        if context is None:
            return
        try:
            aclose = getattr(frames, "aclose", None)
            # While another task waits for the next frames, leaving the context is what wakes it.
            if aclose is not None and not self.ended and not getattr(frames, "ag_running", False):
                await aclose()
        finally:
            await context.__aexit__(None, None, None)

    async def _open(self) -> None:
        """Send and check the status."""
        try:
            context = self._transport.exchange(self._wire)
            exchange = await context.__aenter__()
        except JackfieldError:
            raise
        except Exception as error:
            raise self._map_exception(error) from error
        self._context = context
        self._frames = exchange.frames
        if self.copies is not None:
            if not hasattr(exchange.frames, "copies"):
                raise PluginError(
                    "only what is sent by HTTP can be relayed; this connection has a transport of its own"
                )
            exchange.frames.copies = self.copies
        self.head = head = exchange.head
        if head.status is not None and not 200 <= head.status < 300:
            raise await self._read_failure(head)

    def _prepare_decoder(self) -> None:
        try:
            decoder = self._provider.decoder(self._require_model(), self._wire)
            self._reader = FrameReader(decoder, self.events)
            if self.copies is not None and self._wire.stream:
                self._frames.read_block = getattr(decoder, "read_block", None)  # type: ignore[union-attr]
        except Exception as error:
            raise self._explain(error) from _find_cause(error)

    def _require_model(self) -> ModelRef:
        if self._model is None:  # only listings have none, and they are not decoded
            raise PluginError("an answer without a model cannot be decoded")
        return self._model

    async def _step(self) -> Sequence[Frame] | None:
        """Read the frames of one network read, and decode them if there is a decoder; None at the end."""
        frames = self._frames
        if frames is None:  # closed by another task
            self.ended = True
            return None
        try:
            batch = await frames.__anext__()
        except StopAsyncIteration:
            batch = None
        except Exception as error:
            self._end_broken(error)
            batch = None
        reader = self._reader
        if batch is None:
            if reader is not None:
                self._finish(reader)
        elif batch and reader is not None:
            self._decode(batch, reader)
        return batch

    def _end_broken(self, error: Exception) -> None:
        """Take a body that broke for one that ended, if nothing of the answer is missing; else raise."""
        if self._reader is not None and self._reader.is_whole:
            return
        if isinstance(error, JackfieldError):
            raise error
        raise self._map_exception(error, in_stream=True) from error

    def _decode(self, batch: Sequence[Frame], reader: FrameReader) -> None:
        if batch.__class__ is Block:
            reader.take(batch)
            return
        is_whole = not self._wire.stream
        if is_whole and not reader.has_begun and is_event_stream(batch[0].data):
            batch, reader = self._read_as_stream(batch[0].data)
        elif is_whole and len(batch) == 1 and isinstance(batch[0].data, bytes):
            self.body = batch[0].data
        try:
            if not reader.has_begun:
                self._start(reader)
            reader.feed(batch)
        except Exception as error:
            raise self._explain(error, reader.frame) from _find_cause(error)
        if reader.ended:
            leave = getattr(self._frames, "leave", None)
            if leave is not None:
                leave()
            self._finish(reader)
        elif is_whole and getattr(self._frames, "ended", False):
            self._finish(reader)  # the transport knows the end in advance, so it is not awaited

    def _start(self, reader: FrameReader) -> None:
        """Show the decoder the head, now that the body has shown whether its content type is true."""
        if self.head is not None:
            reader.start(corrected(self.head, getattr(self._frames, "content_type", None), self.body))
        self._started = len(self.events)

    def _read_as_stream(self, body: bytes) -> tuple[Sequence[Frame], FrameReader]:
        """Read an event stream that came in place of the whole answer that was asked for, as some gateways send."""
        from jackfield._http.framers import SSEFramer

        framer = SSEFramer()
        wire = attrs.evolve(self._wire, stream=True)
        self._reader = reader = FrameReader(self._provider.decoder(self._require_model(), wire), self.events)
        if self.head is not None:
            reader.start(corrected(self.head, "text/event-stream"))
        self._started = len(self.events)
        frames = [*framer.feed(body), *framer.close()]
        self._is_open = framer.is_open
        return frames, reader

    async def _read_piece(self) -> bytes:
        """Read a piece of a body that is not decoded."""
        batch = await self._step()
        if batch is None:
            self.ended = True
            return b""
        return b"".join([frame.data for frame in batch])

    def _finish(self, reader: FrameReader) -> None:
        self.ended = True
        try:
            if not reader.has_begun:
                self._start(reader)
            reader.finish(getattr(self._frames, "stray", b""))
        except Exception as error:
            raise self._explain(error, reader.frame) from _find_cause(error)

    def _explain(self, error: Exception, frame: Frame | None = None) -> BaseException:
        """Return the error to raise for an exception that a decoder raised."""
        if isinstance(error, FailureInStream):
            return self._map(error.failure)
        if not isinstance(error, JackfieldError) or type(error) in _NO_ANSWER:
            failure = find_failure(self.body if frame is None else frame.data)
            if failure is not None:
                return self._map(failure)
        if type(error) is MalformedResponseError and self._is_cut(frame):
            return StreamInterruptedError("the stream ended in the middle of an event; ask again")
        if isinstance(error, JackfieldError):
            return error
        body = self.body
        if body is None and frame is not None and isinstance(frame.data, bytes):
            body = frame.data
        shown = f": it begins {body[:80]!r}" if body is not None else ""
        return self.build_malformed(
            f"the answer is not what the service documents ({type(error).__name__}: {error}){shown}", body
        )

    def _is_cut(self, frame: Frame | None) -> bool:
        """Return whether a frame that could not be read is the beginning of JSON of which the rest did not come."""
        is_open = self._is_open or getattr(self._frames, "is_open", False)
        return frame is not None and is_open and is_cut_json(frame.data)

    async def _read_failure(self, head: Head) -> JackfieldError:
        body = bytearray()
        try:
            while not self.ended:
                body += await self._read_piece()
        except JackfieldError:
            pass  # half an explanation is better than none
        failure = Failure(status=head.status, headers=head.headers, body=bytes(body))
        if head.status is not None and 300 <= head.status < 400:
            # Not the plugin's to explain: what a redirect means does not depend on who sends it.
            return error_from_status(failure)
        return self._map(failure)

    def _map_exception(self, error: Exception, *, in_stream: bool = False) -> JackfieldError:
        """Return the error for what an SDK or a third party's transport raised."""
        return self._map(Failure(exception=error, in_stream=in_stream))

    def _map(self, failure: Failure) -> JackfieldError:
        error = self._provider.error(self._model, failure)
        if error is not None:
            if error.retry_after is None:
                error.retry_after = failure.retry_after
            return error
        if failure.exception is not None:
            return ProviderError(f"{type(failure.exception).__name__}: {failure.exception}")
        return error_from_status(failure)


def _find_cause(error: Exception) -> BaseException | None:
    """Return the cause of an error that a decoder raised; the error itself if another one is raised for it."""
    if isinstance(error, JackfieldError):
        return error.__cause__
    return error.failure.exception if isinstance(error, FailureInStream) else error
