"""Slices: a process takes a small share of what is left from a store, and grants from it in memory.

A slice is a reservation of the store like any other, for many calls: what the process grants from it is never more, so the
limit holds. It is small against the limit (see `_share`), lives for two seconds, is then settled with what its calls have
used, and comes back by its lease if the process dies. What calls used in the last seconds before a process was killed is then
booked nowhere: where that matters more than round trips, use the store itself.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter as Counts, OrderedDict
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

import attrs

from ._store import Answer, Counter, Grant, Refusal, State, Store, StoreAwayError, Take

__all__ = ["SlicedStore"]

_CALLS: Final = 128
"""A slice has room for so many calls, if the limit is wide enough."""
_PART_OF_LIMIT: Final = 400
_PART_OF_REST: Final = 32
_FEWEST: Final = 4
"""A slice for fewer calls saves nothing."""
_LIFE: Final = 2.0
_REMEMBERED: Final = 10_000

_Kind: TypeAlias = tuple[Counter, ...]


@attrs.define(eq=False)
class _Held:
    """A call that was granted from a slice."""

    grant: Grant
    slice: _Slice
    since: float
    until: float


@attrs.define(eq=False)
class _Slice:
    """A reservation of the store, and what became of it here. Lists have one entry a counter."""

    kind: _Kind
    grant: Grant
    amounts: list[int]
    held: list[int]
    used: list[int]
    since: float
    until: float
    grants_until: float
    calls: dict[str, _Held] = attrs.field(factory=dict)
    is_retired: bool = False
    shares: list[int] = attrs.field(factory=list)  # of the amounts, what was taken for calls to come

    def fits(self, takes: Sequence[Take], lease: float, now: float) -> bool:
        if self.is_retired or now >= self.grants_until or now + lease > self.until:
            return False
        for place, take in enumerate(takes):
            if self.held[place] + self.used[place] + take.amount > self.amounts[place]:
                return False
        return True

    def states(self) -> tuple[State, ...]:
        """Return the counters as this process knows them: without the room that others do not see as free either."""
        return tuple(
            attrs.evolve(
                state,
                used=state.used + self.used[place],
                reserved=state.reserved - self.amounts[place] + self.held[place],
            )
            for place, state in enumerate(self.grant.states)
        )


class SlicedStore:
    """A store that asks another one once for many calls.

    Args:
        store: The other one, which several processes share.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._slices: dict[_Kind, _Slice] = {}
        self._shared: Counts[Counter] = Counts()  # what all slices here have of a counter
        self._retired: set[_Slice] = set()
        self._left: OrderedDict[_Kind, tuple[int | None, ...]] = OrderedDict()
        self._calls: dict[str, _Held] = {}
        self._elsewhere: OrderedDict[str, None] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._over: OrderedDict[str, None] = OrderedDict()
        self._opening: dict[_Kind, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closes = asyncio.Event()

    async def reserve(self, call_id: str, takes: Sequence[Take], lease: float) -> Answer:
        """See `Store`."""
        if call_id in self._elsewhere or not self._is_at_home():
            return await self._store.reserve(call_id, takes, lease)
        held = self._living(call_id)
        if held is not None:
            return attrs.evolve(held.grant, until=held.grant.now + held.until - held.since)
        if call_id in self._ended or call_id in self._over:
            raise ValueError(f"the call {call_id} has ended")
        kind = tuple(take.counter for take in takes)
        for _ in range(3):  # a slice that others have used up meanwhile
            found = self._slices.get(kind)
            if found is not None and found.fits(takes, lease, _now()):
                return self._take(found, call_id, takes, lease)
            if kind not in self._opening:
                shares = self._shares(takes)
                if shares is None:
                    break
                self._shared.update(dict(zip(kind, shares, strict=True)))
                task = self._opening[kind] = asyncio.ensure_future(self._open(kind, shares, lease))
                task.add_done_callback(lambda _: self._opening.pop(kind, None))
            await asyncio.shield(self._opening[kind])
        return await self._ask(call_id, takes, lease)

    async def settle(self, grant: Grant, used: Mapping[str, int]) -> tuple[State, ...]:
        """See `Store`."""
        held = self._calls.get(grant.call_id)
        if held is None:
            if grant.call_id in self._ended:
                return await self.read([take.counter for take in grant.takes])
            return await self._store.settle(grant, used)
        part = held.slice
        self._forget(held)
        _remember(self._ended, grant.call_id)
        for place, take in enumerate(grant.takes):
            part.used[place] += used.get(take.counter.key, 0)
        return part.states()

    async def release(self, call_id: str) -> None:
        """See `Store`."""
        held = self._calls.get(call_id)
        if held is None:
            if call_id not in self._ended:
                await self._store.release(call_id)
        else:
            self._forget(held)
        _remember(self._ended, call_id)

    async def renew(self, call_id: str, lease: float) -> bool:
        """See `Store`."""
        held = self._living(call_id)
        if held is None:
            is_over = call_id in self._ended or call_id in self._over
            return not is_over and await self._store.renew(call_id, lease)
        now = _now()
        part = held.slice
        if now + lease > part.until:
            if not await self._store.renew(part.grant.call_id, lease + _LIFE):
                return False
            part.until = now + lease + _LIFE
        held.until = now + lease
        return True

    async def read(self, counters: Sequence[Counter]) -> tuple[State, ...]:
        """See `Store`."""
        states = list(await self._store.read(counters))
        places = {counter: place for place, counter in enumerate(counters)}
        for part in (*self._slices.values(), *self._retired):
            for own, counter in enumerate(part.kind):
                place = places.get(counter)
                if place is None:
                    continue
                state = states[place]
                begin = part.grant.states[own].begin
                if counter.window.piece or begin == state.begin:
                    reserved = max(0, state.reserved - part.amounts[own] + part.held[own])
                    states[place] = attrs.evolve(state, used=state.used + part.used[own], reserved=reserved)
        return tuple(states)

    async def find(self, prefix: str) -> tuple[str, ...]:
        """See `Store`."""
        return await self._store.find(prefix)

    async def aclose(self) -> None:
        """See `Store`. Settles what calls have used."""
        self._closes.set()
        for part in list(self._slices.values()):
            await self._retire(part)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._store.aclose()

    def _is_at_home(self) -> bool:
        """Return whether this is the event loop of the slices; calls of others go to the store."""
        loop = asyncio.get_running_loop()
        if self._loop is None or self._loop.is_closed():
            self._loop = loop
        return self._loop is loop

    def _living(self, call_id: str) -> _Held | None:
        """Return what a call holds here; nothing if its lease is over."""
        held = self._calls.get(call_id)
        if held is not None and held.until <= _now():
            self._end_leases(held.slice)
            return None
        return held

    def _take(self, part: _Slice, call_id: str, takes: Sequence[Take], lease: float) -> Grant:
        for place, take in enumerate(takes):
            part.held[place] += take.amount
        since = _now()
        now = part.grant.now + since - part.since
        grant = Grant(call_id=call_id, takes=tuple(takes), states=part.states(), now=now, until=now + lease)
        self._calls[call_id] = part.calls[call_id] = _Held(grant, part, since, since + lease)
        return grant

    def _forget(self, held: _Held) -> None:
        """Return to its slice what a call holds; the last call of a retired slice settles it."""
        part = held.slice
        del self._calls[held.grant.call_id]
        del part.calls[held.grant.call_id]
        for place, take in enumerate(held.grant.takes):
            part.held[place] -= take.amount
        if part.is_retired and not part.calls:
            self._start(self._settle(part))

    async def _ask(self, call_id: str, takes: Sequence[Take], lease: float) -> Answer:
        """Reserve for one call; if that is refused, once more after this process has given back what it has left."""
        kind = tuple(take.counter for take in takes)
        _remember(self._elsewhere, call_id)
        answer = await self._store.reserve(call_id, takes, lease)
        if isinstance(answer, Refusal):
            own = [part for part in self._slices.values() if answer.take.counter in part.kind]
            for part in own:
                await self._retire(part)
            if own:
                answer = await self._store.reserve(call_id, takes, lease)
        if isinstance(answer, Grant):
            self._learn(kind, answer.states)
        else:
            self._left.pop(kind, None)
        return answer

    def _learn(self, kind: _Kind, states: Sequence[State]) -> None:
        self._left[kind] = tuple(
            None if counter.most is None else max(0, counter.most - state.used - state.reserved)
            for counter, state in zip(kind, states, strict=True)
        )
        self._left.move_to_end(kind)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)

    def _shares(self, takes: Sequence[Take]) -> list[int] | None:
        """Return how much a slice for such calls has of each counter; None where it is better to ask for each call."""
        kind = tuple(take.counter for take in takes)
        left = self._left.get(kind)
        if left is None:
            return None
        earlier = self._slices.get(kind)
        calls = _CALLS
        for place, (take, rest) in enumerate(zip(takes, left, strict=True)):
            if rest is None or take.amount == 0:
                continue
            others = self._shared[take.counter] - (0 if earlier is None else earlier.shares[place])
            room = (take.counter.most or 0) // _PART_OF_LIMIT - others
            calls = min(calls, rest // _PART_OF_REST // take.amount, room // take.amount)
        return [take.amount * calls for take in takes] if calls >= _FEWEST else None

    def _drop(self, kind: _Kind) -> _Slice | None:
        part = self._slices.pop(kind, None)
        if part is not None:
            self._unshare(kind, part.shares)
        return part

    def _unshare(self, kind: _Kind, shares: Sequence[int]) -> None:
        self._shared.subtract(dict(zip(kind, shares, strict=True)))
        for counter in kind:
            if not self._shared[counter]:
                del self._shared[counter]

    async def _open(self, kind: _Kind, shares: list[int], lease: float) -> None:
        """Take a new slice, which also holds what calls of the earlier one hold; settle that."""
        earlier = self._drop(kind)
        longest = 0.0 if earlier is None else self._end_leases(earlier)
        amounts = (
            shares if earlier is None else [sum(pair) for pair in zip(shares, earlier.held, strict=True)]
        )
        try:
            part = await self._reserve(kind, amounts, max(lease, longest) + _LIFE)
        except BaseException:
            self._unshare(kind, shares)
            if earlier is not None:
                self._start(self._retire(earlier))
            raise
        if part is None:
            self._unshare(kind, shares)
            self._left.pop(kind, None)
            if earlier is not None:
                await self._retire(earlier)
            return
        self._slices[kind] = part
        part.shares = shares
        self._learn(kind, part.grant.states)
        asyncio.get_running_loop().call_later(_LIFE * 1.25, self._look_after, part)
        if earlier is not None:
            self._move(earlier, part)
            if not earlier.calls:
                self._start(self._settle(earlier))

    async def _reserve(self, kind: _Kind, amounts: list[int], lease: float) -> _Slice | None:
        slice_id = f"slice-{secrets.token_hex(12)}"
        takes = [Take(counter=counter, amount=amount) for counter, amount in zip(kind, amounts, strict=True)]
        now = _now()
        try:
            answer = await self._store.reserve(slice_id, takes, lease)
        except StoreAwayError:
            self._start(self._release(slice_id))
            raise
        if isinstance(answer, Refusal):
            return None
        ends = [end for counter in kind if (end := counter.window.span(answer.now)[1]) is not None]
        grants_until = now + min([_LIFE, *(end - answer.now for end in ends)])
        empty = [0] * len(kind)
        part = _Slice(
            kind=kind, grant=answer, amounts=amounts, held=empty, used=list(empty), since=now, until=now + lease,
            grants_until=grants_until,
        )  # fmt: skip
        asyncio.get_running_loop().call_later(lease, self._end_leases, part)
        return part

    def _end_leases(self, part: _Slice) -> float:
        """End calls of a slice whose lease is over; return the seconds that the longest of the others has."""
        now = _now()
        for held in [held for held in part.calls.values() if held.until <= now]:
            self._forget(held)
            _remember(self._over, held.grant.call_id)
        return max((held.until - now for held in part.calls.values()), default=0.0)

    def _move(self, earlier: _Slice, part: _Slice) -> None:
        """Let a slice hold what calls of an earlier one hold, if both count in the same windows. That one has ended."""
        earlier.is_retired = True
        self._retired.add(earlier)
        if [state.begin for state in earlier.grant.states] != [state.begin for state in part.grant.states]:
            return
        for call_id, held in earlier.calls.items():
            held.slice = part
            part.calls[call_id] = held
            for place, take in enumerate(held.grant.takes):
                part.held[place] += take.amount
                earlier.held[place] -= take.amount
        earlier.calls.clear()

    async def _retire(self, part: _Slice) -> None:
        """Return what a slice has left to the store. What its calls hold goes to one that has no more than that."""
        if part.is_retired:
            return
        if self._slices.get(part.kind) is part:
            self._drop(part.kind)
        longest = self._end_leases(part)
        part.is_retired = True
        self._retired.add(part)
        if part.calls:
            with suppress(StoreAwayError):
                carrier = await self._reserve(part.kind, list(part.held), longest + _LIFE)
                if carrier is not None:
                    self._move(part, carrier)
                    carrier.is_retired = True
                    self._retired.add(carrier)
                    if not carrier.calls:
                        self._start(self._settle(carrier))
        if not part.calls and not await self._book(part):
            self._start(self._settle(part))

    async def _book(self, part: _Slice) -> bool:
        """Book what the calls of a slice have used; return False if the store is away."""
        used = {counter.key: amount for counter, amount in zip(part.kind, part.used, strict=True)}
        try:
            await self._store.settle(part.grant, used)
        except StoreAwayError:
            return False
        self._retired.discard(part)
        return True

    async def _settle(self, part: _Slice) -> None:
        """Book what the calls of a slice have used, as soon as the store is there."""
        pause = 0.1
        while not await self._book(part) and not self._closes.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closes.wait()
            pause = min(2 * pause, 60.0)

    async def _release(self, slice_id: str) -> None:
        for pause in (0.1, 1.0, 10.0):
            with suppress(StoreAwayError):
                return await self._store.release(slice_id)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closes.wait()
        return None

    def _look_after(self, part: _Slice) -> None:
        """Retire a slice that nobody asks any more."""
        if not part.is_retired and self._slices.get(part.kind) is part and part.kind not in self._opening:
            self._start(self._retire(part))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # the store is away: what was taken comes back with its lease


def _now() -> float:
    return asyncio.get_running_loop().time()


def _remember(ids: OrderedDict[str, None], call_id: str) -> None:
    ids[call_id] = None
    if len(ids) > _REMEMBERED:
        ids.popitem(last=False)
