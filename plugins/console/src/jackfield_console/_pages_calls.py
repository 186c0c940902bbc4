"""Calls: newest first, and one call with attempts, timings, the report of its parameters and the lines of its bill."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs

from ._calls import CallFilter, CallPage, find_call, list_calls
from ._pages import Page
from ._selecting import PERIODS, read_selection, selection_query
from ._usage import known_names

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ._usage import Selection
    from ._visit import Visit

__all__ = ["PAGES"]

_STATUSES: Final = ("ok", "error", "cancelled", "not-ok")
_COSTS: Final = ("complete", "partial", "unknown")


@attrs.frozen(kw_only=True)
class _Found:
    page: CallPage
    choices: Mapping[str, Any]


def _read(
    connection: Connection, wanted: CallFilter, after: tuple[float, int] | None, selection: Selection
) -> _Found:
    choices = {
        name: known_names(connection, name, selection.period) for name in ("key", "connection", "model")
    }
    return _Found(page=list_calls(connection, wanted, after), choices=choices)


async def _list(visit: Visit) -> Mapping[str, Any]:
    selection, period = read_selection(visit)
    status = visit.query("status") if visit.query("status") in _STATUSES else ""
    cost = visit.query("cost") if visit.query("cost") in _COSTS else ""
    start, end = selection.period.first, selection.period.last + timedelta(days=1)
    wanted = CallFilter(
        first=_seconds(start),
        last=_seconds(end),
        key=selection.key,
        owner=selection.owner,
        connection=selection.connection,
        model=selection.model,
        status=status,
        cost=cost,
        id=visit.query("id")[:200],
    )
    found = await visit.database.run(_read, wanted, _read_place(visit.query("after")), selection)
    again = {**selection_query(selection, period), "status": status, "cost": cost}
    after = found.page.after
    return {
        "calls": found.page.rows,
        "looked_until": found.page.looked_until,
        "next": None if after is None else visit.url("/calls", **again, after=f"{after[0]!r}-{after[1]}"),
        "is_first": not visit.query("after"),
        "selection": selection,
        "period": period,
        "periods": PERIODS,
        "choices": found.choices,
        "wanted": status,
        "statuses": (
            ("", "all"),
            ("ok", "ok"),
            ("not-ok", "not ok"),
            ("error", "error"),
            ("cancelled", "cancelled"),
        ),
        "cost": cost,
        "costs": (("", "all"), *((one, one) for one in _COSTS)),
        "id": wanted.id,
    }


def _seconds(day: Any) -> float:
    return datetime.combine(day, time(), UTC).timestamp()


def _read_place(text: str) -> tuple[float, int] | None:
    at, _, number = text.rpartition("-")
    try:
        return float(at), int(number)
    except ValueError:
        return None


async def _show(visit: Visit) -> Mapping[str, Any]:
    number = visit.part("number")
    call = await visit.database.run(find_call, int(number)) if len(number) < 18 else None
    if call is None:
        visit.refuse(
            404, "There is no such call, or it was deleted after the days that the configuration keeps."
        )
    return {"call": call, "title": f"Call {call['id']}"}


PAGES: Final = [
    Page(path="/calls", title="Calls", template="calls.html", get=_list, group="Spend", order=20),
    Page(path=r"/calls/{number:\d+}", title="Call", template="call.html", get=_show, parent="/calls"),
]
