"""Sums of days and of months: what pages and `/v1/usage` read, so that nobody adds up a million rows.

They are written in the transaction of the rows they sum, so both always agree. An amount is three whole numbers (units,
thousand-millionths, and thousand-millionths of these), which databases add exactly; decimals in text they cannot add at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any, Final

__all__ = [
    "COUNTS",
    "DAY_COUNTS",
    "DAY_KEYS",
    "EPOCH",
    "amount_of",
    "day_of",
    "month_of",
    "split_amount",
    "sum_days",
    "sum_months",
]

DAY_KEYS: Final = ("day", "owner", "key", "connection", "model", "currency", "cost")
"""What sums are apart by."""
COUNTS: Final = (
    "requests",
    "failed",
    "cancelled",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
)
"""What is counted of calls."""
DAY_COUNTS: Final = (*COUNTS, "units", "nanos", "attos")
"""What is summed: counts, and the parts of an amount (see `split_amount`)."""

EPOCH: Final = date(1970, 1, 1)
_DAY: Final = 86_400
_NANO: Final = 10**9
_ATTO: Final = 10**18
_DIGITS: Final = 60


def day_of(at: float) -> int:
    """Return the day (UTC) of a moment, counted from 1970."""
    return int(at // _DAY)


@lru_cache(maxsize=1_000)
def month_of(day: int) -> int:
    """Return the first day of a day's month, both counted from 1970."""
    return ((EPOCH + timedelta(days=day)).replace(day=1) - EPOCH).days


def split_amount(amount: Decimal) -> tuple[int, int, int]:
    """Split an amount into units, nanos and attos. What is finer than 10^-18 is rounded."""
    with localcontext(prec=_DIGITS):
        whole = int((amount * _ATTO).to_integral_value())
    units, rest = divmod(whole, _ATTO)
    nanos, attos = divmod(rest, _NANO)
    return units, nanos, attos


def _split_text(amount: str) -> tuple[int, int, int]:
    return split_amount(Decimal(amount))


def amount_of(units: int, nanos: int, attos: int) -> Decimal:
    """Return the amount of three sums, without zeros at its end."""
    with localcontext(prec=_DIGITS):
        amount = Decimal(units) + Decimal(nanos).scaleb(-9) + Decimal(attos).scaleb(-18)
        if amount == amount.to_integral_value():
            return amount.quantize(Decimal(1))
        return amount.normalize()


def sum_days(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[Any, ...], list[int]]:
    """Sum rows of spend.

    Args:
        rows: Rows, by their columns' names.

    Returns:
        By the values of `DAY_KEYS`, the sums in the order of `DAY_COUNTS`.
    """
    days: dict[tuple[Any, ...], list[int]] = {}
    split = lru_cache(maxsize=1000)(_split_text)  # many calls cost the same
    for row in rows:
        amount = row["amount"]
        place = (
            int(row["at"] // _DAY),
            row["owner"],
            row["key"],
            row["connection"] or "",
            row["model"] or "",
            row["currency"] or "",
            row["cost"],
        )
        sums = days.get(place)
        if sums is None:
            sums = days[place] = [0] * len(DAY_COUNTS)
        sums[0] += 1
        status = row["status"]
        if status != "ok":
            sums[1 if status == "error" else 2] += 1
        sums[3] += row["input_tokens"] or 0
        sums[4] += row["output_tokens"] or 0
        sums[5] += row["cached_tokens"] or 0
        sums[6] += row["reasoning_tokens"] or 0
        if amount is not None:
            units, nanos, attos = split(amount)
            sums[7] += units
            sums[8] += nanos
            sums[9] += attos
    return days


def sum_months(days: Mapping[tuple[Any, ...], Sequence[int]]) -> dict[tuple[Any, ...], list[int]]:
    """Sum days to months: in place of a day, the first day of its month.

    Args:
        days: As `sum_days` returns them.
    """
    months: dict[tuple[Any, ...], list[int]] = {}
    for place, sums in days.items():
        month = (month_of(place[0]), *place[1:])
        before = months.get(month)
        months[month] = (
            list(sums) if before is None else [one + more for one, more in zip(before, sums, strict=True)]
        )
    return months
