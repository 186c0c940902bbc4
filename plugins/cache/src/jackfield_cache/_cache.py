"""The middleware: look, ask once, keep."""

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
from ._record import Record, decoded, encoded
from ._settings import CacheSettings
from ._stores import Store, make_store

__all__ = ["ResponseCache"]

logger = logging.getLogger("jackfield.cache")

NAME: Final = "cache"

_KEPT_WITHIN: Final = 0.05
"""Seconds for which an answer that is there waits to be kept."""

_Data: TypeAlias = "bytes | _Left | None"


class _Left(enum.Enum):
    LEFT = "whoever asked was cancelled"


@attrs.frozen
class _Wishes:
    """What a caller says with `extra={"cache": {...}}`."""

    skip: bool = False
    refresh: bool = False
    ttl: float | None = None


class ResponseCache:
    """Answers equal calls once.

    Args:
        settings: See `CacheSettings`.
        store: Where records are kept; the settings say which unless one is given.
    """

    def __init__(self, settings: CacheSettings, store: Store | None = None) -> None:
        self._settings = settings
        self._store = make_store(settings) if store is None else store
        self._under_way: dict[str, asyncio.Future[_Data]] = {}
        self._writes: set[asyncio.Task[None]] = set()
        self._closed = False

    async def __call__(self, call: Call, proceed: Handler) -> Any:
        """Return the recorded answer to an equal call, or make the call and record its answer."""
        call, wishes = _without_wishes(call)
        key = None if wishes.skip else await self._key(call)
        if key is None:
            return await proceed(call)
        if not wishes.refresh:
            known = await self._known(key, call)
            if known is not None:
                return known
        ttl = self._settings.ttl if wishes.ttl is None else wishes.ttl
        if call.stream:
            return self._recorded_stream(key, ttl, await proceed(call))
        return await self._asked(key, ttl, call, proceed)

    async def aclose(self) -> None:
        """Wait for what is being written, and close the store."""
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

    async def _known(self, key: str, call: Call) -> Any:
        """Return what is kept, or what another caller is being told; None if this caller has to ask.

        Raises:
            TimeoutError: The other's answer has not come within this call's limit.
        """
        began = time.monotonic()
        while True:
            data: _Data = await self._found(key)
            if data is None:
                # Nothing is awaited from here to where `_asked` says that it is under way: one caller asks.
                under_way = self._under_way.get(key)
                if under_way is None:
                    return None
                data = await _awaited(under_way, call, began)
            if data is _Left.LEFT:
                continue
            return None if data is None else _answer(data, call)

    async def _asked(self, key: str, ttl: float, call: Call, proceed: Handler) -> Any:
        under_way: asyncio.Future[_Data] = asyncio.get_running_loop().create_future()
        self._under_way[key] = under_way
        try:
            reply = await proceed(call)
            data = self._record(reply, lambda: events_of(reply))
            under_way.set_result(data)
            if data is not None and not self._closed:
                # Whoever has this answer finds it kept, unless the disk is slow: nobody waits for that.
                await asyncio.wait((self._keep(key, data, ttl),), timeout=_KEPT_WITHIN)
            return reply
        except asyncio.CancelledError:
            _settle(under_way, _Left.LEFT)
            raise
        finally:
            # An error is nobody else's: it may come of this caller's time limit. The others ask themselves.
            _settle(under_way, None)
            if self._under_way.get(key) is under_way:
                del self._under_way[key]

    def _recorded_stream(self, key: str, ttl: float, source: StreamSource) -> StreamSource:
        heard: list[Event] = []

        def ended(response: Reply, error: BaseException | None) -> None:
            # A stream may be read on when the mesh was left already.
            lost = error is not None or self._closed
            data = None if lost else self._record(response, lambda: heard)
            if data is not None:
                self._keep(key, data, ttl)

        # A copy of each: the reader may change what it is given.
        return WatchedStream(source, ended, lambda event: heard.append(attrs.evolve(event)))

    def _keep(self, key: str, data: bytes, ttl: float) -> asyncio.Task[None]:
        """Have an answer kept; until it is, who asks finds it here."""
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

    async def _found(self, key: str) -> bytes | None:
        try:
            return await self._store.get(key)
        except Exception as error:
            # Whatever a store is made of, the call goes on without it.
            logger.warning("the cache cannot be asked: %s: %s", type(error).__name__, error)
            return None

    def _record(self, reply: Any, events: Callable[[], Sequence[Event]]) -> bytes | None:
        """Write an answer down if it is whole, ended well and came from the service."""
        if not isinstance(reply, Reply | EmbedReply | RerankReply) or not reply.complete or reply.replay:
            return None
        if isinstance(reply, Reply):
            reasons = {choice.finish_reason for choice in reply.choices}
            if not reasons or not reasons <= set(self._settings.finish_reasons):
                return None
        try:
            replay = Replay(by=NAME, recorded_at=time.time(), usage=reply.usage, cost=reply.cost)
            return encoded(Record(events(), replay))
        except TypeError as error:
            logger.debug("an answer of %s is not cached: %s", reply.model, error)
        except Exception:
            # A plugin's price may do anything; the answer is here, and is the caller's.
            logger.exception("an answer of %s is not cached", reply.model)
        return None


async def _awaited(under_way: asyncio.Future[_Data], call: Call, began: float) -> _Data:
    """Wait for another call's answer, no longer than this call may take. Whoever is cancelled leaves the others waiting."""
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
        record = decoded(data)
    except (ValueError, TypeError, KeyError) as error:
        logger.warning("a record in the cache cannot be read: %s", error)
        return None
    if call.stream:
        return ReplayedStream(call, record.events, replay=record.replay)
    return replayed_reply(call, record.events, replay=record.replay)


def _without_wishes(call: Call) -> tuple[Call, _Wishes]:
    """Take `extra["cache"]` out of a call: it is for nobody else."""
    extra = extra_of(call.request)
    if NAME not in extra:
        return call, _Wishes()
    wishes = _read_wishes(extra[NAME])
    rest = {name: value for name, value in extra.items() if name != NAME}
    request: Request = call.request
    if isinstance(request, EmbedRequest | RerankRequest):
        request = attrs.evolve(request, extra=rest)
    else:
        request = attrs.evolve(request, options=attrs.evolve(request.options, extra=rest))
    return attrs.evolve(call, request=request), wishes


def _read_wishes(table: Mapping[str, Any]) -> _Wishes:
    for name, value in table.items():
        if name == "ttl":
            fits = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        else:
            fits = name in {"skip", "refresh"} and isinstance(value, bool)
        if not fits:
            raise ConfigurationError(
                f'extra["cache"] holds {name} = {value!r}; it may hold skip and refresh (True or False) and ttl (seconds)'
            )
    return _Wishes(**table)
