"""The windows around the moment of a store on another machine, which knows no calendar, and how it names counters."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from ._store import Counter, Store
from ._windows import Window

__all__ = ["Moments", "counter_name", "counter_of", "find_used", "kind_of"]

_AT_ONCE: Final = 200
"""Counters that are read in one round trip."""

_KNOWN: Final = 1_000
"""Windows that are remembered: as many as limits have different ones, so this is never reached in practice."""


class Moments:
    """The moments at which windows begin, around now by the clock of a store.

    The clock of this machine is only the first guess: what the store tells is followed by the monotonic clock, so that
    neither a clock that is wrong nor one that is set matters.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()
        self._bounds: dict[Window, tuple[int, ...]] = {}

    def now(self) -> float:
        """Return about what the store's clock shows."""
        return time.monotonic() + self._offset

    def learn(self, now: float) -> None:
        """Take note of what the store's clock showed just now."""
        self._offset = now - time.monotonic()

    def bounds(self, window: Window) -> tuple[int, ...]:
        """Return the beginnings of the windows around now, as `Window.bounds`; none for pieces, which a store computes."""
        if window.piece:
            return ()
        found = self._bounds.get(window)
        now = self.now()
        if found is None or (found and not found[1] <= now < found[-2]):
            if len(self._bounds) > _KNOWN:
                self._bounds.clear()
            found = self._bounds[window] = window.bounds(now)
        return found


def kind_of(window: Window) -> str:
    """Return how a store treats a window: `calendar`, `rolling`, or `ever`."""
    if window.kind in {"ever", "now"}:
        return "ever"
    return "rolling" if window.kind == "rolling" else "calendar"


def counter_name(counter: Counter) -> str:
    """Return the name of a counter in a store that several processes share.

    The window belongs to it: processes whose limits differ (while a new configuration is rolled out) do not reset each other.
    """
    window = counter.window
    return f"{window.kind}@{window.length or window.zone}:{counter.key}"


def counter_of(name: str) -> Counter:
    """Return the counter of a name."""
    kind, _, rest = name.partition("@")
    detail, _, key = rest.partition(":")
    if kind == "rolling":
        return Counter(key=key, window=Window(kind="rolling", length=int(detail)))
    return Counter(key=key, window=Window(kind=kind, zone=detail))  # type: ignore[arg-type]  # a name of ours


async def find_used(store: Store, counters: Sequence[Counter]) -> tuple[str, ...]:
    """Return the keys of those counters in whose current window something is used or reserved, sorted."""
    found: set[str] = set()
    for first in range(0, len(counters), _AT_ONCE):
        states = await store.read(counters[first : first + _AT_ONCE])
        found.update(state.key for state in states if state.used or state.reserved)
    return tuple(sorted(found))
