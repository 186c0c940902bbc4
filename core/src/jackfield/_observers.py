"""Tell extensions when calls begin and end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from ._calls import Call, Outcome, Timings
from ._errors import JackfieldError
from ._events import Event
from ._middleware import Handler
from ._replies import EmbedReply, Reply, RerankReply
from ._stream import EventMap, StreamSource

if TYPE_CHECKING:
    from ._registry import Registry

__all__ = ["observed", "observed_stream"]


async def observed(registry: Registry, call: Call, handler: Handler) -> Any:
    """Carry a call out between its two announcements."""
    queued = time.perf_counter()
    registry.call_started(call)
    try:
        reply = await handler(call)
    except BaseException as error:
        registry.call_finished(call, _failed(error, queued))
        raise
    registry.call_finished(call, _succeeded(reply, queued, None))
    return reply


async def observed_stream(registry: Registry, call: Call, handler: Handler) -> StreamSource:
    """Begin a streaming call; its end is announced when the stream is closed."""
    queued = time.perf_counter()
    registry.call_started(call)
    try:
        source = await handler(call)
    except BaseException as error:
        registry.call_finished(call, _failed(error, queued))
        raise
    return _ObservedStream(registry, call, source, queued)


def _failed(error: BaseException, queued: float) -> Outcome:
    partial = getattr(error, "partial", None)
    cancelled = isinstance(error, asyncio.CancelledError)
    known = {} if partial is None else {"usage": partial.usage, "cost": partial.cost, "model": partial.model}
    return Outcome(
        status="cancelled" if cancelled else "error",
        error=error,
        attempts=error.attempts if isinstance(error, JackfieldError) else (),
        timings=Timings(queued=queued, finished=time.perf_counter()),
        **known,
    )


def _succeeded(reply: Any, queued: float, first_event: float | None, *, complete: bool = True) -> Outcome:
    if not isinstance(reply, Reply | EmbedReply | RerankReply):
        return Outcome(status="ok", timings=Timings(queued=queued, finished=time.perf_counter()))
    reasons = (
        tuple(choice.finish_reason or "" for choice in reply.choices) if isinstance(reply, Reply) else ()
    )
    finished = time.perf_counter()
    return Outcome(
        status="ok" if complete else "cancelled",
        usage=reply.usage,
        cost=reply.cost,
        attempts=reply.attempts,
        timings=Timings(queued=queued, sent=queued, first_event=first_event or finished, finished=finished),
        model=reply.model,
        finish_reasons=reasons,
    )


class _ObservedStream:
    """Announces the end of the stream inside it."""

    def __init__(self, registry: Registry, call: Call, source: StreamSource, queued: float) -> None:
        self._registry = registry
        self._call = call
        self._source = source
        self._queued = queued
        self._first_event: float | None = time.perf_counter()
        self._told = False

    @property
    def response(self) -> Reply:
        return self._source.response

    def map(self, change: EventMap) -> StreamSource:
        return _ObservedStream(self._registry, self._call, self._source.map(change), self._queued)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        try:
            return await self._source.__anext__()
        except StopAsyncIteration:
            self._tell(_succeeded(self._source.response, self._queued, self._first_event))
            raise
        except BaseException as error:
            self._tell(_failed(error, self._queued))
            raise

    async def aclose(self) -> None:
        """Close the upstream; a stream that was left early is announced as cancelled."""
        try:
            await self._source.aclose()
        finally:
            if not self._told:
                response = self._source.response
                self._tell(_succeeded(response, self._queued, self._first_event, complete=response.complete))

    def _tell(self, outcome: Outcome) -> None:
        if not self._told:
            self._told = True
            self._registry.call_finished(self._call, outcome)
