"""Usage: what was spent, by owner, key, model, connection and day."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs
from aiohttp import web

from jackfield_gateway._days import EPOCH

from ._exports import FOCUS_COLUMNS, USAGE_COLUMNS, day_rows, focus_row, usage_row, write_csv
from ._pages import Page
from ._plot import MOST_SERIES, Plot, make_plot
from ._selecting import PERIODS, read_selection, selection_query
from ._usage import GROUPS, Group, Period, Selection, Sums, add_up, daily_values, known_names, sums_by

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ._visit import Visit

__all__ = ["PAGES"]

_MOST_ROWS: Final = 120
_CHUNK: Final = timedelta(days=14)
_FILTERS: Final = ("key", "connection", "model")


@attrs.frozen(kw_only=True)
class _Found:
    rows: Sequence[tuple[Any, Sums]]
    total: Sums
    measure: str
    plot: Plot | None
    choices: Mapping[str, Sequence[str]]


def _read(connection: Connection, group: Group, selection: Selection, asked: str) -> _Found:
    """Read all that the page shows: once by group, once by day for the plot."""
    sums = sums_by(connection, group, selection)
    rows = sorted(sums.items(), key=lambda one: one[1].weight, reverse=True)
    total = add_up(sums.values())
    measure = asked if asked in (*total.money, "requests", "tokens") else total.main_currency or "requests"
    apart: Group = "connection" if group == "day" else group
    largest = rows if apart == group else sums_by(connection, apart, selection).items()
    names = [
        name
        for name, _ in sorted(largest, key=lambda one: one[1].measured(measure), reverse=True)[:MOST_SERIES]
    ]
    values = daily_values(connection, apart, selection, names, measure)
    by_day = {(EPOCH + timedelta(days=day), name): value for (day, name), value in values.items()}
    if group == "day":
        rows = [(EPOCH + timedelta(days=int(day)), one) for day, one in sorted(sums.items(), reverse=True)]
    return _Found(
        rows=rows,
        total=total,
        measure=measure,
        plot=make_plot(by_day, selection.period, names, "calls" if measure == "requests" else measure),
        choices={name: known_names(connection, name, selection.period) for name in _FILTERS},
    )


async def _show(visit: Visit) -> Mapping[str, Any]:
    selection, period = read_selection(visit)
    group = _group(visit)
    found = await visit.database.run(_read, group, selection, visit.query("measure"))
    total = found.total
    return {
        "group": group,
        "groups": GROUPS,
        "rows": found.rows[:_MOST_ROWS],
        "left_out": max(0, len(found.rows) - _MOST_ROWS),
        "total": total,
        "currencies": total.currencies,
        "measure": found.measure,
        "plot": found.plot,
        "selection": selection,
        "period": period,
        "periods": PERIODS,
        "choices": found.choices,
        "again": selection_query(selection, period),
    }


def _group(visit: Visit) -> Group:
    asked = visit.query("by")
    return next((group for group in GROUPS if group == asked), "owner")


# Exports


def _export(
    name: str, columns: Sequence[str], line: Callable[[Visit], Callable[[Mapping[str, Any]], Sequence[Any]]]
) -> Any:
    """Return a handler that writes what is selected as CSV, some days at a time."""

    async def write(visit: Visit) -> web.StreamResponse:
        selection, _ = read_selection(visit)
        period, to_line = selection.period, line(visit)
        file = f"{name}-{period.first}-{period.last}.csv"
        response = web.StreamResponse(
            headers={
                "content-type": "text/csv; charset=utf-8",
                "content-disposition": f'attachment; filename="{file}"',
            }
        )
        await response.prepare(visit.request)
        await response.write(write_csv([columns]))
        first = period.first
        while first <= period.last:
            last = min(first + _CHUNK, period.last)
            part = attrs.evolve(selection, period=Period(first, last))
            rows = await visit.database.run(day_rows, part)
            if rows:
                await response.write(write_csv(map(to_line, rows)))
            first = last + timedelta(days=1)
        await response.write_eof()
        return response

    return write


def _focus_line(visit: Visit) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    providers = {
        name: one.provider.info.title if one.provider is not None else one.provider_id
        for name, one in visit.config.connections.items()
    }
    return lambda row: focus_row(row, providers)


PAGES: Final = [
    Page(path="/usage", title="Usage", template="usage.html", get=_show, group="Spend", order=10),
    Page(path="/usage.csv", title="Usage", get=_export("usage", USAGE_COLUMNS, lambda _: usage_row)),
    Page(path="/usage.focus.csv", title="Usage", get=_export("usage-focus", FOCUS_COLUMNS, _focus_line)),
]
