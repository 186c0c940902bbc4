"""Windows: the time for which a limit counts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

import attrs

__all__ = ["Window", "WindowKind", "find_zone", "parse_window"]

WindowKind: TypeAlias = Literal["minute", "hour", "day", "week", "month", "rolling", "ever", "now"]

_CALENDAR: Final = ("minute", "hour", "day", "week", "month")
_ROLLING: Final = re.compile(r"rolling\s+(\d{1,6})\s*([smhd])\Z")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FIXED: Final = {"minute": 60, "hour": 3600}
_PIECES: Final = 60
"""Of a rolling window: what was used leaves it piece by piece."""
_LONGEST: Final = 366 * 86400


@attrs.frozen(kw_only=True)
class Window:
    """The time for which a limit counts. Moments are seconds since 1970 (UTC), by the clock of the store.

    Attributes:
        kind: `minute`, `hour`, `day`, `week` (from Monday) and `month` are those of the calendar of `zone`; `rolling` is the
            time up to now; `ever` never ends; `now` is what is under way at this moment, for limits of parallel calls.
        zone: The name of the time zone.
        length: Seconds of a rolling window; 0 for others.
        piece: Seconds of the pieces in which a rolling window counts; 0 for others.
    """

    kind: WindowKind
    zone: str = "UTC"
    length: int = 0
    piece: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "piece", -(-self.length // _PIECES) if self.kind == "rolling" else 0)

    def span(self, now: float) -> tuple[int, int | None]:
        """Return when the window that contains a moment begins and ends; of a rolling one, the piece that contains it.

        An end of None never comes: for `ever` and `now`, which begin at 0.
        """
        kind = self.kind
        if kind in {"ever", "now"}:
            return 0, None
        if kind == "rolling":
            begin = int(now) // self.piece * self.piece
            return begin, begin + self.piece
        zone = find_zone(self.zone)
        local = datetime.fromtimestamp(now, zone)
        if kind in _FIXED:
            offset, size = local.utcoffset() or timedelta(), _FIXED[kind]
            shift = int(offset.total_seconds())
            begin = (int(now) + shift) // size * size - shift
            return begin, begin + size
        begin_day, end_day = _days(kind, local)
        return int(begin_day.timestamp()), int(end_day.timestamp())

    def bounds(self, now: float, around: int = 1) -> tuple[int, ...]:
        """Return the beginnings of the windows around a moment, for a store that looks up its own moment among them.

        Args:
            now: The moment.
            around: How many windows before and after it.

        Returns:
            Sorted: 2 * around + 2 moments, each the end of the window that the one before it begins. Empty for windows
            that do not end.
        """
        begin, end = self.span(now)
        if end is None:
            return ()
        found = [begin, end]
        for _ in range(around):
            found.insert(0, self.span(found[0] - 1)[0])
            found.append(self.span(found[-1])[1] or found[-1])
        return tuple(found)

    @property
    def horizon(self) -> int:
        """Seconds before the beginning of the current piece in which pieces of a rolling window still count.

        A piece counts until all of it has left, so that in no time of this length more is used than the limit allows.
        """
        return -(-self.length // self.piece) * self.piece if self.piece else 0

    def __str__(self) -> str:
        if self.kind == "rolling":
            unit = next(unit for unit in "dhms" if self.length % _SECONDS[unit] == 0)
            return f"rolling {self.length // _SECONDS[unit]}{unit}"
        return self.kind


def _days(kind: str, local: datetime) -> tuple[datetime, datetime]:
    """Return the local midnights between which a day, week or month lies."""
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if kind == "month":
        begin = midnight.replace(day=1)
        return begin, (begin + timedelta(days=32)).replace(day=1)
    begin = midnight - timedelta(days=midnight.weekday() if kind == "week" else 0)
    return begin, begin + timedelta(days=7 if kind == "week" else 1)


def parse_window(text: str, zone: str = "UTC") -> Window:
    """Read a window as configuration writes it: `month`, `rolling 5h`, `ever`.

    Raises:
        ValueError: It is none.
    """
    if text in _CALENDAR:
        return Window(kind=text, zone=zone)  # type: ignore[arg-type]  # it is one of them
    if text == "ever":
        return Window(kind="ever")
    found = _ROLLING.match(text)
    length = 0 if found is None else int(found[1]) * _SECONDS[found[2]]
    if not 0 < length <= _LONGEST:
        words = ", ".join(_CALENDAR)
        raise ValueError(
            f'window must be one of {words}, ever, or "rolling 5h" (s, m, h, d; a year at most), not {text!r}'
        )
    return Window(kind="rolling", length=length)


@lru_cache(maxsize=64)
def find_zone(name: str) -> tzinfo:
    """Return a time zone.

    Raises:
        ValueError: There is none of this name here.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f'zone must be the name of a time zone, such as "Europe/Berlin", not {name!r} (without a database of the '
            "system, install tzdata)"
        ) from None
