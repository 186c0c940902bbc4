"""What a page's address selects: days, an owner, a key, a connection, a model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from ._usage import Period, Selection, today

if TYPE_CHECKING:
    from ._visit import Visit

__all__ = ["PERIODS", "read_selection", "selection_query"]

PERIODS: Final = (
    ("1", "Today"),
    ("7", "7 days"),
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "A year"),
    ("month", "This month"),
    ("last-month", "Last month"),
    ("dates", "Dates …"),
)
_LONGEST: Final = timedelta(days=1_100)


def read_selection(visit: Visit, default: str = "30") -> tuple[Selection, str]:
    """Return what the address selects, and the name of its period; what is not valid is noted beside its field.

    Args:
        visit: The request.
        default: The period where none is named.
    """
    name = visit.query("days") or ("dates" if visit.query("from") or visit.query("to") else default)
    if name not in dict(PERIODS):
        name = default
    selection = Selection(
        period=_period(visit, name),
        owner=visit.query("owner").strip("/"),
        key=visit.query("key"),
        connection=visit.query("connection"),
        model=visit.query("model"),
    )
    return selection, name


def _period(visit: Visit, name: str) -> Period:
    now = today()
    if name == "month":
        return Period(now.replace(day=1), now)
    if name == "last-month":
        last = now.replace(day=1) - timedelta(days=1)
        return Period(last.replace(day=1), last)
    if name != "dates":
        return Period.last_days(int(name))
    last = _read_day(visit, "to") or now
    first = _read_day(visit, "from") or last - timedelta(days=29)
    if first > last:
        visit.form.refuse("to", "The last day is before the first.")
        first, last = last, first
    return Period(max(first, last - _LONGEST), last)


def _read_day(visit: Visit, name: str) -> date | None:
    text = visit.query(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        visit.form.refuse(name, "Write a day as 2026-12-31.")
        return None
    if not 1980 <= day.year <= 2200:
        visit.form.refuse(name, "There is nothing so far away.")
        return None
    return day


def selection_query(selection: Selection, period: str) -> Mapping[str, Any]:
    """Return the query that selects the same again."""
    dates = {"from": selection.period.first, "to": selection.period.last} if period == "dates" else {}
    return {
        "days": period,
        **dates,
        "owner": selection.owner,
        "key": selection.key,
        "connection": selection.connection,
        "model": selection.model,
    }
