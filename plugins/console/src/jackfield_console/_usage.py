"""What was used and what it cost, from the sums of days: a page reads some thousands of sums, never a million rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs
from sqlalchemy import (
    ColumnElement,
    Connection,
    Subquery,
    Table,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)

from jackfield_gateway._days import COUNTS, DAY_COUNTS, EPOCH, amount_of, month_of

from ._schema import spend_days, spend_months

__all__ = [
    "GROUPS",
    "Group",
    "Money",
    "Period",
    "Selection",
    "Sums",
    "add_up",
    "daily_values",
    "known_names",
    "owner_is_below",
    "sums_by",
]

Group: TypeAlias = Literal["owner", "key", "model", "connection", "day"]
GROUPS: Final[tuple[Group, ...]] = get_args(Group)
_LONG: Final = 100
"""Days from which on a period is shown by month: its days are too many to look at, and to add up for each page."""
_RECENT: Final = 14
"""Days whose names a filter offers; others can be typed."""


def today() -> date:
    """Return the day now (UTC)."""
    return datetime.now(UTC).date()


@attrs.frozen
class Period:
    """Days, the first and the last included (UTC)."""

    first: date
    last: date

    @classmethod
    def last_days(cls, count: int) -> Period:
        """Return the last days, today included."""
        now = today()
        return cls(now - timedelta(days=count - 1), now)

    @property
    def numbers(self) -> tuple[int, int]:
        """The days, counted from 1970."""
        return (self.first - EPOCH).days, (self.last - EPOCH).days

    @property
    def is_long(self) -> bool:
        """Whether it is shown by month."""
        return (self.last - self.first).days >= _LONG

    def parts(self, *, by_day: bool) -> Sequence[tuple[Table, date, date]]:
        """Return what to read: the sums of whole months, and of the days before and after them.

        Args:
            by_day: The days are needed one by one.
        """
        first, last = self.first, self.last
        start = first if first.day == 1 else _next_month(first)
        end = _next_month(last) - timedelta(days=1)
        if last < min(end, today()):  # the last month is not whole; one that still runs is
            end = last.replace(day=1) - timedelta(days=1)
        if by_day or start > end:
            return [(spend_days, first, last)]
        found = [(spend_months, start, end)]
        if first < start:
            found.append((spend_days, first, start - timedelta(days=1)))
        if end < last:
            found.append((spend_days, end + timedelta(days=1), last))
        return found

    @property
    def steps(self) -> Sequence[date]:
        """What it is shown by: every day, or the first day of every month."""
        found, step = [], self.first
        while step <= self.last:
            found.append(step.replace(day=1) if self.is_long else step)
            step = _next_month(step) if self.is_long else step + timedelta(days=1)
        return found

    def label(self, step: date) -> str:
        """Return a step as it is written."""
        return f"{step:%Y-%m}" if self.is_long else step.isoformat()

    def within(self, step: date) -> Period:
        """Return the days of a step that are in the period."""
        if not self.is_long:
            return Period(step, step)
        return Period(max(self.first, step), min(self.last, _next_month(step) - timedelta(days=1)))


@attrs.frozen(kw_only=True)
class Selection:
    """Which sums are shown.

    Attributes:
        period: The days.
        owner: A path, and all below it; "" is everybody.
        key: The name of a key; "" is all.
        connection: "" is all.
        model: "" is all.
    """

    period: Period
    owner: str = ""
    key: str = ""
    connection: str = ""
    model: str = ""

    def conditions(self, table: Any) -> Sequence[ColumnElement[bool]]:
        """Return what selects sums of a table, besides the days."""
        found: list[ColumnElement[bool]] = []
        if self.owner:
            found.append(owner_is_below(table.c.owner, self.owner))
        for name in ("key", "connection", "model"):
            value = getattr(self, name)
            if value:
                found.append(table.c[name] == value)
        return found

    def source(self, names: Sequence[str], more: Mapping[str, str] = {}) -> Subquery:
        """Return the sums of the period, as columns to be summed further; a long period's days are those of its months.

        Args:
            names: The columns.
            more: Values that other columns must have.
        """
        selects = []
        by_day = "day" in names and not self.period.is_long
        for table, first, last in self.period.parts(by_day=by_day):
            columns = [table.c[name].label(name) for name in names if name != "day"]
            if "day" in names:
                is_edge = self.period.is_long and table is spend_days
                day: Any = literal(month_of(number_of(first))) if is_edge else table.c.day
                columns.append(day.label("day"))
            days = (table.c.day >= number_of(first), table.c.day <= number_of(last))
            exact = (table.c[name] == value for name, value in more.items())
            selects.append(select(*columns).where(*days, *exact, *self.conditions(table)))
        return union_all(*selects).subquery() if len(selects) > 1 else selects[0].subquery()


def number_of(day: date) -> int:
    """Return a day, counted from 1970."""
    return (day - EPOCH).days


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def owner_is_below(column: ColumnElement[str], owner: str) -> ColumnElement[bool]:
    """Return the condition that an owner is a path or below it."""
    start = f"{owner}/"
    return or_(column == owner, and_(func.substr(column, 1, len(start)) == start))


@attrs.define
class Money:
    """Amounts in one currency, complete and partial ones apart."""

    complete: Decimal = Decimal(0)
    partial: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        """All that is known."""
        return self.complete + self.partial


@attrs.define(kw_only=True)
class Sums:
    """Sums of one group.

    Attributes:
        money: By currency.
        complete: Calls whose cost is complete.
        partial: Calls of whose cost a part is known.
        unknown: Calls whose cost is not known.
    """

    requests: int = 0
    failed: int = 0
    cancelled: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    complete: int = 0
    partial: int = 0
    unknown: int = 0
    money: dict[str, Money] = attrs.field(factory=dict)

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a sum as the store has it."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + int(row[name]))
        cost = row["cost"]
        setattr(self, cost, getattr(self, cost) + int(row["requests"]))
        if row["currency"]:
            money = self.money.setdefault(row["currency"], Money())
            amount = amount_of(int(row["units"]), int(row["nanos"]), int(row["attos"]))
            if cost == "complete":
                money.complete += amount
            else:
                money.partial += amount

    def join(self, other: Sums) -> None:
        """Add the sums of another group."""
        for name in (*COUNTS, "complete", "partial", "unknown"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for currency, money in other.money.items():
            mine = self.money.setdefault(currency, Money())
            mine.complete += money.complete
            mine.partial += money.partial

    def total(self, currency: str) -> Decimal:
        """Return all that is known in a currency."""
        found = self.money.get(currency)
        return Decimal(0) if found is None else found.total

    @property
    def currencies(self) -> Sequence[str]:
        """The currencies, that of the highest amount first."""
        return sorted(self.money, key=lambda name: (-self.money[name].total, name))

    @property
    def main_currency(self) -> str | None:
        """The currency of the highest amount."""
        return next(iter(self.currencies), None)

    def measured(self, measure: str) -> Decimal:
        """Return requests, tokens, or what is known in a currency."""
        if measure == "requests":
            return Decimal(self.requests)
        return Decimal(self.input_tokens + self.output_tokens) if measure == "tokens" else self.total(measure)

    @property
    def weight(self) -> tuple[Decimal, int]:
        """What groups are ordered by: money, then calls."""
        return sum((one.total for one in self.money.values()), Decimal(0)), self.requests


def sums_by(connection: Connection, group: Group, selection: Selection) -> Mapping[Any, Sums]:
    """Return sums by owner, key, model, connection or day.

    Args:
        connection: The store.
        group: What they are apart by.
        selection: Which.
    """
    places, totals = (group, "currency", "cost"), DAY_COUNTS
    source = selection.source((*places, *totals))
    columns = [source.c[name] for name in places]
    query = select(*columns, *(func.sum(source.c[name]).label(name) for name in totals)).group_by(*columns)
    found: dict[Any, Sums] = {}
    for row in connection.execute(query).mappings():
        found.setdefault(row[group], Sums()).add(dict(row))
    return found


def daily_values(
    connection: Connection, group: Group, selection: Selection, names: Sequence[str], measure: str
) -> Mapping[tuple[int, str | None], Decimal]:
    """Return one measure by day and group; groups that are not named are added up under None.

    Args:
        connection: The store.
        group: What it is apart by.
        selection: Which.
        names: The groups that are shown by themselves.
        measure: requests, tokens, or a currency.
    """
    counts = {"requests": ("requests",), "tokens": ("input_tokens", "output_tokens")}.get(
        measure, ("units", "nanos", "attos")
    )
    more = {} if measure in ("requests", "tokens") else {"currency": measure}
    source = selection.source(("day", group, *counts), more)
    of = source.c[group]
    column: ColumnElement[Any] = case((of.in_(names), of), else_=None)
    totals = [func.sum(source.c[name]) for name in counts]
    query = select(source.c.day, column.label("name"), *totals).group_by(source.c.day, column)
    found = {}
    for day, name, *sums in connection.execute(query):
        found[day, name] = Decimal(sum(map(int, sums))) if not more else amount_of(*map(int, sums))
    return found


def add_up(sums: Iterable[Sums]) -> Sums:
    """Return the sum of sums."""
    whole = Sums()
    for one in sums:
        whole.join(one)
    return whole


def known_names(connection: Connection, column: str, period: Period, most: int = 200) -> Sequence[str]:
    """Return the names in a column that the end of a period knows, to choose from."""
    _, last = period.numbers
    of, day = spend_days.c[column], spend_days.c.day
    query = select(of).where(day > last - _RECENT, day <= last, of != "").distinct().order_by(of).limit(most)
    return list(connection.execute(query).scalars())
