"""The middleware: look an answer up, or make the call once and record its answer."""

from __future__ import annotations

import asyncio
import enum
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from jackfield import ConfigurationError, EmbedReply, Event, Reply, RerankReply, TimeoutError
from jackfield.plugin import (
    Call,
    CountRequest,
    EmbedRequest,
    Handler,
    Replay,
    ReplayedStream,
    Request,
    RerankRequest,
    StreamSource,
    WatchedStream,
    events_of,
    replayed_reply,
)

from ._key import extra_of, key_of
from ._record import Record, decode, encode
from ._settings import CacheSettings
from ._stores import Store, make_store

__all__ = ["ResponseCache"]

logger = logging.getLogger("jackfield.cache")

NAME: Final = "cache"

_STORED_WITHIN: Final = 0.05
"""Seconds for which an answer waits to be stored before it is returned."""

_Data: TypeAlias = "bytes | _Left | None"


class _Left(enum.Enum):
    LEFT = "the call that was under way was cancelled"


@attrs.frozen
class _CallOptions:
    """The options that a caller passes as `extra={"cache": {...}}`."""

    skip: bool = False
    refresh: bool = False
    ttl: float | None = None


class ResponseCache:
    """Answer equal calls from a store.

    Args:
        settings: See `CacheSettings`.
        store: The store of records; None means the one that the settings describe.
    """

    def __init__(self, settings: CacheSettings, store: Store | None = None) -> None:
        self._settings = settings
        self._store = make_store(settings) if store is None else store
        self._under_way: dict[str, asyncio.Future[_Data]] = {}
        self._writes: set[asyncio.Task[None]] = set()
        self._closed = False

    async def __call__(self, call: Call, proceed: Handler) -> Any:
        """Return the recorded answer to an equal call, or make the call and record its answer."""
        call, options = _split_options(call)
        key = None if options.skip else await self._key(call)
        if key is None:
            return await proceed(call)
        if not options.refresh:
            known = await self._find_answer(key, call)
            if known is not None:
                return known
        ttl = self._settings.ttl if options.ttl is None else options.ttl
        if call.stream:
            return self._record_stream(key, ttl, await proceed(call))
        return await self._make_call(key, ttl, call, proceed)

    async def aclose(self) -> None:
        """Wait until all answers are written, and close the store."""
        self._closed = True
        if self._writes:
            await asyncio.gather(*self._writes, return_exceptions=True)
        await self._store.aclose()

    async def _key(self, call: Call) -> str | None:
        if isinstance(call.request, CountRequest) or call.kind not in self._settings.kinds:
            return None
        try:
            per_user, per_key = self._settings.per_user, self._settings.per_key
            return await key_of(call, asked_by=self, per_user=per_user, per_key=per_key)
        except TypeError as error:
            logger.debug("call %s is not cached: %s", call.id, error)
            return None

    async def _find_answer(self, key: str, call: Call) -> Any:
        """Return the recorded answer, or that of an equal call under way; None if there is neither.

        Raises:
            TimeoutError: The answer of the equal call has not come within this call's timeout.
        """
        began = time.monotonic()
        while True:
            data: _Data = await self._read(key)
            if data is None:
                # Nothing is awaited from here until `_make_call` registers its future, so only one caller makes the call.
                under_way = self._under_way.get(key)
                if under_way is None:
                    return None
                data = await _wait_for(under_way, call, began)
            if data is _Left.LEFT:
                continue
            return None if data is None else _answer(data, call)

    async def _make_call(self, key: str, ttl: float, call: Call, proceed: Handler) -> Any:
        under_way: asyncio.Future[_Data] = asyncio.get_running_loop().create_future()
        self._under_way[key] = under_way
        try:
            reply = await proceed(call)
            data = self._record(reply, lambda: events_of(reply))
            under_way.set_result(data)
            if data is not None and not self._closed:
                # After this answer an equal call finds it stored, unless the disk is slow, for which nobody waits.
                await asyncio.wait((self._keep(key, data, ttl),), timeout=_STORED_WITHIN)
            return reply
        except asyncio.CancelledError:
            _settle(under_way, _Left.LEFT)
            raise
        finally:
            # An error may come from this caller's own timeout, so the other callers make the call themselves.
            _settle(under_way, None)
            if self._under_way.get(key) is under_way:
                del self._under_way[key]

    def _record_stream(self, key: str, ttl: float, source: StreamSource) -> StreamSource:
        events: list[Event] = []

        def record(response: Reply, error: BaseException | None) -> None:
            # A stream may be read after the mesh was left.
            is_lost = error is not None or self._closed
            data = None if is_lost else self._record(response, lambda: events)
            if data is not None:
                self._keep(key, data, ttl)

        # Copies, because the reader may change the events.
        return WatchedStream(source, record, lambda event: events.append(attrs.evolve(event)))

    def _keep(self, key: str, data: bytes, ttl: float) -> asyncio.Task[None]:
        """Store an answer in a task; until it is stored, equal calls find it here."""
        known: asyncio.Future[_Data] = asyncio.get_running_loop().create_future()
        known.set_result(data)
        self._under_way[key] = known

        async def write() -> None:
            try:
                await self._store.put(key, data, ttl)
            except Exception as error:
                logger.warning("an answer is not cached: %s: %s", type(error).__name__, error)
            finally:
                if self._under_way.get(key) is known:
                    del self._under_way[key]

        task = asyncio.get_running_loop().create_task(write())
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return task

    async def _read(self, key: str) -> bytes | None:
        try:
            return await self._store.get(key)
        except Exception as error:
            # Whatever a store raises, the call continues without it.
            logger.warning("the cache cannot be asked: %s: %s", type(error).__name__, error)
            return None

    def _record(self, reply: Any, events: Callable[[], Sequence[Event]]) -> bytes | None:
        """Serialize an answer if it is complete, has an accepted finish reason and came from the service."""
        if not isinstance(reply, Reply | EmbedReply | RerankReply) or not reply.complete or reply.replay:
            return None
        if isinstance(reply, Reply):
            reasons = {choice.finish_reason for choice in reply.choices}
            if not reasons or not reasons <= set(self._settings.finish_reasons):
                return None
        try:
            replay = Replay(by=NAME, recorded_at=time.time(), usage=reply.usage, cost=reply.cost)
            return encode(Record(events(), replay))
        except TypeError as error:
            logger.debug("an answer of %s is not cached: %s", reply.model, error)
        except Exception:
            # A plugin's price may raise anything; the caller still gets the answer.
            logger.exception("an answer of %s is not cached", reply.model)
        return None


async def _wait_for(under_way: asyncio.Future[_Data], call: Call, began: float) -> _Data:
    """Wait for another call's answer within this call's timeout. If this caller is cancelled, the others keep waiting."""
    total = None if call.timeout is None else call.timeout.total
    left = None if total is None else max(0.0, total - (time.monotonic() - began))
    await asyncio.wait((under_way,), timeout=left)
    if not under_way.done():
        raise TimeoutError(
            f"an equal call, which was made before, has no answer within {total:g} seconds (timeout phase total)",
            phase="total",
            connection=call.connection,
            provider=call.provider,
            model=call.model.id,
        )
    return under_way.result()


def _settle(future: asyncio.Future[_Data], data: _Data) -> None:
    if not future.done():
        future.set_result(data)


def _answer(data: bytes, call: Call) -> Any:
    try:
        record = decode(data)
    except (ValueError, TypeError, KeyError) as error:
        logger.warning("a record in the cache cannot be read: %s", error)
        return None
    if call.stream:
        return ReplayedStream(call, record.events, replay=record.replay)
    return replayed_reply(call, record.events, replay=record.replay)


def _split_options(call: Call) -> tuple[Call, _CallOptions]:
    """Remove `extra["cache"]` from a call, and return it as options."""
    extra = extra_of(call.request)
    if NAME not in extra:
        return call, _CallOptions()
    options = _read_options(extra[NAME])
    rest = {name: value for name, value in extra.items() if name != NAME}
    request: Request = call.request
    if isinstance(request, EmbedRequest | RerankRequest):
        request = attrs.evolve(request, extra=rest)
    else:
        request = attrs.evolve(request, options=attrs.evolve(request.options, extra=rest))
    return attrs.evolve(call, request=request), options


def _read_options(table: Mapping[str, Any]) -> _CallOptions:
    for name, value in table.items():
        if name == "ttl":
            fits = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        else:
            fits = name in {"skip", "refresh"} and isinstance(value, bool)
        if not fits:
            raise ConfigurationError(
                f'extra["cache"] contains {name} = {value!r}; it may contain skip and refresh (True or False) and ttl (seconds)'
            )
    return _CallOptions(**table)
