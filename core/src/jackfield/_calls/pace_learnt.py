"""What a service has shown of its limits for one model: by refusing, and by the headers of its answers."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Final

from .pace_window import Need

if TYPE_CHECKING:
    from typing import TypeAlias

    from jackfield._types.allowances import Allowance, AllowanceHeaders, Measure
    from jackfield._types.policies import RetryPolicy

    _Sums: TypeAlias = tuple[int, int, int]

__all__ = ["LearntPace", "Start"]

_AFTER_A_REFUSAL: Final = 0.97
"""The part of the rate that a service was seen to take at which calls go on."""
_UNTRIED: Final = 2.0
"""How much faster calls may go on than they came, if they did not always have to wait."""
_GROWTH: Final = 1.5e-6
"""How much faster each request may follow than the one before it, times the number that were taken since a refusal.

So the rate that was refused is tried again after two hundred requests, and doubled after a thousand.
"""
_SPREAD: Final = 0.1
_CERTAIN: Final = 0.98
"""The part of the rate at which an allowance is seen to grow back that is counted on."""
_NEARLY: Final = 20
"""The part of an allowance, one in so many, with which it counts as used up."""
_WHOLE_SECONDS: Final = 1.0
"""How exact resets are: many services write whole seconds."""
_SHORTEST_STEP, _LONGEST_STEP = 0.05, 2.0
_BEHIND_A_PROBE: Final = 1.5
"""The pause behind the first request after a hold, in times that a refusal takes."""
_FAST: Final = 0.0005
"""The fewest seconds between two starts of a model whose service has refused some."""
_LATE: Final = 0.02
"""Seconds by which starts may be late and are made up for."""
_PAUSE: Final = 1.0
"""Seconds without a call after which the time is not counted to what a service takes."""
_FORGOTTEN: Final = 60.0
"""Seconds without a waiting call after which a rate is no longer believed."""


class Start:
    """A request that was let go.

    Attributes:
        at: When, by the clock of the loop.
        epoch: How many refusals there had been.
        sums: What had started before, with itself: requests, input and output tokens.
    """

    __slots__ = ("at", "epoch", "sums")

    def __init__(self, at: float, epoch: int, sums: tuple[int, int, int]) -> None:
        self.at = at
        self.epoch = epoch
        self.sums = sums


class LearntPace:
    """Holds calls back as the service of one model has shown that it wants it.

    After a refusal nothing starts until the time that the service names, then one request, then more and more. The next
    refusal shows how many it takes in what time; from then on requests follow each other at that rate, which grows slowly.
    What headers tell is kept beside that: until an allowance is whole again, no more starts than is left of it.

    Args:
        name: The model, for people.
        retry: How long pauses are if the service names no time; a hold that is longer than its `retry_after_cap` is not
            waited for.
    """

    __slots__ = (
        "_allowances", "_bound", "_failures", "_idle", "_is_probe", "_last", "_latency", "_next", "_ramp", "_ramp_at", "_rate", "_retry",
        "_run_at", "_run_ended", "_sums", "_taken", "epoch", "name", "opens", "until",
    )  # fmt: skip

    def __init__(self, name: str, retry: RetryPolicy) -> None:
        self.name = name
        self._retry = retry
        self.until = self.opens = -math.inf
        self.epoch = 0
        self._sums = (0, 0, 0)
        self._allowances: dict[str, _KnownAllowance] = {}
        self._rate: float | None = None
        self._next = self._last = -math.inf
        self._latency: float | None = None
        self._failures = 0
        self._is_probe = False
        # The slow start: seconds between the first two requests, and when it began.
        self._ramp: float | None = None
        self._ramp_at: float | None = None
        # What started since the last refusal, and how much of it had waited.
        self._run_at = -math.inf
        self._idle = 0.0
        self._taken = self._bound = 0
        self._run_ended: _Run | None = None

    def __str__(self) -> str:
        return f"the limit of the service for {self.name}, which refused calls or told that nothing is left"

    def is_quiet(self, now: float) -> bool:
        """Return whether nothing of it holds any longer."""
        return now > self.opens and now - self._last > _FORGOTTEN

    # Before a request

    def is_out_of_reach(self, now: float) -> bool:
        """Whether the service wants to be left alone for longer than a call waits at all."""
        return now < self.opens and self.until - now > self._retry.retry_after_cap

    def ready_at(self, now: float, need: Need) -> float:
        """Return when a request may start; `now` or before if it may at once."""
        at = max(self.opens, self._next)
        for allowance in self._allowances.values():
            at = max(at, allowance.ready_at(now, need, self._sums))
        return at

    def take(self, now: float, need: Need, *, waited: bool) -> Start:
        """Count a request that starts.

        Args:
            now: The time.
            need: The tokens that it is expected to use.
            waited: Whether it was held back.
        """
        pause = now - max(self._last, self._run_at, self.opens)
        if not waited and pause > _FORGOTTEN:
            self._forget(now)
        elif not waited and _PAUSE < pause < math.inf:
            self._idle += pause
        self._last = now
        for allowance in self._allowances.values():
            if allowance.roll(now, self._sums):
                self._begin_slowly()
        self._sums = (self._sums[0] + 1, self._sums[1] + need.input, self._sums[2] + need.output)
        self._taken += 1
        self._bound += waited
        interval = self._interval(now)
        if interval:
            self._next = max(self._next, now - _LATE) + interval
        return Start(now, self.epoch, self._sums)

    def undo(self, need: Need) -> None:
        """Take a request back that did not start after all."""
        self._sums = (self._sums[0] - 1, self._sums[1] - need.input, self._sums[2] - need.output)
        self._taken -= 1

    def _interval(self, now: float) -> float:
        """Return the seconds until the next request may follow one that starts now."""
        steady = 0.0
        if self._rate is not None:
            self._rate *= 1 + _GROWTH * self._taken
            steady = 1 / self._rate
        if self._is_probe:  # what becomes of the first request after a pause is waited for
            self._is_probe = False
            steady = max(steady, _BEHIND_A_PROBE * (self._latency or 0.0))
        if self._ramp is None:
            return max(steady, _FAST) if self.epoch else steady
        if self._ramp_at is None:
            self._ramp_at = now
        slow: float = self._ramp * 0.5 ** ((now - self._ramp_at) / self._ramp)
        if slow <= max(steady, _FAST):
            self._ramp = None
        return max(slow, steady, _FAST)

    # After a request

    def refuse(self, now: float, start: Start | None, retry_after: float | None, took: float) -> None:
        """Heed that the service refused a request.

        Args:
            now: The time.
            start: The request; None for one that was sent before anything was known of a limit.
            retry_after: The seconds that the service wants to be left alone; None if it does not say.
            took: The seconds from sending to the refusal.
        """
        self._latency = took if self._latency is None else 0.7 * self._latency + 0.3 * took
        is_news = (self.epoch == 0) if start is None else start.epoch == self.epoch
        if is_news:
            self._end_run(now)
        elif not self._count_late_refusal() and not retry_after:
            return
        wait = retry_after or self._backoff()
        self.until = max(self.until, now + wait)
        self.opens = max(self.opens, now + min(wait, self._retry.retry_after_cap))
        self._is_probe = True
        if self._rate is None:
            self._begin_slowly()
        self._next = max(self._next, self.opens)

    def see(self, now: float, start: Start | None, names: AllowanceHeaders, told: Allowance) -> None:
        """Heed what the headers of an answer tell.

        Args:
            now: The time.
            start: Its request; None for one that was sent before anything was known of a limit.
            names: Which limit it is.
            told: What they tell.
        """
        if told.reset > self._retry.retry_after_cap:
            self._allowances.pop(
                names.remaining, None
            )  # so long nobody waits on its word: the service itself must refuse
            return
        known = self._allowances.get(names.remaining)
        if known is None:
            known = self._allowances[names.remaining] = _KnownAllowance(names.measure)
        known.see(now, told, (0, 0, 0) if start is None else start.sums)

    def _end_run(self, now: float) -> None:
        """Begin a new count of what starts; what the last one shows is the rate that the service takes."""
        accepted = max(0, self._taken - 1)
        always_waited = self._bound * 10 >= self._taken * 9
        self.epoch += 1
        self._taken = self._bound = 0
        if accepted and self.epoch > 1:
            run = _Run(self._run_at, now - self._idle, accepted, self._rate, self._failures, always_waited)
            self._run_ended, self._rate = run, run.rate
        if accepted or self.epoch == 1:
            self._run_at, self._idle, self._failures = now, 0.0, 1
        else:  # nothing was taken since the last refusal: it is still the same shortage
            self._run_ended = None
            self._failures += 1

    def _count_late_refusal(self) -> bool:
        """Correct the rate: a request that counted as taken was under way, and is refused, too.

        Returns:
            Whether nothing was taken at all, so that the shortage of before goes on.
        """
        run = self._run_ended
        if run is None:
            return False
        run.accepted -= 1
        self._rate = run.rate
        if not run.accepted:
            self._run_at, self._failures, self._run_ended = run.began, run.failures + 1, None
        return not run.accepted

    def _begin_slowly(self) -> None:
        latency = _SHORTEST_STEP if self._latency is None else 4 * self._latency
        self._ramp = min(max(latency, _SHORTEST_STEP), _LONGEST_STEP)
        self._ramp_at = None

    def _backoff(self) -> float:
        ceiling = min(self._retry.max_delay, self._retry.initial_delay * 2.0 ** min(self._failures - 1, 60))
        return random.uniform(ceiling * (1 - _SPREAD), ceiling)

    def _forget(self, now: float) -> None:
        """Let calls go freely again: for long nobody had to wait."""
        self._rate = self._ramp = self._run_ended = None
        self._next = -math.inf
        self._run_at, self._idle, self._taken, self._bound = now, 0.0, 0, 0


class _Run:
    """What started between two refusals.

    Attributes:
        accepted: How many requests the service took, as far as it is known.
        began: The first refusal.
        failures: How many refusals had come before it without a request that was taken.
    """

    __slots__ = ("_always_waited", "_before", "_ended", "accepted", "began", "failures")

    def __init__(
        self,
        began: float,
        ended: float,
        accepted: int,
        before: float | None,
        failures: int,
        always_waited: bool,
    ) -> None:
        self.began = began
        self.accepted = accepted
        self.failures = failures
        self._ended = ended
        self._before = before
        self._always_waited = always_waited

    @property
    def rate(self) -> float | None:
        """Requests a second to go on with; None if it shows nothing."""
        if not self.accepted or self._ended <= self.began:
            return self._before
        seen = _AFTER_A_REFUSAL * self.accepted / (self._ended - self.began)
        if self._before is None:
            return seen if self._always_waited else _UNTRIED * seen
        # A window of a service may lie across two runs, and not every call may have waited: one run alone is half believed.
        return min(math.sqrt(seen * self._before), self._before)


class _KnownAllowance:
    """What is left of one limit, by the last answer that told it and by what has started since.

    Two kinds of services write the same headers. Of one, the allowance is whole again at a fixed moment and has nothing
    before; of the other it grows all the time, and that moment moves on with each request. Which it is shows when two answers
    tell different amounts. Until then it is taken for the first kind.
    """

    __slots__ = ("_anchor", "_at", "_ends", "_grows", "_limit", "_measure", "_rate", "_remaining", "_sum")

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self._remaining: float = math.inf
        self._limit: int | None = None
        self._at = self._ends = -math.inf
        self._sum = -1
        self._anchor: tuple[float, int, float] | None = None
        self._grows = False
        self._rate = 0.0

    def see(self, now: float, told: Allowance, sums: _Sums) -> None:
        started = _sum_of(self._measure, sums)
        if started < self._sum:
            return  # a later request has told already
        if started == self._sum and now < self._ends and told.remaining > self._remaining:
            return  # of requests that were sent before anything was counted, the one that saw the least was the last
        if now >= self._ends or told.limit != self._limit:
            self._anchor = None
        ends = now + told.reset
        used = None if told.limit is None else told.limit - told.remaining
        if used and used > 0 and told.reset > 0:
            self._tell_kind(now, told.remaining, ends)
            self._rate = _CERTAIN * used / told.reset
            if self._anchor is None:
                self._anchor = (now, told.remaining, ends)
        self._remaining, self._limit = told.remaining, told.limit
        self._at, self._ends, self._sum = now, ends, started

    def _tell_kind(self, now: float, remaining: int, ends: float) -> None:
        if self._anchor is None or self._rate <= 0:
            return
        at, left, ended = self._anchor
        expected = (now - at) + (left - remaining) / self._rate
        if expected > 2 * _WHOLE_SECONDS or (left - remaining) * 10 > (self._limit or 0):
            self._grows = ends - ended > expected / 2

    def ready_at(self, now: float, need: Need, sums: _Sums) -> float:
        if now >= self._ends:
            return now
        left = self._remaining - (_sum_of(self._measure, sums) - self._sum)
        amount = _amount(self._measure, need)
        amount = amount if self._limit is None else min(amount, self._limit)
        if not self._grows:
            return now if left >= amount else self._ends
        return (
            min(self._ends, max(now, self._at + (amount - left) / self._rate)) if self._rate else self._ends
        )

    def roll(self, now: float, sums: _Sums) -> bool:
        """Begin anew if the allowance is whole again; return whether it is after it was nearly used up."""
        if now < self._ends or not math.isfinite(self._ends):
            return False
        left = self._remaining - (_sum_of(self._measure, sums) - self._sum)
        was_short = not self._grows and left * _NEARLY <= (self._limit or _NEARLY)
        self._remaining = math.inf if self._limit is None else self._limit
        self._at, self._ends, self._anchor = now, math.inf, None
        self._sum = _sum_of(self._measure, sums)
        return was_short


def _sum_of(measure: Measure, sums: _Sums) -> int:
    """Return how much of a measure is in sums of requests, input and output tokens."""
    if measure == "requests":
        return sums[0]
    return sums[1] + sums[2] if measure == "tokens" else sums[1] if measure == "input" else sums[2]


def _amount(measure: Measure, need: Need) -> int:
    if measure == "requests":
        return 1
    return need.tokens if measure == "tokens" else need.input if measure == "input" else need.output
