"""A declared pace: so many requests and tokens in any period, wherever it begins."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from jackfield._types.policies import PACE_PERIODS, PacePolicy

__all__ = ["Booking", "Need", "PaceWindow"]

_GROUPS: Final = 100
"""Parts of a period whose starts are kept as one: a day of a million requests takes no more memory than a minute."""
_MARGIN: Final = 0.01
"""The part by which a period is taken for longer: requests need more or less time on their way to the service."""


class Need(NamedTuple):
    """The tokens that a request is expected to use."""

    input: int = 0
    output: int = 0

    @property
    def tokens(self) -> int:
        """Both together."""
        return self.input + self.output


class Booking:
    """What started within a part of a period.

    Attributes:
        last: When the last of it started, by the clock of the loop.
        requests: How many requests.
        tokens: How many tokens, estimated, or used where that is known.
    """

    __slots__ = ("first", "last", "requests", "tokens")

    def __init__(self, now: float) -> None:
        self.first = self.last = now
        self.requests = self.tokens = 0


class PaceWindow:
    """Keeps what started to a declared pace: no period of its length, whenever it begins, has more.

    That holds services to their word that count by fixed minutes, and those whose allowance grows back steadily.

    Args:
        policy: What is declared.
        name: What it is declared for, for people.
    """

    __slots__ = ("_bookings", "_length", "_requests", "_tokens", "name", "policy")

    def __init__(self, policy: PacePolicy, name: str) -> None:
        self.policy = policy
        self.name = name
        self._length = PACE_PERIODS[policy.per]
        self._bookings: deque[Booking] = deque()
        self._requests = self._tokens = 0

    def __str__(self) -> str:
        policy = self.policy
        named = [(policy.requests, "requests"), (policy.tokens, "tokens")]
        most = " and ".join(f"{number} {unit}" for number, unit in named if number is not None)
        return f"the pace of {self.name} ({most} per {policy.per})"

    def ready_at(self, now: float, need: Need) -> float:
        """Return when a request may start; `now` or before if it may at once."""
        self._expire(now)
        requests, tokens = self._requests, self._tokens
        if self._has_room(requests, tokens, need.tokens):
            return now
        for booking in self._bookings:
            requests, tokens = requests - booking.requests, tokens - booking.tokens
            if self._has_room(requests, tokens, need.tokens):
                return self._ends(booking)
        return now  # nothing is left of it, so it starts, however many tokens it needs

    def take(self, now: float, need: Need) -> Booking:
        """Book a request that starts."""
        booking = self._bookings[-1] if self._bookings else None
        if booking is None or now - booking.first >= self._length / _GROUPS:
            booking = Booking(now)
            self._bookings.append(booking)
        booking.last = now
        self._add(booking, 1, need.tokens)
        return booking

    def correct(self, booking: Booking, tokens: int, requests: int = 0) -> None:
        """Add to what was booked, or take off: what a request used is known, or it was not sent."""
        if self._bookings and booking.last >= self._bookings[0].last:  # else it is over
            self._add(booking, requests, tokens)

    def _add(self, booking: Booking, requests: int, tokens: int) -> None:
        booking.requests += requests
        booking.tokens += tokens
        self._requests += requests
        self._tokens += tokens

    def _has_room(self, requests: int, tokens: int, needed: int) -> bool:
        most = self.policy
        if most.requests is not None and requests >= most.requests:
            return False
        return most.tokens is None or tokens + min(needed, most.tokens) <= most.tokens

    def _expire(self, now: float) -> None:
        bookings = self._bookings
        while bookings and self._ends(bookings[0]) <= now:
            over = bookings.popleft()
            self._requests -= over.requests
            self._tokens -= over.tokens

    def _ends(self, booking: Booking) -> float:
        return booking.last + self._length * (1 + _MARGIN)
