"""`jackfield limits list`: the limits, and what is used of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from jackfield_limits import LimitsSettings

__all__ = ["limits"]

_COLUMNS: Final = ("LIMIT", "MEASURE", "WINDOW", "USED", "RESERVED", "MOST", "ACTION", "RESETS")
_NONE: Final = "no limits are declared; see the how-to Budgets and limits"


@click.group("limits")
def limits() -> None:
    """Show the limits of who may use how much."""


@limits.command("list")
@click.pass_obj
def list_(session: Any) -> None:
    """List the limits, with what is used and reserved, and when their windows end.

    Counters in memory are those of a process that runs; of these, only the declaration is known here.
    """
    from jackfield_limits import StoreAwayError

    settings = session.config.middleware_settings.get("limits")
    if settings is None or not settings.limit:
        if session.json:
            session.write_json({"limits": []})
        else:
            session.note(_NONE)
        return
    missing = _missing_file(settings.store)
    try:
        rows = asyncio.run(_read(settings, "memory" if missing else settings.store))
    except StoreAwayError as error:
        raise click.ClickException(f"the store of limits cannot be read: {error}") from error
    if session.json:
        session.write_json({"store": settings.store.partition(":")[0], "limits": rows})
        return
    if settings.store == "memory":
        session.note("the store is memory: what running processes have used is not known here")
    if missing:
        session.note(
            f"{missing} does not exist: nothing was counted yet, or the gateway was started in another folder, "
            "where a relative path begins; declare an absolute one (sqlite:////var/lib/limits.db)"
        )
    table = [_COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def _missing_file(store: str) -> Path | None:
    """Return the file of a store if it is not there: to list limits makes no file."""
    scheme, _, rest = store.partition(":")
    path = Path(rest.removeprefix("///")).expanduser().absolute()
    return path if scheme == "sqlite" and not path.exists() else None


async def _read(settings: LimitsSettings, address: str) -> list[dict[str, Any]]:
    from jackfield_limits import Rule, describe_state, open_store

    store = open_store(address)
    rows = []
    try:
        for limit in settings.limit:
            rule = Rule.of(limit)
            keys = await store.find(f"{rule.name}:") if limit.each else (rule.name,)
            states = await store.read([rule.counter_of(key) for key in keys])
            rows += [describe_state(rule, state) for state in states]
    finally:
        await store.aclose()
    return rows


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    from jackfield_limits import describe_moment

    unit = row["currency"] or row["measure"]
    resets = "" if row["resets_at"] is None else describe_moment(row["resets_at"])
    return (
        row["limit"],
        unit,
        row["window"],
        row["used"],
        row["reserved"],
        row["most"],
        row["action"],
        resets,
    )
