"""Streams as callers and middlewares see them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Protocol, Self, TypeAlias

import attrs

from jackfield._faces import show_in
from jackfield._types.errors import ConfigurationError, JackfieldError
from jackfield._types.events import Event
from jackfield._types.replies import Reply

from .fold import fold

__all__ = ["EventMap", "MappedStream", "Stream", "StreamSource"]

EventMap: TypeAlias = Callable[[Event], "Event | Iterable[Event] | None"]
"""Gives what takes an event's place: an event, several, or None for nothing."""


class StreamSource(Protocol):
    """A stream that has begun. `proceed` gives one to a middleware of a streaming call."""

    @property
    def response(self) -> Reply:
        """The answer as far as it was read."""

    def map(self, change: EventMap) -> StreamSource:
        """Give a stream whose events are changed; its `response` is folded from the changed events."""

    def __aiter__(self) -> AsyncIterator[Event]: ...

    async def __anext__(self) -> Event: ...

    async def aclose(self) -> None:
        """Close the upstream at once; what was read is kept. May be called twice."""


class Stream:
    """A streamed answer.

        async with mesh.stream_chat("openai:gpt-6-luna", "Hi") as stream:
            async for event in stream:
                ...
        stream.response

    Leaving the block closes the upstream at once. `response` is there as soon as the answer began, also after
    a `break`: then it is partial, and `complete` is False.
    """

    def __init__(self, start: Callable[[], Awaitable[StreamSource]]) -> None:
        self._start = start
        self._source: StreamSource | None = None

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
        # The source itself, so that no layer is paid for between it and the caller's loop.
        return self._begun().__aiter__()

    async def __anext__(self) -> Event:
        return await self._begun().__anext__()

    async def text(self) -> AsyncIterator[str]:
        """Give the text of choice 0 alone, piece by piece."""
        from jackfield._types.events import TextDelta

        async for event in self._begun():
            if type(event) is TextDelta and event.choice == 0:
                yield event.text

    @property
    def response(self) -> Reply:
        """The answer as far as it was read."""
        return self._begun().response

    def map(self, change: EventMap) -> Stream:
        """Give a stream whose events are changed, to be entered in this one's place."""

        async def start() -> StreamSource:
            return (await self._start()).map(change)

        return Stream(start)

    async def aclose(self) -> None:
        """Close the upstream at once; may be called twice."""
        if self._source is not None:
            await self._source.aclose()

    def _begun(self) -> StreamSource:
        if self._source is None:
            raise ConfigurationError("enter the stream first: `async with mesh.stream_chat(...) as stream:`")
        return self._source


class MappedStream:
    """A stream whose events a middleware changes."""

    def __init__(
        self,
        source: StreamSource,
        change: EventMap,
        rebuild: Callable[[Reply, list[Event]], Reply] | None = None,
    ) -> None:
        self._source = source
        self._change = change
        self._rebuild = _rebuilt if rebuild is None else rebuild
        self._seen: list[Event] = []
        self._next = 0

    @property
    def response(self) -> Reply:
        """The answer as far as it was read, folded from the changed events."""
        return self._rebuild(self._source.response, self._seen[: self._next])

    def map(self, change: EventMap) -> MappedStream:
        """Change the changed events."""
        return MappedStream(self, change, self._rebuild)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        while self._next >= len(self._seen):
            try:
                event = await self._source.__anext__()
            except JackfieldError as error:
                # A middleware that hides something hides it here as well.
                if error.partial is not None:
                    error.partial = self._rebuild(error.partial, self._seen[: self._next])
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


def _rebuilt(response: Reply, events: list[Event]) -> Reply:
    """Put what changed events say in the place of what an answer said; what it used and cost stays true."""
    folded = fold(events, provider=response.provider, model=response.model)
    return attrs.evolve(response, choices=folded.choices)


show_in("jackfield", Stream)
show_in("jackfield.plugin", StreamSource)
