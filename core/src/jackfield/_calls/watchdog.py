"""Time limits that cost almost nothing while they are kept."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from jackfield._types.errors import TimeoutError, TimeoutPhase

__all__ = ["Watchdog"]

_SENTENCES: dict[TimeoutPhase, str] = {
    "queue": "no slot became free",
    "connect": "no connection stood",
    "first_event": "no answer began",
    "idle": "nothing more came of the answer",
    "total": "the call was not done",
}


class Watchdog:
    """Enforce the time limits of one call's waits.

    `asyncio.timeout` arms and disarms a timer for every wait; a stream waits thousands of times. This
    keeps one timer, which looks when it fires how long the present wait has lasted, and sets itself anew if
    the limit is not reached. The way of cancelling is that of `asyncio.Timeout`: the waiting task is cancelled,
    and the cancellation is taken back where it surfaces, unless somebody else asked for one as well.

        with watchdog("idle", 60.0):
            frames = await anext(exchange.frames)
    """

    __slots__ = (
        "_before",
        "_ends_at",
        "_fired",
        "_limit",
        "_loop",
        "_phase",
        "_task",
        "_timer",
        "_total",
        "_total_at",
    )

    def __init__(self, total: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._total = total
        self._total_at = None if total is None else self._loop.time() + total
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._phase: TimeoutPhase = "total"
        self._limit: float | None = None
        self._ends_at: float | None = None
        self._before = 0
        self._fired = False

    @property
    def remaining(self) -> float | None:
        """Seconds left of the whole call; None if it has no limit."""
        return None if self._total_at is None else self._total_at - self._loop.time()

    def __call__(self, phase: TimeoutPhase, limit: float | None) -> Watchdog:
        """Set phase and limit (seconds) of the wait that the next `with` surrounds."""
        self._phase = phase
        self._limit = limit
        return self

    def __enter__(self) -> Self:
        ends_at = self._total_at
        if self._limit is not None:
            own = self._loop.time() + self._limit
            ends_at = own if ends_at is None or own < ends_at else ends_at
        self._ends_at = ends_at
        if ends_at is None:
            return self
        task = self._task = asyncio.current_task()
        self._before = 0 if task is None else task.cancelling()
        timer = self._timer
        if timer is None or timer.when() > ends_at:
            if timer is not None:
                timer.cancel()
            self._timer = self._loop.call_at(ends_at, self._look)
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
        """Cancel the timer; the call is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        task, ends_at = self._task, self._ends_at
        if task is None or ends_at is None:
            return  # nobody waits now; the next wait arms the timer again
        if self._loop.time() < ends_at:
            self._timer = self._loop.call_at(ends_at, self._look)
        else:
            self._fired = True
            task.cancel()

    def _build_error(self) -> TimeoutError:
        phase, limit = self._phase, self._limit
        if self._total_at is not None and self._ends_at == self._total_at and phase != "queue":
            phase, limit = "total", self._total
        elif limit is None:
            limit = self._total
        return TimeoutError(
            f"{_SENTENCES[phase]} within {limit:g} seconds (timeout phase {phase})", phase=phase
        )
