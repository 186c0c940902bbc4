"""The first page: where the gateway stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs
from sqlalchemy import Connection

from jackfield_gateway._days import EPOCH

from ._calls import CallFilter, CallPage, list_calls
from ._pages import Page
from ._plot import MOST_SERIES, Plot, make_plot
from ._usage import Period, Selection, Sums, add_up, daily_values, sums_by

if TYPE_CHECKING:
    from ._visit import Visit

__all__ = ["PAGES"]

_DAYS: Final = 30
_SHOWN: Final = 5


@attrs.frozen(kw_only=True)
class _Found:
    today: Sums
    total: Sums
    measure: str
    plot: Plot | None
    failed: CallPage


def _read(connection: Connection) -> _Found:
    period = Period.last_days(_DAYS)
    selection = Selection(period=period)
    sums = sums_by(connection, "connection", selection)
    total = add_up(sums.values())
    measure = total.main_currency or "requests"
    names = sorted(sums, key=lambda name: sums[name].measured(measure), reverse=True)[:MOST_SERIES]
    values = daily_values(connection, "connection", selection, names, measure)
    by_day = {(EPOCH + timedelta(days=day), name): value for (day, name), value in values.items()}
    now = Selection(period=Period.last_days(1))
    return _Found(
        today=add_up(sums_by(connection, "connection", now).values()),
        total=total,
        measure=measure,
        plot=make_plot(by_day, period, names, "calls" if measure == "requests" else measure),
        failed=list_calls(connection, CallFilter(status="not-ok")),
    )


async def _show(visit: Visit) -> Mapping[str, Any]:
    state = visit.console.host.state
    found = await visit.database.run(_read)
    return {
        "connections": len(visit.config.connections),
        "running": None if state is None else state.current.calls,
        "is_open": state is not None and state.is_open,
        "store_is_away": state is not None and state.store_is_away,
        "lost": 0 if state is None or state.ledger is None else state.ledger.lost,
        "total": found.total,
        "today": found.today,
        "currencies": found.total.currencies,
        "plot": found.plot,
        "failed": found.failed.rows[:_SHOWN],
        "days": _DAYS,
    }


PAGES: Final = [Page(path="/", title="Overview", template="home.html", get=_show, group="Spend", order=0)]
