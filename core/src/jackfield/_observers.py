"""Tell extensions when calls begin and end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Literal

from ._calls import Call, Outcome, Timings
from ._errors import JackfieldError
from ._events import Event
from ._middleware import Handler
from ._replies import Attempt, EmbedReply, Reply, RerankReply
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
    registry.call_finished(call, _outcome("ok", queued, reply))
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


def _failed(error: BaseException, queued: float, response: Reply | None = None) -> Outcome:
    attempts: tuple[Attempt, ...] = ()
    if isinstance(error, JackfieldError):
        response = error.partial or response
        attempts = error.attempts
    cancelled = isinstance(error, asyncio.CancelledError | GeneratorExit)
    return _outcome("cancelled" if cancelled else "error", queued, response, error, attempts)


def _outcome(
    status: Literal["ok", "error", "cancelled"],
    queued: float,
    reply: Any,
    error: BaseException | None = None,
    attempts: tuple[Attempt, ...] = (),
) -> Outcome:
    finished = time.perf_counter()
    known: dict[str, Any] = {}
    if isinstance(reply, Reply | EmbedReply | RerankReply):
        attempts = attempts or reply.attempts
        known = {"usage": reply.usage, "cost": reply.cost, "model": reply.model}
    if isinstance(reply, Reply):
        known["finish_reasons"] = tuple(choice.finish_reason or "" for choice in reply.choices)
    sent, first_event = _moments(attempts)
    return Outcome(
        status=status,
        error=error,
        attempts=attempts,
        timings=Timings(queued=queued, sent=sent, first_event=first_event, finished=finished),
        **known,
    )


def _moments(attempts: tuple[Attempt, ...]) -> tuple[float | None, float | None]:
    """Say when the last attempt was sent, and when its first event came."""
    sent = attempts[-1].sent_at if attempts else None
    if sent is None or attempts[-1].error is not None:
        return sent, None
    return sent, sent + attempts[-1].duration


class _ObservedStream:
    """Announces the end of the stream inside it."""

    def __init__(self, registry: Registry, call: Call, source: StreamSource, queued: float) -> None:
        self._registry = registry
        self._call = call
        self._source = source
        self._queued = queued
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
            # Another task may have closed it, which ends the iteration but not the answer.
            response = self._source.response
            self._tell(_outcome("ok" if response.complete else "cancelled", self._queued, response))
            raise
        except BaseException as error:
            self._tell(_failed(error, self._queued, self._source.response))
            raise

    async def aclose(self) -> None:
        """Close the upstream; a stream that was left early is announced as cancelled."""
        try:
            await self._source.aclose()
        finally:
            if not self._told:
                response = self._source.response
                self._tell(_outcome("ok" if response.complete else "cancelled", self._queued, response))

    def _tell(self, outcome: Outcome) -> None:
        if not self._told:
            self._told = True
            self._registry.call_finished(self._call, outcome)
