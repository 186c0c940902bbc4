"""Calls: rows of spend, newest first, in pages that begin where the last one ended.

Some filters have an index; for the others, a page looks through a limited number of rows and says how far it came, so that no
filter makes a page slow, however many rows there are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
from sqlalchemy import ColumnElement, Connection, and_, or_, select, text

from ._schema import spend
from ._usage import owner_is_below

__all__ = ["CallFilter", "CallPage", "find_call", "list_calls", "read_detail"]

_PAGE: Final = 50
_SCAN: Final = 10_000
"""Rows that one page looks through."""
_FILTERED: Final = ("key", "owner", "connection", "model", "status", "cost")
_SHOWN: Final = (
    "number",
    "id",
    "at",
    "key",
    "owner",
    "surface",
    "asked",
    "connection",
    "model",
    "kind",
    "status",
    "error",
    "input_tokens",
    "output_tokens",
    "amount",
    "currency",
    "cost",
    "attempts",
    "first_event",
    "duration",
)


@attrs.frozen(kw_only=True)
class CallFilter:
    """Which calls are listed; "" is all.

    Attributes:
        first: From this moment, in seconds of `time.time()`.
        last: Before this moment.
        key: The key's name.
        owner: A path, and all below it.
        connection: The connection.
        model: The model.
        status: ok, error, cancelled, or "not-ok".
        cost: complete, partial or unknown.
        id: How the request's id begins.
    """

    first: float | None = None
    last: float | None = None
    key: str = ""
    owner: str = ""
    connection: str = ""
    model: str = ""
    status: str = ""
    cost: str = ""
    id: str = ""


@attrs.frozen(kw_only=True)
class CallPage:
    """A page of calls.

    Attributes:
        rows: The calls.
        after: Where the next page begins; None at the end.
        looked_until: The moment back to which rows were looked through, if the page is not full for that reason.
    """

    rows: Sequence[Mapping[str, Any]]
    after: tuple[float, int] | None = None
    looked_until: float | None = None


def list_calls(
    connection: Connection, wanted: CallFilter, after: tuple[float, int] | None = None
) -> CallPage:
    """Return a page of calls, newest first.

    Args:
        connection: The store.
        wanted: Which.
        after: Where the page before ended.
    """
    if wanted.id:
        return CallPage(rows=_read(connection, _by_id(wanted.id)))
    first, rest = _conditions(wanted)
    if after is not None:
        at, number = after
        first.append(and_(spend.c.at <= at, or_(spend.c.at < at, spend.c.number < number)))
    order = (spend.c.at.desc(), spend.c.number.desc())
    if not rest:
        query = select(*(spend.c[name] for name in _SHOWN)).where(*first).order_by(*order).limit(_PAGE + 1)
        return _full_page(_read(connection, query))
    looked = select(*(spend.c[name] for name in ("number", "at", *_FILTERED))).where(*first).order_by(*order)
    some = looked.limit(_SCAN).subquery()
    matching = select(some.c.number).where(*(_on(some, name, value) for name, value in rest.items()))
    query = matching.order_by(some.c.at.desc(), some.c.number.desc()).limit(_PAGE + 1)
    numbers = list(connection.execute(query).scalars())
    shown = select(*(spend.c[name] for name in _SHOWN)).where(spend.c.number.in_(numbers)).order_by(*order)
    rows = _read(connection, shown)
    if len(rows) > _PAGE:
        return _full_page(rows)
    ends = select(spend.c.at, spend.c.number).where(*first).order_by(*order).offset(_SCAN - 1).limit(1)
    end = connection.execute(ends).first()
    if end is None:
        return CallPage(rows=rows)
    return CallPage(rows=rows, after=(end.at, end.number), looked_until=end.at)


def _full_page(rows: Sequence[Mapping[str, Any]]) -> CallPage:
    if len(rows) <= _PAGE:
        return CallPage(rows=rows)
    last = rows[_PAGE - 1]
    return CallPage(rows=rows[:_PAGE], after=(last["at"], last["number"]))


def _read(connection: Connection, query: Any) -> Sequence[Mapping[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _by_id(start: str) -> Any:
    """Return the question for ids that begin with a text, by their index."""
    end = start[:-1] + chr(min(ord(start[-1]) + 1, 0x10FFFF))
    columns = [spend.c[name] for name in _SHOWN]
    return (
        select(*columns).where(spend.c.id >= start, spend.c.id < end).order_by(spend.c.at.desc()).limit(_PAGE)
    )


def _conditions(wanted: CallFilter) -> tuple[list[Any], dict[str, str]]:
    """Return the conditions that an index answers, and the others by name."""
    rest = {name: getattr(wanted, name) for name in _FILTERED if getattr(wanted, name)}
    first: list[Any] = []
    if wanted.first is not None:
        first.append(spend.c.at >= wanted.first)
    if wanted.last is not None:
        first.append(spend.c.at < wanted.last)
    if "key" in rest:
        first.append(spend.c.key == rest.pop("key"))
    elif rest.get("status", "ok") != "ok":
        first.append(
            text("status <> 'ok'")
        )  # as the partial index has it: a database does not see it in a parameter
        if rest["status"] == "not-ok":
            del rest["status"]
    return first, rest


def _on(table: Any, name: str, value: str) -> ColumnElement[bool]:
    column: ColumnElement[str] = table.c[name]
    if name == "owner":
        return owner_is_below(column, value)
    if name == "status" and value == "not-ok":
        return column != "ok"
    return column == value


def find_call(connection: Connection, number: int) -> Mapping[str, Any] | None:
    """Return one call with all that is kept of it."""
    row = connection.execute(select(spend).where(spend.c.number == number)).mappings().first()
    return None if row is None else {**row, **read_detail(row["detail"], row["report"])}


def read_detail(detail: str | None, report: str) -> Mapping[str, Any]:
    """Read what a row keeps as JSON: attempts, lines of the bill, and what became of the parameters."""
    kept = json.loads(detail) if detail else {}
    names = ("connection", "model", "status", "error", "waited", "duration")
    items = ("unit", "quantity", "rate", "per", "amount", "source")
    return {
        "tries": [dict(zip(names, one, strict=False)) for one in kept.get("attempts", ())],
        "items": [dict(zip(items, one, strict=False)) for one in kept.get("items", ())],
        "missing": kept.get("missing", []),
        "notes": json.loads(report) if report else [],
    }
