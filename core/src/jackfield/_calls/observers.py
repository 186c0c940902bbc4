"""Announce calls and their ends to the extensions that observe them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from jackfield._contract.middleware import Handler
from jackfield._types.calls import Call, Outcome, Timings
from jackfield._types.errors import JackfieldError
from jackfield._types.replies import Attempt, EmbedReply, Reply, RerankReply

from .streams import StreamSource, WatchedStream

if TYPE_CHECKING:
    from jackfield._plugins.registry import Registry

__all__ = ["observe"]

_Announce: TypeAlias = Callable[[Outcome], None]


def observe(registry: Registry, call: Call, handler: Handler) -> Awaitable[Any]:
    """Announce a call, execute it, and announce its end to those that want to know it."""
    queued = time.perf_counter()
    announce_end = registry.call_started(call) if registry.has_observers else None
    if announce_end is None:
        return handler(call)
    follow = _follow_stream if call.stream else _follow
    return follow(announce_end, queued, call, handler)


async def _follow(announce_end: _Announce, queued: float, call: Call, handler: Handler) -> Any:
    try:
        reply = await handler(call)
    except BaseException as error:
        announce_end(_describe_failure(error, queued))
        raise
    announce_end(_build_outcome("ok", queued, reply))
    return reply


async def _follow_stream(
    announce_end: _Announce, queued: float, call: Call, handler: Handler
) -> StreamSource:
    """Begin a streaming call; extensions are notified of its end when the stream is closed."""
    try:
        source = await handler(call)
    except BaseException as error:
        announce_end(_describe_failure(error, queued))
        raise

    def finish(response: Reply, error: BaseException | None) -> None:
        if error is not None:
            outcome = _describe_failure(error, queued, response)
        else:
            outcome = _build_outcome("ok" if response.ended else "cancelled", queued, response)
        announce_end(outcome)

    return WatchedStream(source, finish)


def _describe_failure(error: BaseException, queued: float, response: Reply | None = None) -> Outcome:
    attempts: tuple[Attempt, ...] = getattr(error, "attempts", ())  # a cancellation may carry them, too
    if isinstance(error, JackfieldError):
        response = error.partial or response
    cancelled = isinstance(error, asyncio.CancelledError | GeneratorExit)
    return _build_outcome("cancelled" if cancelled else "error", queued, response, error, attempts)


def _build_outcome(
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
        known = {
            "usage": reply.usage,
            "model": reply.model,
            "response_id": reply.id,
            "replay": reply.replay,
        }
    if isinstance(reply, Reply):
        known["finish_reasons"] = tuple(choice.finish_reason or "" for choice in reply.choices)
    sent, first_event = _find_moments(attempts)
    return Outcome(
        status=status,
        error=error,
        attempts=attempts,
        timings=Timings(queued=queued, sent=sent, first_event=first_event, finished=finished),
        reply=reply,
        **known,
    )


def _find_moments(attempts: tuple[Attempt, ...]) -> tuple[float | None, float | None]:
    """Return when the last attempt was sent, and when its first event came."""
    sent = attempts[-1].sent_at if attempts else None
    if sent is None or attempts[-1].error is not None:
        return sent, None
    return sent, sent + attempts[-1].duration
