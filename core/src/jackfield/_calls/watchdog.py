"""Time limits that cost almost nothing while they are kept."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from types import TracebackType
from typing import Self

from jackfield._types.errors import TimeoutError, TimeoutPhase

__all__ = ["Timers", "Watchdog"]

_SENTENCES: dict[TimeoutPhase, str] = {
    "queue": "no slot became free",
    "connect": "no connection stood",
    "first_event": "no answer began",
    "idle": "nothing more came of the answer",
    "total": "the call was not done",
}


class Timers:
    """Timers of an event loop, which calls use one after another.

    A loop keeps its timers in a heap, and cancelled ones stay there. A timer of its own for each call took 7 % of what a
    call costs with 64 in flight.
    """

    __slots__ = ("_closed", "_idle", "_loop")

    def __init__(self) -> None:
        self._idle: list[_Timer] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def take(self, loop: asyncio.AbstractEventLoop, when: float, check: Callable[[], None]) -> _Timer:
        """Return a timer that calls `check` at `when`, by the clock of the loop, or before."""
        if loop is not self._loop:
            self._loop, self._idle = loop, []
        idle = self._idle
        while idle:
            timer = idle.pop()
            if timer.when <= when:
                timer.check = check
                return timer
            if timer.when != math.inf:
                idle.append(timer)  # one of a call with a longer limit
                break
        timer = _Timer(loop, check)
        timer.set(when)
        return timer

    def put_back(self, timer: _Timer) -> None:
        """Keep a timer for the next call; if it fires before, nothing happens."""
        timer.check = None
        if self._closed or timer.loop is not self._loop:
            timer.cancel()
        else:
            self._idle.append(timer)

    def close(self) -> None:
        """Cancel what nobody uses now, and later what is put back."""
        self._closed = True
        while self._idle:
            self._idle.pop().cancel()


class _Timer:
    """A timer that can be set again.

    Attributes:
        when: When it fires; infinity after it has, and before it is set.
        check: What it calls; None if nobody uses it.
        loop: Its event loop.
    """

    __slots__ = ("_handle", "check", "loop", "when")

    def __init__(self, loop: asyncio.AbstractEventLoop, check: Callable[[], None]) -> None:
        self.loop = loop
        self.check: Callable[[], None] | None = check
        self.when = math.inf
        self._handle: asyncio.TimerHandle | None = None

    def set(self, when: float) -> None:
        """Fire at `when`, and not when it was set to before."""
        self.cancel()
        self.when = when
        self._handle = self.loop.call_at(when, self._fire)

    def cancel(self) -> None:
        """Do not fire."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self.when = math.inf

    def _fire(self) -> None:
        self._handle = None
        self.when = math.inf
        if self.check is not None:
            self.check()


class Watchdog:
    """Enforce the time limits of one call's waits.

    `asyncio.timeout` arms and disarms a timer for every wait; a stream waits thousands of times. This
    keeps one timer, which checks when it fires how long the present wait has lasted, and sets itself anew if
    the limit is not reached. It may be that of an earlier call, and fire before it needs to. The way of cancelling is that of `asyncio.Timeout`: the waiting task is cancelled,
    and the cancellation is taken back where it surfaces, unless somebody else asked for one as well.

        with watchdog("idle", 60.0):
            frames = await anext(exchange.frames)

    Args:
        total: Seconds of the whole call; None is no limit.
        timers: Those of the connection; None for a call without one.

    Attributes:
        loop: The event loop of the call.
        on_total: Called when the limit of the whole call is over and nobody waits: for a stream that is not read.
    """

    __slots__ = (
        "_before",
        "_ends_at",
        "_fired",
        "_limit",
        "_phase",
        "_task",
        "_timer",
        "_timers",
        "_total",
        "_total_at",
        "loop",
        "on_total",
    )

    def __init__(self, total: float | None, timers: Timers | None = None) -> None:
        if timers is None:
            timers = Timers()
            timers.close()  # there is no other call to keep its timer for
        self._timers = timers
        self.loop = asyncio.get_running_loop()
        self._total = total
        self._total_at = None if total is None else self.loop.time() + total
        self._timer: _Timer | None = None
        self._task: asyncio.Task[object] | None = None
        self._phase: TimeoutPhase = "total"
        self._limit: float | None = None
        self._ends_at: float | None = None
        self._before = 0
        self._fired = False
        self.on_total: Callable[[], None] | None = None

    @property
    def remaining(self) -> float | None:
        """Seconds left of the whole call; None if it has no limit."""
        return None if self._total_at is None else self._total_at - self.loop.time()

    def __call__(self, phase: TimeoutPhase, limit: float | None) -> Watchdog:
        """Set phase and limit (seconds) of the wait that the next `with` surrounds."""
        self._phase = phase
        self._limit = limit
        return self

    def __enter__(self) -> Self:
        ends_at = self._total_at
        if self._limit is not None:
            own = self.loop.time() + self._limit
            ends_at = own if ends_at is None or own < ends_at else ends_at
        self._ends_at = ends_at
        if ends_at is None:
            return self
        task = self._task = asyncio.current_task()
        self._before = 0 if task is None else task.cancelling()
        timer = self._timer
        if timer is None:
            self._timer = self._timers.take(self.loop, ends_at, self._look)
        elif timer.when > ends_at:
            timer.set(ends_at)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._fired:
            self._fired = False
            if task is not None and task.uncancel() <= self._before and kind is not None:
                if issubclass(kind, asyncio.CancelledError):
                    raise self._build_error() from error
                # The cancellation was turned into another error on its way here.
                raise self._build_error() from error

    def stop(self) -> None:
        """Put the timer back; the call is over."""
        if self._timer is not None:
            self._timers.put_back(self._timer)
            self._timer = None

    def _look(self) -> None:
        task, ends_at, timer = self._task, self._ends_at, self._timer
        if timer is None:
            return
        if task is None or ends_at is None:  # nobody waits now; the next wait sets the timer again
            self._look_at_total(timer)
            return
        if self.loop.time() < ends_at:
            timer.set(ends_at)
        else:
            self._fired = True
            task.cancel()

    def _look_at_total(self, timer: _Timer) -> None:
        """End a stream at the limit of its call, although nobody reads it."""
        if self._total_at is None or self.on_total is None:
            return
        if self.loop.time() < self._total_at:
            timer.set(self._total_at)
        else:
            self.on_total()

    def build_total_error(self) -> TimeoutError:
        """Return the error of a call that took longer than it may as a whole."""
        self._phase, self._limit = "total", self._total
        return self._build_error()

    def _build_error(self) -> TimeoutError:
        phase, limit = self._phase, self._limit
        if self._total_at is not None and self._ends_at == self._total_at and phase != "queue":
            phase, limit = "total", self._total
        elif limit is None:
            limit = self._total
        return TimeoutError(
            f"{_SENTENCES[phase]} within {limit:g} seconds (timeout phase {phase})", phase=phase
        )
