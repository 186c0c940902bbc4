"""The contract, as a table: `prices.csv`."""

import csv
import functools
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files

from jackfield.plugin import Rate, RateCard

_UNITS = ("input", "output", "cache_read")


@functools.cache
def _rows() -> tuple[dict[str, str], ...]:
    """Read the list, the newest row of a model first."""
    text = (files("jackfield_negotiated") / "prices.csv").read_text(encoding="utf-8")
    return tuple(sorted(csv.DictReader(text.splitlines()), key=lambda row: row["from"], reverse=True))


def rates(provider: str | None, model: str, when: float) -> RateCard | None:
    """Return the rates of a model at a time, in seconds since the epoch; None if there is no row for it."""
    day = datetime.fromtimestamp(when, UTC).date().isoformat()
    for row in _rows():
        if (row["provider"], row["model"]) == (provider, model) and row["from"] <= day:
            source, day = row["source"], row["from"]
            known = [unit for unit in _UNITS if row[unit]]  # an empty cell is unknown, not free
            found = {unit: Rate(unit, Decimal(row[unit]), source=source, as_of=day) for unit in known}
            return RateCard(found, row["currency"])
    return None
