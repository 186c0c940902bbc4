"""Choose the service's value that is nearest to the requested one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from .translating import ReportBuilder

__all__ = ["choose_lifetime", "nearest_effort"]

_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""The words that services use for how much a model shall think, least first."""
_LIFETIME: Final = r"([0-9]{1,12})([smh])"
_SECONDS_BY_UNIT: Final = {"s": 1, "m": 60, "h": 3600}


def choose_lifetime(
    report: ReportBuilder, cache: str, lifetimes: Sequence[str], *, where: str, wire: str
) -> str:
    """Return the service's lifetime for a mark of a cacheable prefix, and report it as clamped if it is another.

    Args:
        report: The report.
        cache: The requested lifetime (`Text.cache`): a number with the unit s, m or h, such as "5m".
        lifetimes: The service's lifetimes, shortest first.
        where: The part or tool that has the mark, for the report.
        wire: The place of the lifetime in a mark on the wire, for the report.

    Returns:
        The shortest lifetime that is long enough; the longest if none is; the shortest if `cache` is not valid.
    """
    wanted = _seconds(cache)
    chosen = next((one for one in lifetimes if wanted <= _seconds(one)), lifetimes[-1])
    if chosen != cache:
        why = f"the service caches a prefix for {' or '.join(lifetimes)}, not for {cache}"
        report.note(f"{where}.cache", "clamped", wire=wire, value=chosen, why=why)
    return chosen


def _seconds(lifetime: str) -> int:
    found = re.fullmatch(_LIFETIME, lifetime)
    return 0 if found is None else int(found[1]) * _SECONDS_BY_UNIT[found[2]]


def nearest_effort(effort: str, known: Iterable[str]) -> str | None:
    """Return the effort of a model that is nearest to the requested one; of two, the lower.

    "none" is never chosen: little thinking is not the same as none.

    Args:
        effort: The requested effort.
        known: The model's efforts; words that no other service uses are skipped.

    Returns:
        One of `known`; None if no service uses the requested word, or any of the model's.
    """
    if effort not in _EFFORTS:
        return None
    wanted = _EFFORTS.index(effort)
    ranked = sorted(_EFFORTS.index(word) for word in known if word in _EFFORTS[1:])
    return _EFFORTS[min(ranked, key=lambda rank: abs(rank - wanted))] if ranked else None
