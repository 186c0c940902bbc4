"""What was used and what it cost, from the sums of days: a page reads some thousands of sums, never a million rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs
from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from jackfield_gateway._days import amount_of

from ._schema import spend_days

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
EPOCH: Final = date(1970, 1, 1)
_RECENT: Final = 14
"""Days whose names a filter offers; others can be typed."""
_COUNTS: Final = (
    "requests",
    "failed",
    "cancelled",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
)


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
    def days(self) -> Sequence[date]:
        """Every day."""
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]


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

    def conditions(self) -> Sequence[ColumnElement[bool]]:
        """Return what selects the sums."""
        first, last = self.period.numbers
        found: list[ColumnElement[bool]] = [spend_days.c.day >= first, spend_days.c.day <= last]
        if self.owner:
            found.append(owner_is_below(spend_days.c.owner, self.owner))
        for name in ("key", "connection", "model"):
            value = getattr(self, name)
            if value:
                found.append(spend_days.c[name] == value)
        return found


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
        for name in _COUNTS:
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
        for name in (*_COUNTS, "complete", "partial", "unknown"):
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
    columns = [spend_days.c[name] for name in (group, "currency", "cost")]
    totals = [func.sum(spend_days.c[name]).label(name) for name in (*_COUNTS, "units", "nanos", "attos")]
    query = select(*columns, *totals).where(*selection.conditions()).group_by(*columns)
    found: dict[Any, Sums] = {}
    for row in connection.execute(query).mappings():
        found.setdefault(row[group], Sums()).add(row)
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
    column: ColumnElement[Any] = case((spend_days.c[group].in_(names), spend_days.c[group]), else_=None)
    conditions = list(selection.conditions())
    if measure == "requests":
        totals = [func.sum(spend_days.c.requests)]
    elif measure == "tokens":
        totals = [func.sum(spend_days.c.input_tokens + spend_days.c.output_tokens)]
    else:
        totals = [func.sum(spend_days.c[name]) for name in ("units", "nanos", "attos")]
        conditions.append(spend_days.c.currency == measure)
    query = (
        select(spend_days.c.day, column.label("name"), *totals)
        .where(*conditions)
        .group_by(spend_days.c.day, column)
    )
    found = {}
    for day, name, *sums in connection.execute(query):
        found[day, name] = Decimal(sums[0]) if len(sums) == 1 else amount_of(*map(int, sums))
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
