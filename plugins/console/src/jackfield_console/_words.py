"""How numbers, money, times and durations are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from markupsafe import Markup, escape

__all__ = ["FILTERS", "column", "money", "number", "seconds", "short", "when"]

_SPACE: Final = "\N{NARROW NO-BREAK SPACE}"


def number(value: int | None) -> str:
    """Write a whole number in groups of three; a dash for None."""
    return "–" if value is None else f"{value:,}".replace(",", _SPACE)


def short(value: int) -> str:
    """Write a count in few digits: 1.32 million."""
    for size, word in ((10**9, "billion"), (10**6, "million")):
        if value >= size:
            return f"{value / size:.3g} {word}"
    return number(value)


def money(value: Decimal | str | None, currency: str | None = "", digits: int = 2) -> str:
    """Write an amount: at least some digits, and at least two that count, so that small costs do not look like nothing."""
    if value is None:
        return "–"
    amount = Decimal(value)
    shown = digits
    if amount and abs(amount) < 1:
        shown = max(digits, 1 - amount.adjusted())
    rounded = f"{amount:,.{min(shown, 18)}f}".replace(",", _SPACE)
    return f"{rounded}{_SPACE}{currency}" if currency else rounded


def column(value: Decimal, digits: int) -> str:
    """Write an amount in a column, all with the same digits; what would look like nothing is written as less than the least."""
    least = Decimal(1).scaleb(-digits)
    if 0 < abs(value) < least / 2:
        return f"<{_SPACE}{least:f}"
    return f"{value:,.{digits}f}".replace(",", _SPACE)


def column_digits(highest: Decimal) -> int:
    """Return with how many digits the amounts of a column are written, by the highest of them."""
    return 2 if highest >= 100 else 4


def when(value: float | None) -> Markup | str:
    """Write a moment (UTC) with what programs read."""
    if value is None:
        return "–"
    at = datetime.fromtimestamp(value, UTC)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        at.isoformat(timespec="seconds"), f"{at:%Y-%m-%d %H:%M:%S}", f"{at:%Y-%m-%d %H:%M}"
    )


def seconds(value: float | None) -> str:
    """Write a duration."""
    if value is None:
        return "–"
    if value < 1:
        return f"{value * 1000:.0f}{_SPACE}ms"
    if value < 60:
        return f"{value:.2f}{_SPACE}s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes}{_SPACE}min {rest}{_SPACE}s"


def percent(value: float | None) -> str:
    """Write a share."""
    return "–" if value is None else f"{value:.0%}"


def breakable(value: object) -> Markup:
    """Let a long name break after its separators."""
    text = escape(str(value))
    for mark in ("/", ":", "@", "_"):
        text = Markup(str(text).replace(mark, f"{mark}<wbr>"))  # noqa: S704 -- it was escaped above
    return text


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "number": number,
    "short": short,
    "money": money,
    "column": column,
    "column_digits": column_digits,
    "when": when,
    "seconds": seconds,
    "percent": percent,
    "breakable": breakable,
}
