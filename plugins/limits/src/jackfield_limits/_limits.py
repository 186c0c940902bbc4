"""The middleware: reserve what a call may use at most, make it, and settle what it used."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Protocol

import attrs

from jackfield import OverloadedError, Reply
from jackfield.plugin import BOOKINGS, Call, CountRequest, Handler, StreamSource, WatchedStream

from ._amounts import as_amount, as_quantity
from ._error import LimitReachedError, describe_amount, describe_moment
from ._live import enter, leave
from ._measures import Measured, Meter, UnmeasurableError
from ._memory import MemoryStore
from ._rules import Rule, RuleBook
from ._settings import LimitsSettings
from ._store import Counter, Grant, Refusal, State, Store, StoreAwayError, Take

__all__ = ["Limits", "describe_state"]

logger = logging.getLogger("jackfield.limits")

_PROCESS: Final = secrets.token_hex(8)
_numbers: Final = itertools.count(1)
_UNLIMITED: Final = 300.0
"""Seconds of a lease of a call without a total time limit; it is renewed until the call has ended."""
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
_NOTHING: Final = (Decimal(0), False)
_TRIES: Final = 5
"""To settle in a store that is away, with growing pauses."""


class Listener(Protocol):
    """What wants to know of each call that was settled."""

    def __call__(self, used: Mapping[str, int], states: Sequence[State]) -> None: ...


class Limits:
    """Hold calls to limits.

    Args:
        settings: See `LimitsSettings`.
        store: The store; None means the one that the settings name.
        rules: The limits; None means those of the settings.
        listener: Called with what each call used, by counter, and the state of the counters.
    """

    needs_content = False

    def __init__(
        self,
        settings: LimitsSettings,
        store: Store | None = None,
        *,
        rules: Sequence[Rule] | None = None,
        listener: Listener | None = None,
    ) -> None:
        self._settings = settings
        self._book = RuleBook([Rule.of(limit) for limit in settings.limit] if rules is None else rules)
        self._store: Store = enter(self, settings) if store is None else store
        self._at_once = type(self._store) is MemoryStore
        self._meter = Meter(
            expected=settings.reserve == "expected",
            allow_unpriced=settings.unpriced == "allow",
            assume_output=settings.assume_output,
        )
        self._listener = listener
        self._warned: dict[str, tuple[int, float]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The limits."""
        return self._book.rules

    @property
    def store(self) -> Store:
        """The store."""
        return self._store

    async def __call__(self, call: Call, proceed: Handler) -> Any:
        """Reserve, make the call, and settle; or refuse it.

        Raises:
            LimitReachedError: A limit does not let it through.
        """
        found = () if isinstance(call.request, CountRequest) else self._book.find(call)
        if not found:
            return await proceed(call)
        began = time.perf_counter()
        grant, call = await self._reserve(call, found)
        if grant is None:
            return await proceed(call)
        booking = _Booking(self, call, found, grant, began)
        try:
            answer = await proceed(call)
        except BaseException as error:
            await booking.end(None, error)
            raise
        if call.stream:
            return _SettledStream(answer, booking)
        await booking.end(answer, None)
        booking.note(answer.metadata)
        return answer

    async def explain(self, call: Call) -> dict[str, Any]:
        """Return which limits concern a call, what it would reserve of each, and whether that passes now.

        While the store is away, `used`, `reserved`, `remaining` and `resets_at` are None.
        """
        found = self._book.find(call)
        rows: list[dict[str, Any]] = []
        for (rule, counter), state in zip(
            found, await self._look([counter for _, counter in found]), strict=True
        ):
            row = describe_state(rule, state or _nothing(counter))
            if state is None:
                row |= dict.fromkeys(("used", "reserved", "remaining", "resets_at"))
            try:
                amount = self._meter.most(rule, call)
            except UnmeasurableError as error:
                row |= {"would_reserve": None, "passes": False, "why": error.why}
            else:
                row |= {"would_reserve": str(as_quantity(rule.measure, amount))}
                row |= self._pass(counter, state, amount)
            rows.append(row)
        return {"limits": rows}

    async def _look(self, counters: Sequence[Counter]) -> Sequence[State | None]:
        """Return the states of counters; None for each while the store is away."""
        try:
            return await self._store.read(counters)
        except StoreAwayError as error:
            logger.warning("the store of limits is away: %s", error)
            return [None] * len(counters)

    def _pass(self, counter: Counter, state: State | None, amount: int) -> dict[str, Any]:
        """Return whether an amount passes now, as `explain` tells it."""
        if state is not None:
            return {"passes": counter.most is None or state.used + state.reserved + amount <= counter.most}
        serves = self._settings.store_away == "serve"
        why = "calls are made uncounted" if serves else "calls are refused until it is back"
        return {"passes": serves, "why": f"the store of limits is away, and {why}"}

    async def aclose(self) -> None:
        """Wait until everything is settled, and close the store."""
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        leave(self)
        await self._store.aclose()

    # Before a call

    async def _reserve(self, call: Call, found: Sequence[tuple[Rule, Counter]]) -> tuple[Grant | None, Call]:
        takes = [Take(counter=counter, amount=self._measure(rule, call)) for rule, counter in found]
        total = None if call.timeout is None else call.timeout.total
        lease = (_UNLIMITED if total is None else total) + self._settings.margin
        call_id = f"{_PROCESS}-{next(_numbers)}"
        began, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            answer = await self._ask(call_id, takes, lease)
            if answer is None:
                return None, call
            if isinstance(answer, Grant):
                break
            rule = next(rule for rule, counter in found if counter is answer.take.counter)
            wait = self._wait(rule, answer, total, time.monotonic() - began, pause)
            if wait is None:
                raise self._refuse(rule, call, answer, total)
            await asyncio.sleep(wait)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        waited = time.monotonic() - began
        if waited > _FIRST_PAUSE and total is not None and call.timeout is not None:
            call = attrs.evolve(call, timeout=attrs.evolve(call.timeout, total=max(0.0, total - waited)))
        return answer, call

    def _measure(self, rule: Rule, call: Call) -> int:
        try:
            return self._meter.most(rule, call)
        except UnmeasurableError as error:
            raise LimitReachedError(
                f"limit {rule.name} cannot count this call: {error.why}",
                limit=rule.name,
                measure=rule.measure,
                currency=rule.currency,
                most=rule.most,
                **_place(call),
            ) from None

    async def _ask(self, call_id: str, takes: Sequence[Take], lease: float) -> Grant | Refusal | None:
        """Reserve in the store; None if it is away and calls go on without it."""
        try:
            return await self._store.reserve(call_id, takes, lease)
        except StoreAwayError as error:
            self._run(self._store.release(call_id))
            if self._settings.store_away == "serve":
                logger.warning("the store of limits is away; a call is made uncounted: %s", error)
                return None
            raise OverloadedError(
                f"the store of limits is away, and calls are refused until it is back: {error}",
                retryable=True,
            ) from error
        except asyncio.CancelledError:
            self._run(self._store.release(call_id))  # it may have been granted
            raise

    @staticmethod
    def _wait(rule: Rule, refusal: Refusal, total: float | None, waited: float, pause: float) -> float | None:
        """Return how long to wait before the next try; None if it is of no use."""
        if rule.action != "wait":
            return None
        left = rule.wait - waited if total is None else min(rule.wait, total) - waited
        never = refusal.take.counter.most is not None and refusal.take.amount > refusal.take.counter.most
        if left <= 0 or never:
            return None
        if refusal.state.reserved == 0:  # nothing comes back before the window ends
            if refusal.passes_at is None or refusal.passes_at - refusal.now > left:
                return None
            return min(left, max(0.001, refusal.passes_at - refusal.now))
        return min(left, pause)

    def _refuse(self, rule: Rule, call: Call, refusal: Refusal, total: float | None) -> LimitReachedError:
        measure, state = rule.measure, refusal.state
        room = max(0, rule.amount - state.used - state.reserved)
        used, reserved, asked, largest = (
            as_quantity(measure, amount) for amount in (state.used, state.reserved, refusal.take.amount, room)
        )
        until = None if refusal.passes_at is None else max(0.0, refusal.passes_at - refusal.now)
        output = _largest_output(rule, call, room)

        def words(amount: Decimal) -> str:
            return describe_amount(measure, rule.currency, amount)

        message = (
            f"limit {rule.name} is reached: {words(used)} used and {words(reserved)} reserved of {words(rule.most)}, "
            f"and this call may use {words(asked)}"
        )
        if room and measure != "parallel":
            message += f"; {words(largest)} would pass"
            message += f" (max_tokens={output})" if output else ""
        if until is not None:
            message += f"; wait until {describe_moment(refusal.passes_at or 0)}"
        elif refusal.take.amount > rule.amount:
            message += "; it never fits, make the call smaller"
        elif state.reserved:
            message += "; try again when calls under way have ended"
        else:
            message += "; ask whoever set the limit for more"
        return LimitReachedError(
            message,
            limit=rule.name,
            measure=measure,
            currency=rule.currency,
            asked=asked,
            used=used,
            reserved=reserved,
            most=rule.most,
            resets_at=state.resets_at,
            largest=largest,
            largest_output=output,
            retry_after=until,
            retryable=until is not None and (total is None or until <= total),
            **_place(call),
        )

    # After it

    async def settle(self, booking: _Booking, answer: Any, error: BaseException | None) -> None:
        """Book what a call used, and give back what it reserved."""
        call, grant = booking.call, booking.grant
        measured = Measured(call, answer, error, time.perf_counter() - booking.began)
        used: dict[str, int] = {}
        costs: dict[str, tuple[Decimal, bool]] = {}
        for (rule, counter), take in zip(booking.found, grant.takes, strict=True):
            amount, estimated = measured.used(rule, take.amount)
            used[counter.key] = amount
            if rule.currency is not None and booking.bookings is not None:
                money = as_quantity(rule.measure, amount)
                costs[rule.currency] = max(costs.get(rule.currency, _NOTHING), (money, estimated))
            if error is None and not measured.free:
                self._meter.learn(rule, call, take.amount, amount, measured.usage)
        if booking.bookings is not None:
            for currency, (money, estimated) in costs.items():
                booking.bookings.add(call.connection, currency, self._store, money, estimated=estimated)
        if measured.free and not any(used.values()):
            states: Sequence[State] = grant.states
            await _quietly(self._store.release(grant.call_id))
        else:
            states = await self._settle_in_store(grant, used)
            self._warn(booking.found, states)
        booking.used, booking.estimated = used, measured.estimated
        if self._listener is not None:
            self._listener(used, states)

    async def _settle_in_store(self, grant: Grant, used: Mapping[str, int]) -> Sequence[State]:
        for number in range(_TRIES):
            try:
                return await self._store.settle(grant, used)
            except StoreAwayError as error:
                logger.warning("call %s cannot be settled yet: %s", grant.call_id, error)
                await asyncio.sleep(0.1 * 3**number)
        logger.error(
            "call %s was not settled, as the store of limits is away; it used %s", grant.call_id, dict(used)
        )
        return grant.states

    def _warn(self, found: Sequence[tuple[Rule, Counter]], states: Sequence[State]) -> None:
        for (rule, counter), state in zip(found, states, strict=True):
            levels = rule.warn_at or ((1.0,) if rule.action == "warn" else ())
            if not levels:
                continue
            most = rule.amount
            level = max((part for part in levels if state.used >= part * most), default=0.0)
            begin, known = self._warned.get(counter.key, (state.begin, 0.0))
            if begin != state.begin and not rule.window.piece:
                known = 0.0
            if level > known:
                used = describe_amount(rule.measure, rule.currency, as_quantity(rule.measure, state.used))
                of = describe_amount(rule.measure, rule.currency, rule.most)
                logger.warning("limit %s: %s of %s are used (%d %%)", counter.key, used, of, level * 100)
            if level != known or begin != state.begin:
                self._warned[counter.key] = state.begin, level

    def finish(self, work: Coroutine[Any, Any, None]) -> asyncio.Future[None] | Coroutine[Any, Any, None]:
        """Return what completes a settlement, even if whoever awaits it is cancelled."""
        return work if self._at_once else asyncio.shield(self._run(work))

    def renew(self, booking: _Booking) -> None:
        """Renew the lease of a call without a time limit until it has ended."""
        if booking.call.timeout is None or booking.call.timeout.total is None:
            booking.renewing = self._run(self._renew(booking.grant.call_id))

    async def _renew(self, call_id: str) -> None:
        lease = _UNLIMITED + self._settings.margin
        while True:
            await asyncio.sleep(_UNLIMITED / 2)
            try:
                if not await self._store.renew(call_id, lease):
                    return
            except StoreAwayError as error:
                logger.warning("a reservation cannot be renewed yet: %s", error)

    def _run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _quietly(work: Coroutine[Any, Any, Any]) -> None:
    try:
        await work
    except StoreAwayError as error:
        logger.warning("the store of limits is away: %s", error)


class _Booking:
    """A call under way, and what it has reserved."""

    __slots__ = (
        "_limits",
        "began",
        "bookings",
        "call",
        "ended",
        "estimated",
        "found",
        "grant",
        "renewing",
        "used",
    )

    def __init__(
        self, limits: Limits, call: Call, found: Sequence[tuple[Rule, Counter]], grant: Grant, began: float
    ) -> None:
        self._limits = limits
        self.call = call
        self.found = found
        self.grant = grant
        self.began = began
        self.ended = False
        self.used: Mapping[str, int] | None = None
        self.estimated = False
        self.renewing: asyncio.Task[Any] | None = None
        # Taken now: whoever ends a stream may be another task, or the garbage collector.
        self.bookings = BOOKINGS.get()
        if call.timeout is None or call.timeout.total is None:
            limits.renew(self)

    async def end(self, answer: Any, error: BaseException | None) -> None:
        """Settle, once."""
        if self.ended:
            return
        self.ended = True
        if self.renewing is not None:
            self.renewing.cancel()
        await self._limits.finish(self._limits.settle(self, answer, error))

    def note(self, metadata: dict[str, Any]) -> None:
        """Write into the metadata of an answer what was reserved and settled."""
        known = metadata.get("limits")
        if not isinstance(known, Summary):
            known = metadata["limits"] = Summary()
        known.add(self.found, self.grant, self.used, estimated=self.estimated)


class _SettledStream(WatchedStream):
    """A stream, or a relayed answer, that settles when it ends."""

    def __init__(self, source: StreamSource, booking: _Booking) -> None:
        super().__init__(source, booking.end)
        self._booking = booking

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What was reserved, and the state of the limits, as soon as the answer has begun."""
        metadata = dict(super().metadata)
        self._booking.note(metadata)
        return metadata

    @property
    def response(self) -> Reply:
        """The reply as far as it was read, with what was reserved and settled."""
        response = super().response
        self._booking.note(response.metadata)
        return response


class Summary(Mapping[str, Mapping[str, Any]]):
    """What was reserved and settled, by the name of the limit; written out when it is read."""

    def __init__(self) -> None:
        self._parts: dict[int, tuple[Any, ...]] = {}

    def add(
        self,
        found: Sequence[tuple[Rule, Counter]],
        grant: Grant,
        used: Mapping[str, int] | None,
        *,
        estimated: bool,
    ) -> None:
        """Add the limits of one middleware; what it said before is replaced."""
        self._parts[id(found)] = found, grant, used, estimated

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        for found, grant, used, estimated in self._parts.values():
            for (rule, counter), take, state in zip(found, grant.takes, grant.states, strict=True):
                if rule.name == name:
                    row = describe_state(rule, state)
                    row["reserved"] = str(as_quantity(rule.measure, take.amount))
                    row["settled"] = (
                        None if used is None else str(as_quantity(rule.measure, used[counter.key]))
                    )
                    row["estimated"] = estimated
                    return row
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (rule.name for found, *_ in self._parts.values() for rule, _ in found)

    def __len__(self) -> int:
        return sum(len(found) for found, *_ in self._parts.values())

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, ({name: dict(row) for name, row in self.items()},)


def describe_state(rule: Rule, state: State) -> dict[str, Any]:
    """Return a limit and its state as JSON-able data; amounts are texts, as they are exact."""
    room = max(0, rule.amount - state.used - state.reserved)
    row: dict[str, Any] = {
        "limit": state.key,
        "measure": rule.measure,
        "currency": rule.currency,
        "window": "" if rule.window.kind == "now" else str(rule.window),
        "action": rule.action,
        "used": str(as_quantity(rule.measure, state.used)),
        "reserved": str(as_quantity(rule.measure, state.reserved)),
        "most": f"{rule.most:f}",
        "remaining": str(as_quantity(rule.measure, room)),
        "resets_at": state.resets_at,
    }
    return row


def _nothing(counter: Counter) -> State:
    return State(key=counter.key, begin=0, used=0, reserved=0)


def _place(call: Call) -> dict[str, Any]:
    return {"connection": call.connection, "provider": call.provider, "model": call.model.id}


def _largest_output(rule: Rule, call: Call, room: int) -> int | None:
    """Return about how many output tokens fit into what is left, together with this call's input."""
    forecast = call.forecast
    if forecast is None or not forecast.most_output_tokens:
        return None
    if rule.measure == "output_tokens":
        return room // forecast.choices
    if rule.measure == "tokens":
        return max(0, room - forecast.most_input_tokens) // forecast.choices
    if rule.measure != "money":
        return None
    one, none = (forecast.price(forecast.most_input_tokens, count) for count in (1_000_000, 0))
    if (
        one.amount is None
        or none.amount is None
        or one.currency != rule.currency
        or one.amount <= none.amount
    ):
        return None
    left = room - as_amount("money", none.amount)
    return max(0, left * 1_000_000 // as_amount("money", one.amount - none.amount)) // forecast.choices
