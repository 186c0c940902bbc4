"""The store in memory: for the calls of one process, or of one budget."""

from __future__ import annotations

import heapq
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from ._store import Answer, Counter, Grant, Refusal, State, Take
from ._windows import Window

__all__ = ["MemoryStore"]

_REMEMBERED: Final = 10_000
"""Ids that have ended and are not reserved again."""


class _Cell:
    """What was used and is reserved in one window, or in one piece of a rolling one."""

    __slots__ = ("begin", "reserved", "used")

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self.used = 0
        self.reserved = 0


class _Count:
    """A counter: the cell of its current window; of a rolling one also the earlier pieces."""

    __slots__ = ("_window", "cell", "end", "old")

    def __init__(self, window: Window, now: float) -> None:
        self._window = window
        begin, self.end = window.span(now)
        self.cell = _Cell(begin)
        self.old: list[_Cell] = []

    def advance(self, now: float) -> None:
        """Begin a new window if the current one is over; of a rolling one, let pieces leave."""
        if self.end is None or now < self.end:
            return
        begin, self.end = self._window.span(now)
        if self._window.piece:
            horizon = begin - self._window.horizon
            for cell in self.old:
                cell.used = cell.used if cell.begin >= horizon else 0  # one that is still reserved from
            self.old = [
                cell
                for cell in (*self.old, self.cell)
                if cell.reserved or (cell.used and cell.begin >= horizon)
            ]
        self.cell = _Cell(begin)

    def book(self, begin: int, used: int) -> None:
        """Book what was used in the window that began at a moment. In one that is over, nobody asks for it any more."""
        if self.cell.begin == begin:
            self.cell.used += used
        elif self.cell.begin - self._window.horizon <= begin < self.cell.begin:
            cell = next((cell for cell in self.old if cell.begin == begin), None)
            if cell is None:
                cell = _Cell(begin)
                self.old = sorted([*self.old, cell], key=lambda cell: cell.begin)
            cell.used += used

    def sums(self) -> tuple[int, int]:
        """Return what is used and reserved in the window."""
        cell = self.cell
        if not self._window.piece or not self.old:
            return cell.used, cell.reserved
        horizon = cell.begin - self._window.horizon
        used = cell.used + sum(old.used for old in self.old if old.begin >= horizon)
        return used, cell.reserved + sum(old.reserved for old in self.old)

    def resets_at(self) -> float | None:
        """Return when the window ends, or its first used piece leaves it."""
        if not self._window.piece:
            return self.end
        cells = [cell.begin for cell in (*self.old, self.cell) if cell.used]
        return None if not cells else min(cells) + self._window.horizon + self._window.piece

    def passes_at(self, amount: int, most: int) -> float | None:
        """Return when an amount fits if nothing more is used."""
        if amount > most or self.end is None:
            return None
        if not self._window.piece:
            return self.end
        used, reserved = self.sums()
        for cell in (*self.old, self.cell):
            used -= cell.used
            if used + reserved + amount <= most:
                return cell.begin + self._window.horizon + self._window.piece
        return None


@attrs.define
class _Held:
    """A reservation: the cells from which it took, and how much."""

    parts: list[tuple[_Cell, int]]
    until: float
    grant: Grant


class MemoryStore:
    """Counters in memory. Safe to use from several event loops and threads.

    Args:
        clock: Returns seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._last = 0.0
        self._counts: dict[str, tuple[Window, _Count]] = {}
        self._held: dict[str, _Held] = {}
        self._leases: list[tuple[float, str]] = []
        self._ended: OrderedDict[str, bool] = OrderedDict()
        self._lock = threading.Lock()

    async def reserve(self, call_id: str, takes: Sequence[Take], lease: float) -> Answer:
        """See `Store`."""
        with self._lock:
            now = self._now()
            held = self._held.get(call_id)
            if held is not None:
                return attrs.evolve(held.grant, until=held.until)
            if call_id in self._ended:
                msg = f"the call {call_id} has ended"
                raise ValueError(msg)
            counts = [self._count(take.counter, now) for take in takes]
            for take, count in zip(takes, counts, strict=True):
                most = take.counter.most
                if most is not None:
                    used, reserved = count.sums()
                    if used + reserved + take.amount > most:
                        state = _state(take.counter.key, count)
                        passes_at = count.passes_at(take.amount, most)
                        return Refusal(call_id=call_id, take=take, state=state, now=now, passes_at=passes_at)
            parts = [(count.cell, take.amount) for take, count in zip(takes, counts, strict=True)]
            for cell, amount in parts:
                cell.reserved += amount
            states = tuple(_state(take.counter.key, count) for take, count in zip(takes, counts, strict=True))
            grant = Grant(call_id=call_id, takes=tuple(takes), states=states, now=now, until=now + lease)
            self._held[call_id] = _Held(parts, now + lease, grant)
            heapq.heappush(self._leases, (now + lease, call_id))
            return grant

    async def settle(self, grant: Grant, used: Mapping[str, int]) -> tuple[State, ...]:
        """See `Store`."""
        with self._lock:
            now = self._now()
            held = self._held.get(grant.call_id)
            counts = [self._count(take.counter, now) for take in grant.takes]
            if held is not None:
                self._give_back(grant.call_id)
            if held is not None or not self._ended.get(grant.call_id, False):
                self._end(grant.call_id, for_good=True)
                for take, state, count in zip(grant.takes, grant.states, counts, strict=True):
                    count.book(state.begin, used.get(take.counter.key, 0))
            return tuple(
                _state(take.counter.key, count) for take, count in zip(grant.takes, counts, strict=True)
            )

    async def release(self, call_id: str) -> None:
        """See `Store`."""
        with self._lock:
            self._now()
            if call_id in self._held:
                self._give_back(call_id)
            self._end(call_id, for_good=True)

    async def renew(self, call_id: str, lease: float) -> bool:
        """See `Store`."""
        with self._lock:
            now = self._now()
            held = self._held.get(call_id)
            if held is None:
                return False
            held.until = now + lease
            heapq.heappush(self._leases, (held.until, call_id))
            return True

    async def read(self, counters: Sequence[Counter]) -> tuple[State, ...]:
        """See `Store`."""
        with self._lock:
            now = self._now()
            return tuple(_state(counter.key, self._count(counter, now)) for counter in counters)

    async def find(self, prefix: str) -> tuple[str, ...]:
        """See `Store`."""
        with self._lock:
            now, found = self._now(), []
            for key, (_, count) in self._counts.items():
                if key.startswith(prefix):
                    count.advance(now)
                    if any(count.sums()):
                        found.append(key)
            return tuple(sorted(found))

    async def aclose(self) -> None:
        """See `Store`."""

    def _now(self) -> float:
        """Return the moment, and end the reservations whose leases are over."""
        self._last = now = max(self._clock(), self._last)
        while self._leases and self._leases[0][0] <= now:
            _, call_id = heapq.heappop(self._leases)
            held = self._held.get(call_id)
            if held is not None and held.until <= now:
                self._give_back(call_id)
                self._end(call_id, for_good=False)
        if len(self._leases) > 2 * len(self._held) + _REMEMBERED:
            self._leases = [(held.until, call_id) for call_id, held in self._held.items()]
            heapq.heapify(self._leases)
        return now

    def _count(self, counter: Counter, now: float) -> _Count:
        """Return a counter, in its current window; anew if the limit has another kind of window than before."""
        known = self._counts.get(counter.key)
        if known is not None and (known[0] is counter.window or known[0] == counter.window):
            known[1].advance(now)
            return known[1]
        count = _Count(counter.window, now)
        self._counts[counter.key] = counter.window, count
        return count

    def _give_back(self, call_id: str) -> None:
        for cell, amount in self._held.pop(call_id).parts:
            cell.reserved -= amount

    def _end(self, call_id: str, *, for_good: bool) -> None:
        """Remember an id that has ended; one whose lease is over may still be settled, unless that was done."""
        self._ended[call_id] = for_good or self._ended.get(call_id, False)
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)


def _state(key: str, count: _Count) -> State:
    used, reserved = count.sums()
    return State(key=key, begin=count.cell.begin, used=used, reserved=reserved, resets_at=count.resets_at())
