"""Streams as callers and middlewares see them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, NoReturn, Protocol, Self, TypeAlias

import attrs

from jackfield._faces import show_in
from jackfield._hints import a_or_an
from jackfield._types.calls import Call
from jackfield._types.errors import ConfigurationError, JackfieldError
from jackfield._types.events import Event
from jackfield._types.replies import Replay, Reply

from .building import build_replay
from .fold import MANY_EVENTS, Folded, GrowingFold

__all__ = ["EventMap", "MappedStream", "ReplayedStream", "Stream", "StreamSource", "WatchedStream"]

EventMap: TypeAlias = Callable[[Event], "Event | Iterable[Event] | None"]
"""Returns the replacement for an event: an event, several, or None to drop it."""


class StreamSource(Protocol):
    """A stream that has begun. `proceed` returns one to a middleware of a streaming call."""

    @property
    def response(self) -> Reply:
        """The reply as far as it was read."""

    def map(self, change: EventMap) -> StreamSource:
        """Return a stream whose events are changed; its `response` is folded from the changed events."""

    def __aiter__(self) -> AsyncIterator[Event]: ...

    async def __anext__(self) -> Event: ...

    async def aclose(self) -> None:
        """Close the upstream at once; what was read is kept. May be called twice."""


class Stream:
    """A streamed reply.

        async with mesh.stream_chat("openai:gpt-6-luna", "Hi") as stream:
            async for event in stream:
                ...
        stream.response

    Leaving the block closes the upstream at once. `response` is there as soon as the reply began, also after
    a `break`: then it is partial, and `complete` is False.
    """

    def __init__(self, start: Callable[[], Awaitable[StreamSource]]) -> None:
        self._start = start
        self._source: StreamSource | None = None

    def __await__(self) -> NoReturn:
        raise ConfigurationError(
            "a stream is entered, not awaited: `async with mesh.stream_chat(...) as stream:`"
        )

    def __enter__(self) -> NoReturn:
        raise ConfigurationError("a stream needs `async with`, not `with`")

    def __exit__(self, *exc: object) -> None: ...

    async def __aenter__(self) -> Self:
        if self._source is not None:
            raise ConfigurationError("this stream was entered already; make a new one for a new call")
        self._source = await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._source is not None:
            await self._source.aclose()

    def __aiter__(self) -> AsyncIterator[Event]:
        # The source itself, so that nothing stands between it and the caller's loop.
        return self._require_unread().__aiter__()

    async def __anext__(self) -> Event:
        return await self._require_begun().__anext__()

    def ready(self) -> list[Event]:
        """Return the events that have come together with the last one, without waiting: for whoever writes them on.

            async for event in stream:
                write(event, *stream.ready())

        Empty where a middleware changes events: then they are read one by one.
        """
        ready = getattr(self._require_begun(), "ready", None)
        events: list[Event] = [] if ready is None else ready()
        return events

    async def text(self) -> AsyncIterator[str]:
        """Yield the text of choice 0 only, piece by piece."""
        from jackfield._types.events import TextDelta

        async for event in self._require_unread():
            if type(event) is TextDelta and event.choice == 0:
                yield event.text

    @property
    def response(self) -> Reply:
        """The reply as far as it was read."""
        return self._require_begun().response

    def map(self, change: EventMap) -> Stream:
        """Return a stream whose events are changed, to be entered instead of this one."""

        async def start() -> StreamSource:
            return (await self._start()).map(change)

        return Stream(start)

    async def aclose(self) -> None:
        """Close the upstream at once; may be called twice."""
        if self._source is not None:
            await self._source.aclose()

    def _require_begun(self) -> StreamSource:
        if self._source is None:
            raise ConfigurationError("enter the stream first: `async with mesh.stream_chat(...) as stream:`")
        return self._source

    def _require_unread(self) -> StreamSource:
        """Return the source, to be iterated.

        Raises:
            ConfigurationError: It was read to its end: a second loop would see no events, silently.
        """
        source = self._require_begun()
        if getattr(source, "exhausted", False):
            raise ConfigurationError(
                "this stream was read to its end; its reply is `stream.response`, and a new call needs a new stream"
            )
        return source


class MappedStream:
    """A stream whose events a middleware changes."""

    def __init__(
        self,
        source: StreamSource,
        change: EventMap,
        rebuild: Callable[[Reply, Folded], Reply] | None = None,
    ) -> None:
        self._source = source
        self._change = change
        self._rebuild = _rebuild if rebuild is None else rebuild
        self._seen: list[Event] = []
        self._next = 0
        self._folding: GrowingFold | None = None

    @property
    def exhausted(self) -> bool:
        """Whether the reader was told that there are no more events."""
        return getattr(self._source, "exhausted", False)

    @property
    def response(self) -> Reply:
        """The reply as far as it was read, folded from the changed events."""
        return self._respond(self._source.response)

    def _respond(self, response: Reply) -> Reply:
        reply = self._rebuild(response, self._start_fold(response).up_to(self._seen, self._next))
        if self._next < len(self._seen):  # its last event became several, and not all of them were read
            reply.complete = reply.ended = False
        return reply

    def _start_fold(self, response: Reply) -> GrowingFold:
        if self._folding is None:
            self._folding = GrowingFold(response.provider, response.model)
        return self._folding

    def map(self, change: EventMap) -> MappedStream:
        """Change the changed events."""
        return MappedStream(self, change, self._rebuild)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        if self._next % MANY_EVENTS == 0 and self._next:
            await self._start_fold(self._source.response).keep_up(self._seen, self._next)
        while self._next >= len(self._seen):
            try:
                event = await self._source.__anext__()
            except JackfieldError as error:
                # A middleware that hides something hides it here as well.
                if error.partial is not None:
                    error.partial = self._respond(error.partial)
                raise
            changed = self._change(event)
            if changed is None:
                continue
            if isinstance(changed, Iterable):
                self._seen.extend(changed)
            else:
                self._seen.append(changed)
        event = self._seen[self._next]
        self._next += 1
        return event

    async def aclose(self) -> None:
        """Close the upstream at once."""
        await self._source.aclose()


class ReplayedStream:
    """A stream of events that are known already; what a middleware returns for a streaming call.

    Args:
        call: The call.
        events: As for `replayed_reply`.
        replay: As there.
    """

    def __init__(self, call: Call, events: Sequence[Event], *, replay: Replay | None = None) -> None:
        self._call = call
        self._events = list(events)
        self._folding = GrowingFold(call.provider, call.model.id)
        self._replay = replay
        self._next = 0
        self._closed = False
        self.exhausted = False

    @property
    def response(self) -> Reply:
        """The reply as far as it was read."""
        folded = self._folding.up_to(self._events, self._next)
        reply = build_replay(self._call, folded, self._replay, complete=self._next == len(self._events))
        if not isinstance(reply, Reply):
            msg = f"{a_or_an(self._call.kind)} is not streamed"
            raise TypeError(msg)
        return reply

    def map(self, change: EventMap) -> MappedStream:
        """Return a stream whose events are changed."""
        return MappedStream(self, change)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        if self._closed or self._next == len(self._events):
            self.exhausted = self._next == len(self._events)
            raise StopAsyncIteration
        if self._folding.lags(self._next):
            await self._folding.keep_up(self._events, self._next)
        event = self._events[self._next]
        self._next += 1
        # Events are mutable: each reader has its own, or one would change the recording.
        return attrs.evolve(event)

    async def aclose(self) -> None:
        """End it; what was read is kept."""
        self._closed = True


class WatchedStream:
    """A stream that calls a function when it ends: for middlewares that count or record.

    Args:
        source: The stream that `proceed` returned.
        on_end: Called once, when the reply is complete, failed, was left or cancelled: with the reply as far as it was
            read (`ended` says whether that is all that the service sent) and the exception, if there was one. It must not block;
            if it returns an awaitable, that is awaited before the reader hears of the end.
        on_event: Called with each event before the reader has it.
    """

    def __init__(
        self,
        source: StreamSource,
        on_end: Callable[[Reply, BaseException | None], Awaitable[None] | None],
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self._source = source
        self._on_end = on_end
        self._on_event = on_event
        self._ended = False
        self._loop = _running_loop()

    def __del__(self) -> None:
        # Its reader forgot it. This may be the garbage collector, in another thread.
        if not self._ended and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_end_dropped, self)

    @property
    def exhausted(self) -> bool:
        """Whether the reader was told that there are no more events."""
        return getattr(self._source, "exhausted", False)

    @property
    def response(self) -> Reply:
        """The reply as far as it was read."""
        return self._source.response

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What middlewares say of the answer that has begun, by their names."""
        return getattr(self._source, "metadata", {})

    def map(self, change: EventMap) -> StreamSource:
        """Return a stream whose events are changed; it is still watched."""
        return MappedStream(self, change)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        try:
            event = await self._source.__anext__()
        except StopAsyncIteration:
            # Another task may have closed it, which ends the iteration but not the reply.
            await self._end(None)
            raise
        except BaseException as error:
            await self._end(error)
            raise
        if self._on_event is not None:
            self._on_event(event)
        return event

    def ready(self) -> list[Event]:
        """Return the events that have come together with the last one, without waiting."""
        ready = getattr(self._source, "ready", None)
        events: list[Event] = [] if ready is None else ready()
        if self._on_event is not None:
            for event in events:
                self._on_event(event)
        return events

    async def aclose(self) -> None:
        """Close the upstream; what was read is kept."""
        try:
            await self._source.aclose()
        finally:
            await self._end(None)

    async def _end(self, error: BaseException | None) -> None:
        if not self._ended:
            self._ended = True
            ending = self._on_end(self._source.response, error)
            if ending is not None:
                await ending


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _end_dropped(stream: WatchedStream) -> None:
    """Announce the end of a stream that was dropped; the stream below it closes itself, and warns."""
    task = asyncio.ensure_future(stream._end(None))  # noqa: SLF001 -- in the same module
    _ending.add(task)
    task.add_done_callback(_ending.discard)


_ending: Final[set[asyncio.Future[None]]] = set()
"""An event loop holds its tasks weakly."""


def _rebuild(response: Reply, folded: Folded) -> Reply:
    """Return a reply with the choices of changed events; usage and cost stay those of the reply."""
    return attrs.evolve(response, choices=folded.choices)


show_in("jackfield", Stream)
show_in("jackfield.plugin", ReplayedStream, StreamSource, WatchedStream)
