"""Hold attempts back until their service takes them: by a pace that is declared, and by what the service has shown.

Waiting calls of a connection go in the order in which they were made. One that waits for what concerns its model alone holds
up no other model.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from typing import TYPE_CHECKING, Final, TypeAlias

from jackfield._types.errors import ConfigurationError, TimeoutError

from .pace_learnt import LearntPace, Start
from .pace_window import Booking, Need, PaceWindow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield._config.connections import ConnectionConfig
    from jackfield._types.allowances import AllowanceHeaders
    from jackfield._types.capabilities import ModelEntry
    from jackfield._types.policies import PaceCounts
    from jackfield._types.usage import Usage

    from .watchdog import Watchdog

    Limit: TypeAlias = PaceWindow | LearntPace

__all__ = ["Lane", "Pacer", "Permit"]

_MOST_LANES: Final = 1024
_SOON: Final = 1e-6
"""Seconds that timers may fire early."""
_LATEST_WEIGHT: Final = 0.2
_numbers = itertools.count()

learns = True
"""Whether what services show is heeded; `jackfield.testing` turns it off so that users' tests need not wait."""


class Lane:
    """The calls of one model.

    Attributes:
        windows: The declared paces that hold for it.
        learnt: What its service has shown; None if that is nothing.
        ratio: How many tokens are used for each that was estimated: of input, of output.
    """

    __slots__ = ("learnt", "limits", "name", "ratio", "waiters", "windows")

    def __init__(self, name: str, windows: tuple[PaceWindow, ...]) -> None:
        self.name = name
        self.windows = windows
        self.learnt: LearntPace | None = None
        self.limits: tuple[Limit, ...] = windows
        self.waiters: list[_Waiter] = []
        self.ratio: tuple[float, float] | None = None

    def is_idle(self, now: float) -> bool:
        """Return whether nothing is lost if it is forgotten."""
        return not self.waiters and (self.learnt is None or self.learnt.is_quiet(now))

    @property
    def counts_tokens(self) -> bool:
        """Whether it matters how many tokens a request needs."""
        return self.learnt is not None or any(window.policy.tokens is not None for window in self.windows)

    def learn(self, learnt: LearntPace) -> LearntPace:
        """Heed from now on what the service shows."""
        self.learnt = learnt
        self.limits = (learnt, *self.windows)
        return learnt

    def expect(self, estimate: Need, counts: PaceCounts) -> Need:
        """Return what a request will count for, as estimates of earlier ones compare with what they used.

        Args:
            estimate: Its input, and the most output that it asks for.
            counts: What its service counts.
        """
        read, written = estimate
        if counts == "larger":
            return Need(read, max(0, written - read))
        if counts == "asked" or self.ratio is None:
            return estimate
        most = written if counts == "reserved" else math.ceil(written * self.ratio[1])
        return Need(math.ceil(read * self.ratio[0]), most)

    def heed_usage(self, estimate: Need, used: Need) -> None:
        """Compare an estimate with what was used."""
        pairs = ((used.input, estimate.input), (used.output, estimate.output))
        latest = [real / guessed if guessed else 1.0 for real, guessed in pairs]
        before = latest if self.ratio is None else self.ratio
        new = [old + _LATEST_WEIGHT * (now - old) for old, now in zip(before, latest, strict=True)]
        self.ratio = (new[0], new[1])

    def first(self) -> _Waiter | None:
        """Return the call that is next; those that wait no longer are dropped."""
        while self.waiters and self.waiters[0].future.done():
            heapq.heappop(self.waiters)
        return self.waiters[0] if self.waiters else None


class _Waiter:
    __slots__ = ("before", "deadline", "future", "need", "number")

    def __init__(self, before: float, need: Need, deadline: float, loop: asyncio.AbstractEventLoop) -> None:
        self.before = before
        self.number = next(_numbers)
        self.need = need
        self.deadline = deadline
        self.future: asyncio.Future[Permit] = loop.create_future()

    def __lt__(self, other: _Waiter) -> bool:
        return (self.before, self.number) < (other.before, other.number)


class Permit:
    """The leave of one attempt to start, and what is booked for it until it is known what it used.

    Attributes:
        waited: Seconds that it was held back.
    """

    __slots__ = ("_bookings", "_is_settled", "_need", "lane", "start", "waited")

    def __init__(
        self, lane: Lane, need: Need, start: Start | None, bookings: list[tuple[PaceWindow, Booking]]
    ) -> None:
        self.lane = lane
        self.start = start
        self.waited = 0.0
        self._bookings = bookings
        self._need = need
        self._is_settled = False

    def settle(self, usage: Usage, estimate: Need, counts: PaceCounts) -> None:
        """Correct what is booked by what was used; what is not known stays as it was estimated. May be called twice.

        Args:
            usage: What was used.
            estimate: What was estimated.
            counts: What the service counts.
        """
        if self._is_settled or (usage.input_tokens is None and usage.output_tokens is None):
            return
        used = Need(
            self._need.input if usage.input_tokens is None else usage.input_tokens,
            self._need.output if usage.output_tokens is None else usage.output_tokens,
        )
        self.lane.heed_usage(estimate, used)
        is_less = counts in {"asked", "larger"} and used.tokens < self._need.tokens
        self._correct(self._need.tokens if is_less else used.tokens)

    def free(self) -> None:
        """Return the tokens to the allowance: the request was refused, or did not reach the service."""
        if not self._is_settled:
            self._correct(0)

    def undo(self) -> None:
        """Return everything to the allowance: the attempt did not start."""
        for window, booking in self._bookings:
            window.correct(booking, -self._need.tokens, -1)
        if self.lane.learnt is not None and self.start is not None:
            self.lane.learnt.undo(self._need)
        self._is_settled = True

    def _correct(self, tokens: int) -> None:
        self._is_settled = True
        for window, booking in self._bookings:
            window.correct(booking, tokens - self._need.tokens)


class Pacer:
    """Lets the attempts of one connection start.

    Args:
        config: The connection's.
    """

    def __init__(self, config: ConnectionConfig) -> None:
        self._config = config
        self._whole = None if config.pace is None else PaceWindow(config.pace, f"connection {config.name}")
        self._of_entries: dict[str, PaceWindow] = {}
        self._lanes: dict[str, Lane] = {}
        self._busy: set[Lane] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def lane(self, model_id: str, entry: ModelEntry | None) -> Lane:
        """Return the lane of a model.

        Args:
            model_id: The model; "" for what is asked of no model, which no declared pace holds for.
            entry: What is declared of it.
        """
        lane = self._lanes.get(model_id)
        if lane is None:
            if len(self._lanes) >= _MOST_LANES:  # ids may come from a program's users
                now = asyncio.get_running_loop().time()
                self._lanes = {name: lane for name, lane in self._lanes.items() if not lane.is_idle(now)}
            lane = self._lanes[model_id] = Lane(
                f"{self._config.name}:{model_id}" if model_id else f"the models of {self._config.name}",
                self._windows(entry) if model_id else (),
            )
        return lane

    def _windows(self, entry: ModelEntry | None) -> tuple[PaceWindow, ...]:
        windows = () if self._whole is None else (self._whole,)
        if entry is None or entry.pace is None:
            return windows
        window = self._of_entries.get(entry.id)
        if window is None:
            window = PaceWindow(entry.pace, f"{self._config.name}:{entry.id}")
            self._of_entries[entry.id] = window
        return (window, *windows)

    async def enter(self, lane: Lane, need: Need, before: float | None, watchdog: Watchdog) -> Permit:
        """Wait until an attempt may start.

        Args:
            lane: That of its model.
            need: The tokens that it counts for.
            before: When its call began to be sent, in seconds of `time.perf_counter()`; None for a first attempt.
            watchdog: Limits the call.

        Raises:
            TimeoutError: The call has no time for it; at once if that is certain.
        """
        loop = watchdog.loop
        now = loop.time()
        if not self._busy and _last_ready(lane, now, need)[1] <= now + _SOON:
            return self._start(lane, need, now, waited=False)
        remaining = watchdog.remaining
        deadline = math.inf if remaining is None else now + remaining
        if self._is_late(lane, now, need, deadline):
            raise self._build_error(lane, now, need, remaining)
        waiter = _Waiter(time.perf_counter() if before is None else before, need, deadline, loop)
        heapq.heappush(lane.waiters, waiter)
        self._busy.add(lane)
        self._let_go(loop)
        try:
            with watchdog("queue", None):
                permit = await waiter.future
        except BaseException as error:
            is_over = isinstance(error, TimeoutError) and not _is_raised_by(waiter.future, error)
            self._leave(waiter, loop)
            if is_over:
                raise self._build_error(lane, loop.time(), need, remaining) from None
            raise
        permit.waited = loop.time() - now
        return permit

    def _leave(self, waiter: _Waiter, loop: asyncio.AbstractEventLoop) -> None:
        """Let the others pass a call that waits no longer, and take back what it was granted in the same moment."""
        future = waiter.future
        if not future.done():
            future.cancel()
        elif not future.cancelled() and future.exception() is None:
            future.result().undo()
        self._let_go(loop)

    # What attempts show

    def heed_refusal(self, lane: Lane, permit: Permit | None, retry_after: float | None, took: float) -> None:
        """Hold the calls of a model back: its service refused one."""
        if not learns or self._closed:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        start = None if permit is None else permit.start
        learnt = lane.learnt or lane.learn(LearntPace(lane.name, self._config.retry))
        learnt.refuse(now, start, retry_after, took if start is None else now - start.at)
        for waiter in lane.waiters:
            if not waiter.future.done() and self._is_late(lane, now, waiter.need, waiter.deadline):
                left = None if waiter.deadline == math.inf else waiter.deadline - now
                waiter.future.set_exception(self._build_error(lane, now, waiter.need, left))
        self._let_go(loop)

    def heed_headers(
        self,
        lane: Lane,
        permit: Permit | None,
        names: tuple[AllowanceHeaders, ...],
        headers: Mapping[str, str],
    ) -> None:
        """Keep to what the headers of an answer tell."""
        if not learns or self._closed:
            return
        loop = asyncio.get_running_loop()
        start = None if permit is None else permit.start
        for one in names:
            told = one.read(headers)
            if told is not None:
                learnt = lane.learnt or lane.learn(LearntPace(lane.name, self._config.retry))
                learnt.see(loop.time(), start, one, told)
        self._let_go(loop)

    def close(self) -> None:
        """Let nobody wait any longer: the mesh is left."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for lane in self._busy:
            for waiter in lane.waiters:
                if not waiter.future.done():
                    waiter.future.set_exception(
                        ConfigurationError(
                            f"the mesh was left while connection {self._config.name} was in use"
                        )
                    )
        self._busy.clear()

    # Who is next

    def _let_go(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start every waiting attempt that may start now, and come back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._busy or self._closed:
            return
        now, wake = loop.time(), math.inf
        taken: set[Limit] = set()
        firsts = [(waiter, lane) for lane in self._busy if (waiter := lane.first()) is not None]
        heapq.heapify(firsts)
        while firsts:
            waiter, lane = heapq.heappop(firsts)
            if taken and not taken.isdisjoint(lane.limits):
                continue  # an earlier call waits for the same
            last, at = _last_ready(lane, now, waiter.need)
            if last is not None and at > now + _SOON:
                taken.add(last)
                wake = min(wake, at)
                continue
            heapq.heappop(lane.waiters)
            waiter.future.set_result(self._start(lane, waiter.need, now, waited=True))
            following = lane.first()
            if following is not None:
                heapq.heappush(firsts, (following, lane))
        self._busy = {lane for lane in self._busy if lane.waiters}
        if self._busy and wake < math.inf:
            self._timer = loop.call_at(wake, self._let_go, loop)

    def _start(self, lane: Lane, need: Need, now: float, *, waited: bool) -> Permit:
        bookings = [(window, window.take(now, need)) for window in lane.windows]
        start = None if lane.learnt is None else lane.learnt.take(now, need, waited=waited)
        return Permit(lane, need, start, bookings)

    def _is_late(self, lane: Lane, now: float, need: Need, deadline: float) -> bool:
        """Return whether a call cannot start in time, whatever happens to those before it."""
        if lane.learnt is not None and lane.learnt.is_out_of_reach(now):
            return True
        return _last_ready(lane, now, need)[1] > deadline

    def _build_error(self, lane: Lane, now: float, need: Need, remaining: float | None) -> TimeoutError:
        """Return the error of a call that had no time to wait: it says for what."""
        learnt = lane.learnt
        if learnt is not None and learnt.is_out_of_reach(now):
            wait = learnt.until - now
            return TimeoutError(
                f"{lane.name}: the service refused a call and wants none for {wait:.3g} seconds, which is more than "
                f"retry_after_cap ({self._config.retry.retry_after_cap:g}) (timeout phase queue)",
                phase="queue",
                retry_after=wait,
            )
        last, at = _last_ready(lane, now, need)
        wait = at - now
        within = "" if remaining is None else f" within {remaining:.3g} seconds"
        return TimeoutError(
            f"{last} left no room for this call{within} (timeout phase queue)",
            phase="queue",
            retry_after=wait if 0 < wait < math.inf else None,
        )


def _is_raised_by(future: asyncio.Future[Permit], error: BaseException) -> bool:
    return future.done() and not future.cancelled() and future.exception() is error


def _last_ready(lane: Lane, now: float, need: Need) -> tuple[Limit | None, float]:
    """Return what lets a request start last of all, and when."""
    last, at = None, -math.inf
    for limit in lane.limits:
        ready = limit.ready_at(now, need)
        if ready > at:
            last, at = limit, ready
    return last, at
