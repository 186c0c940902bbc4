"""What a store of limits does: it holds counters, reserves from several at once, and settles.

All stores keep these laws, which `tests/` check for each of them:

* `reserve` takes from every counter or from none, in one round trip. Of a counter with a `most`, used and reserved together are
  never above it after a reservation.
* Every method may be repeated with the same arguments, as one does that does not know whether the first try arrived. What has
  ended (settled, released, or its lease is over) is not reserved again.
* What was used is booked in the window in which it was reserved, whenever it is settled.
* Time is the store's own clock, which never goes back: processes whose clocks differ share windows and leases.
* After its lease nothing is reserved any more. A call that is settled later still books what it used.
* Amounts are exact whole numbers from 0 to below `MOST_AMOUNT`; no floats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import attrs

from ._windows import Window

__all__ = ["Answer", "Counter", "Grant", "Refusal", "State", "Store", "StoreAwayError", "Take"]


class StoreAwayError(Exception):
    """A store cannot be reached, or does not answer. Whether a reservation was made is not known: release it."""


@attrs.frozen(kw_only=True)
class Counter:
    """What a limit counts.

    Attributes:
        key: The name of the limit; of a limit that counts for each owner (or key, model ...) apart: `name:value`.
        window: When it begins anew.
        most: The most that used and reserved may be together; None only counts.
    """

    key: str
    window: Window
    most: int | None = None


@attrs.frozen(kw_only=True, slots=False)  # made in half the time
class Take:
    """What a call takes from a counter, at most.

    Attributes:
        counter: From which.
        amount: How much; what it uses may turn out to be more.
    """

    counter: Counter
    amount: int


@attrs.frozen(kw_only=True, slots=False)  # made in half the time
class State:
    """A counter at a moment.

    Attributes:
        key: The counter.
        begin: When its window began, in seconds since 1970; of a rolling window, its current piece; otherwise 0.
        used: What was used in it.
        reserved: What is reserved in it.
        resets_at: When its window ends; of a rolling window, when the first used piece leaves it. None: never, or nothing
            is used.
    """

    key: str
    begin: int
    used: int
    reserved: int
    resets_at: float | None = None


@attrs.frozen(kw_only=True, slots=False)  # made in half the time
class Grant:
    """A reservation that was made.

    Attributes:
        call_id: Of the call.
        takes: What was taken, in the order that was asked for; each counter occurs once.
        states: Of each take's counter, with this reservation in it. `begin` is the window in which it is settled.
        now: The moment, by the clock of the store.
        until: When the lease is over, by the same clock.
    """

    call_id: str
    takes: tuple[Take, ...]
    states: tuple[State, ...]
    now: float
    until: float


@attrs.frozen(kw_only=True)
class Refusal:
    """A reservation that was not made; nothing was taken.

    Attributes:
        call_id: Of the call.
        take: The first that did not fit.
        state: Of its counter.
        now: The moment, by the clock of the store.
        passes_at: The first moment at which the take fits if nothing more is used; None: never, or only when something that is
            reserved comes back.
    """

    call_id: str
    take: Take
    state: State
    now: float
    passes_at: float | None = None


Answer: TypeAlias = Grant | Refusal
"""What a store answers to whoever wants to reserve."""


class Store(Protocol):
    """A store of limits. Its methods raise `StoreAwayError` where it cannot be reached."""

    async def reserve(self, call_id: str, takes: Sequence[Take], lease: float) -> Answer:
        """Take from all counters or from none.

        Args:
            call_id: Of the call: unique among all processes. If it holds a reservation already, that is granted again, with its
                lease unchanged.
            takes: In the order in which they are checked; each counter once.
            lease: Seconds after which the reservation ends by itself.

        Raises:
            ValueError: A call of this id has ended.
        """

    async def settle(self, grant: Grant, used: Mapping[str, int]) -> tuple[State, ...]:
        """Book what a call used, in the windows of its reservation, and give back what it reserved.

        Args:
            grant: What `reserve` returned. Of a call that was settled or released before, nothing is booked.
            used: By the key of the counter; 0 for those that are not named. It may be more than was reserved.

        Returns:
            The current state of each take's counter.
        """

    async def release(self, call_id: str) -> None:
        """Free what a call reserved, and book nothing. Also ends an id whose reservation has not arrived yet."""

    async def renew(self, call_id: str, lease: float) -> bool:
        """Let a lease end so many seconds from now.

        Returns:
            False if the reservation has ended.
        """

    async def read(self, counters: Sequence[Counter]) -> tuple[State, ...]:
        """Return the current state of counters; one that nothing was taken from has used and reserved 0."""

    async def find(self, prefix: str) -> tuple[str, ...]:
        """Return the keys of counters that begin so and in whose current window something is used or reserved, sorted."""

    async def aclose(self) -> None:
        """Close what is open. What is reserved stays so until its lease is over."""
