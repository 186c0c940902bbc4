"""Execute one call on one connection: translate, take a slot, make attempts, build the reply."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, cast
from warnings import warn
from weakref import WeakMethod

import attrs

from jackfield._config.extra_ids import keep_own_extra
from jackfield._contract.protocols import CostContext
from jackfield._input.kinds import ReplyT
from jackfield._types.calls import Call
from jackfield._types.cost import Cost
from jackfield._types.errors import JackfieldError
from jackfield._types.events import Event
from jackfield._types.parameters import ParameterReport, Translation
from jackfield._types.replies import EmbedReply, Reply, RerankReply, TokenCount
from jackfield._types.requests import CountRequest

from .attempts import Attempts
from .building import build_reply, check_reply, fold_decoded, fold_read
from .exchange import WireExchange
from .fold import MANY_EVENTS, Folded, GrowingFold
from .tiers import requested_choices, requested_tier
from .translation import translate
from .watchdog import Watchdog

if TYPE_CHECKING:
    from .connection import Connection, Target
    from .streams import EventMap, MappedStream

__all__ = ["Execution", "LiveStream"]

_NO_REPORT = ParameterReport()
_closing: set[asyncio.Task[None]] = set()
"""An event loop holds its tasks weakly."""


class Execution(Generic[ReplyT]):
    """One call on one connection; its type is that of the reply to a call of its kind.

    Args:
        connection: Where to.
        target: The model.
        call: What is asked.
    """

    __slots__ = (
        "_attempts", "_call", "_connection", "_queued_at", "_slot", "_target", "_timeout", "_translation", "_watchdog",
    )  # fmt: skip

    def __init__(self, connection: Connection, target: Target, call: Call) -> None:
        self._connection = connection
        self._target = target
        self._call = call
        self._timeout = call.timeout or connection.config.timeout
        self._watchdog = Watchdog(self._timeout.total, connection.timers)
        self._attempts = Attempts(connection, self._watchdog, target=target, call=call)
        self._translation: Translation | None = None
        self._slot = False
        self._queued_at = time.perf_counter()

    async def run(self) -> ReplyT:
        """Execute the call and return its complete reply.

        Raises:
            JackfieldError: The call failed; the error names the place and holds every attempt.
        """
        try:
            translation = self._translate()
            if self._connection.slots is not None:
                await self._take_slot()
            limit = self._timeout.until_first_event(stream=False)
            exchange = await self._attempts.run(translation, WireExchange.read_whole, limit)
            if len(exchange.events) < MANY_EVENTS:
                return self._build_whole(exchange, self.fold(exchange.events))
            growing = self.begin_fold()
            await growing.keep_up(exchange.events, len(exchange.events))
            return self._build_whole(exchange, self.fold_read(growing, exchange.events, len(exchange.events)))
        except BaseException as error:
            self._complete(error)
            raise
        finally:
            self._release()

    async def stream(self: Execution[Reply]) -> LiveStream:
        """Execute the call until its first event and return the stream.

        Raises:
            JackfieldError: As `run`.
        """
        try:
            translation = self._translate()
            if self._connection.slots is not None:
                await self._take_slot()
            limit = self._timeout.until_first_event(stream=True)
            exchange = await self._attempts.run(translation, WireExchange.begin, limit)
        except BaseException as error:
            self._complete(error)
            self._release()
            raise
        return LiveStream(self, exchange, self._timeout.idle)

    async def close(self) -> None:
        """Close the upstream and release the slot; may be called twice."""
        try:
            if self._attempts.exchange is not None:
                await self._attempts.exchange.close()
        finally:
            self._release()

    def watch_total(self, expire: Callable[[], None]) -> None:
        """Call a function when the limit of the whole call is over, if nobody waits for it then."""
        self._watchdog.on_total = expire

    def build_total_error(self) -> JackfieldError:
        """Return the error of a call that took longer than it may as a whole."""
        return self._watchdog.build_total_error()

    def close_soon(self) -> None:
        """Close from outside a coroutine: what nobody reads must not keep its connection."""
        task = self._watchdog.loop.create_task(self.close())
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    def abandon(self) -> None:
        """Close what its reader forgot; called by the garbage collector, perhaps in another thread."""
        loop = self._watchdog.loop
        if not loop.is_closed():
            loop.call_soon_threadsafe(self.close_soon)
        warn(
            f"a stream of {self._connection.name}:{self._call.model.id} was dropped and not closed; "
            "use `async with mesh.stream_chat(...) as stream:`, or `await stream.aclose()`",
            ResourceWarning,
            stacklevel=2,
        )

    def _release(self) -> None:
        """Release timer and slot; may be called twice."""
        self._watchdog.stop()
        if self._attempts.permit is not None:
            self._attempts.settle()
        if self._slot:
            self._slot = False
            slots = self._connection.slots
            if slots is not None:
                slots.release()

    def complete_error(self, error: JackfieldError, partial: Reply | None = None) -> None:
        """Add to an error where it happened, every attempt, and the part of the reply that had arrived."""
        self._connection.locate_and_redact(error, self._call.model.id)
        error.attempts = tuple(self._attempts.made)
        if error.partial is None:
            error.partial = partial

    def build(
        self, folded: Folded, body: bytes | None, *, complete: bool, ended: bool | None = None
    ) -> Reply | EmbedReply | RerankReply:
        """Build the reply that events amount to.

        Args:
            folded: The events.
            body: The body of a whole response; None for a stream.
            complete: Whether that is all, and the service said why it ended.
            ended: Whether that is all that the service sent; None means as `complete`.
        """
        translation = self._translation
        return build_reply(
            self._call,
            folded,
            complete=complete,
            ended=ended,
            usage=folded.usage,
            cost=self._defer_cost(folded, complete=complete),
            parameters=_NO_REPORT if translation is None else translation.report,
            attempts=tuple(self._attempts.made),
            raw=body,
        )

    def fold(self, events: list[Event]) -> Folded:
        """Fold the events that this call's decoder returned.

        Raises:
            PluginError: They do not fit together.
        """
        return fold_decoded(self._call, events, self._connection)

    def begin_fold(self) -> GrowingFold:
        """Return the fold of a stream that is read on."""
        return GrowingFold(self._call.provider, self._call.model.id)

    def fold_read(self, growing: GrowingFold, events: list[Event], end: int) -> Folded:
        """Fold the events of a stream that were read so far.

        Raises:
            PluginError: They do not fit together.
        """
        return fold_read(growing, events, end, self._connection)

    def _translate(self) -> Translation:
        call, target, provider = self._call, self._target, self._connection.provider
        request = keep_own_extra(call.request, provider.info)
        translation = translate(provider.translate, target.model, request, target.capabilities)
        self._translation = translation
        return translation

    async def _take_slot(self) -> None:
        slots = self._connection.slots
        if slots is not None:
            with self._watchdog("queue", None):
                await slots.acquire()
            self._slot = True

    def _complete(self, error: BaseException) -> None:
        if isinstance(error, JackfieldError):
            self.complete_error(error, self._build_partial())
        elif isinstance(error, asyncio.CancelledError):
            # It cannot become one of our errors; observers read the attempts here.
            error.attempts = tuple(self._attempts.made)  # type: ignore[attr-defined]

    def _build_partial(self) -> Reply | None:
        """Build the part of a reply that had arrived before the exchange broke."""
        exchange = self._attempts.exchange
        if exchange is None or not exchange.events:
            return None
        try:
            reply = self.build(self.fold(exchange.events), exchange.body, complete=False)
        except JackfieldError:
            return None
        return reply if isinstance(reply, Reply) else None

    def _build_whole(self, exchange: WireExchange, folded: Folded) -> ReplyT:
        call = self._call
        if isinstance(call.request, CountRequest):
            return _read_count(folded, exchange)  # type: ignore[return-value]
        reply = self.build(folded, exchange.body, complete=True)
        check_reply(call, folded, reply, exchange)
        # The kind of the request decides both types; `cast` would be called for each reply.
        return reply  # type: ignore[return-value]

    def _defer_cost(self, folded: Folded, *, complete: bool) -> Callable[[], Cost]:
        """Return a function that computes the cost when it is first read.

        Args:
            folded: The events.
            complete: Whether they are all; else their counts are those that had come, and the service bills more.
        """
        when, ended = time.time(), time.perf_counter()
        pricing, target, kind = self._connection.pricing, self._target, self._call.kind
        # Its choices alone, taken now: a reply must not keep its whole request.
        wire = None if self._translation is None else self._translation.wire
        chosen = {} if wire is None else requested_choices(wire)
        headers = (self._connection.config.headers, {} if wire is None else wire.headers)
        began = self._attempts.sent_at or self._queued_at
        # Taken now, as more may be folded into it.
        usage, raw_usage, model = folded.usage, folded.raw_usage, folded.model
        tier, region = folded.service_tier, folded.region

        def cost() -> Cost:
            context = CostContext(
                when=when,
                kind=kind,
                reported_model=model,
                service_tier=tier or requested_tier(chosen, *headers),
                requested=chosen,
                region=region,
                duration=ended - began,
                raw_usage=raw_usage,
            )
            found = pricing.cost(target.model, target.entry, usage, context)
            return found if complete else _cost_so_far(found)

        return cost


def _cost_so_far(cost: Cost) -> Cost:
    """Return the cost of an answer that was cut or left: what was counted is not all that the service bills."""
    if cost.status != "complete":
        return cost
    return attrs.evolve(cost, status="partial", missing=(*cost.missing, "output_tokens"))


def _read_count(folded: Folded, exchange: WireExchange) -> TokenCount:
    if folded.counted is None:
        raise exchange.build_malformed("the answer holds no count of tokens")
    return TokenCount(input_tokens=folded.counted, exact=True, source="service")


class LiveStream:
    """A stream that has begun: its events come from the exchange, its reply from the execution.

    Attributes:
        exhausted: The reader was told that there are no more events.
    """

    __slots__ = (
        "__weakref__", "_closed", "_error", "_events", "_exchange", "_execution", "_growing", "_idle", "_next",
        "_response", "exhausted",
    )  # fmt: skip

    def __init__(self, execution: Execution[Reply], exchange: WireExchange, idle: float | None) -> None:
        self._execution = execution
        self._exchange = exchange
        self._idle = idle
        self._events = exchange.events
        self._next = 0
        self._closed = False
        self.exhausted = False
        self._error = exchange.fault
        self._response: Reply | None = None
        self._growing = execution.begin_fold()
        expire = WeakMethod(self._expire)
        execution.watch_total(lambda: (method := expire()) and method())

    def __del__(self) -> None:
        if not self._closed:
            self._execution.abandon()

    def _expire(self) -> None:
        """End at the limit of the whole call, although nobody waits for more."""
        if self._closed:
            return
        if not self._exchange.ended and self._error is None:
            self._error = self._execution.build_total_error()
        self._closed = True
        self._execution.close_soon()

    def __aiter__(self) -> LiveStream:
        return self

    async def __anext__(self) -> Event:
        index = self._next
        if index == len(self._events):
            await self._read_more()
        self._next = index + 1
        return self._events[index]

    def ready(self) -> list[Event]:
        """Return the events that have come and were not read yet; these count as read."""
        events = self._events[self._next :]
        self._next = len(self._events)
        return events

    async def _read_more(self) -> None:
        """Read until there is another event; raise at the end."""
        if self._error is not None:
            await self.aclose()
            self._complete_error(self._error)
            raise self._error
        if self._closed or self._exchange.ended:
            self.exhausted = self._exchange.ended
            await self.aclose()
            raise StopAsyncIteration
        before = len(self._events)
        try:
            if self._growing.lags(before):
                await self._growing.keep_up(self._events, before)
            await self._exchange.read_more(self._idle)
            self._exchange.require_end()
        except JackfieldError as error:
            if self._closed:  # another task closed the stream while this one waited
                raise StopAsyncIteration from None
            await self.aclose()
            self._error = error
            # What came in the same read, before the fault, is delivered first.
            if len(self._events) == before:
                self._complete_error(error)
                raise
        except BaseException:
            await self.aclose()
            raise
        if len(self._events) == before:
            self.exhausted = True
            await self.aclose()
            raise StopAsyncIteration

    def _complete_error(self, error: JackfieldError) -> None:
        self._execution.complete_error(error, self._build(self._fold(), complete=False))

    @property
    def response(self) -> Reply:
        """The reply as far as it was read; its usage also counts events that were not."""
        if self._response is not None:
            return self._response
        ended = self._exchange.ended and self._next == len(self._events) and self._error is None
        complete = ended and self._exchange.is_complete
        reply = self._build(self._fold(), complete=complete, ended=ended)
        if complete:
            self._response = reply
        return reply

    def map(self, change: EventMap) -> MappedStream:
        """Return a stream whose events are changed."""
        from .streams import MappedStream

        return MappedStream(self, change, self._rebuild)

    def _rebuild(self, response: Reply, folded: Folded) -> Reply:
        # Usage and cost stay true, whatever became of the events that reported them.
        return attrs.evolve(
            self._build(folded, complete=response.complete, ended=response.ended),
            usage=response.usage,
            cost=lambda: response.cost,
        )

    def _fold(self) -> Folded:
        return self._execution.fold_read(self._growing, self._events, self._next)

    def _build(self, folded: Folded, *, complete: bool, ended: bool | None = None) -> Reply:
        reply = self._execution.build(folded, self._exchange.body, complete=complete, ended=ended)
        return cast("Reply", reply)  # no other kind is streamed

    async def aclose(self) -> None:
        """Close the upstream at once; may be called twice."""
        if not self._closed:
            self._closed = True
            await self._execution.close()
