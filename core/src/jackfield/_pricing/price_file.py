"""The user's own price file: rates with the day from which they hold."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from jackfield._hints import hint, suggestion
from jackfield._types.cost import Rate, RateCard
from jackfield._types.errors import ConfigurationError
from jackfield._values import Value, field, frozen

from .names import currency_fault, unit_fault

__all__ = ["PriceTable"]

COLUMNS: Final = ("provider", "model", "unit", "per", "rate", "currency", "from", "source")
REQUIRED: Final = ("provider", "model", "unit", "rate")
_SEPARATORS: Final = (";", "\t", "|")

_MILLION: Final = 1_000_000
_ALWAYS: Final = date.min


@frozen
class _Row(Value):
    line: int
    key: tuple[str, str]
    rate: Rate
    currency: str
    since: date


@frozen
class PriceTable(Value):
    """Rates by provider and model.

    Attributes:
        rows: In the order of the days from which they hold.
    """

    rows: Mapping[tuple[str, str], tuple[_Row, ...]] = field(repr=False)

    @classmethod
    def read(cls, path: str | Path, units: Collection[str] = ()) -> PriceTable:
        """Read a CSV file with the columns provider, model, unit, per, rate, currency, from, source.

        `per`, `currency`, `from` and `source` may be left out or empty: 1,000,000 (1 for requests and
        seconds), USD, always, and the file's name.

        Args:
            path: The file.
            units: Of the providers at hand (`ProviderInfo.units`).

        Raises:
            ConfigurationError: Everything that is wrong with it, each with its line.
        """
        path = Path(path)
        try:
            # a spreadsheet puts a byte order mark at the start
            with path.open(encoding="utf-8-sig", newline="") as file:
                return cls.parse(file, path.name, units)
        except OSError as error:
            raise ConfigurationError(
                f"the price file {path} cannot be read: {error.strerror or error}"
            ) from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise ConfigurationError(f"the price file {path} is not valid CSV in UTF-8: {error}") from error

    @classmethod
    def parse(cls, lines: Iterable[str], name: str, units: Collection[str] = ()) -> PriceTable:
        """Read the lines of such a file.

        Args:
            lines: With the header.
            name: What errors and costs call the file.
            units: Of the providers at hand (`ProviderInfo.units`).

        Raises:
            ConfigurationError: Everything that is wrong with it, each with its line.
        """
        reader = csv.DictReader(lines, restkey="", skipinitialspace=True, strict=True)
        problems = _check_header(reader.fieldnames or ())
        rows: dict[tuple[str, str], list[_Row]] = {}
        if not problems:
            for cells in _read_rows(reader, problems):
                row = _read_row(cells, reader.line_num, name, problems, units)
                if row is not None:
                    rows.setdefault(row.key, []).append(row)
        for same_model in rows.values():
            same_model.sort(key=lambda row: row.since)
            problems += _find_contradictions(same_model)
        if problems:
            said = (
                "".join(f"\n  {problem}" for problem in problems) if len(problems) > 1 else f" {problems[0]}"
            )
            raise ConfigurationError(f"the price file {name}:{said}")
        return cls({key: tuple(same_model) for key, same_model in rows.items()})

    def slips(self, known: Sequence[str]) -> Iterator[str]:
        """Yield which providers are not known and spelt almost as one that is; a file may price others, too."""
        every = sorted((row for rows in self.rows.values() for row in rows), key=lambda row: row.line)
        for provider, line in {row.key[0]: row.line for row in reversed(every)}.items():
            meant = None if provider in known else suggestion(provider, known)
            if meant is not None:
                yield f"line {line}: no installed plugin gives the provider {provider!r}; did you mean {meant!r}?"

    def rates(self, provider: str, model: str, when: float | date) -> RateCard | None:
        """Return the rates that are in force.

        Args:
            provider: The provider's id.
            model: The model's id, exactly.
            when: Seconds since the epoch, or a day.

        Returns:
            For each unit the rate with the latest day that has come; None if there is none at all.
        """
        rows = self.rows.get((provider, model))
        if rows is None:
            return None
        day = when if isinstance(when, date) else datetime.fromtimestamp(when, UTC).date()
        in_force = {row.rate.unit: row for row in rows if row.since <= day}
        if not in_force:
            return None
        currency = next(iter(in_force.values())).currency
        return RateCard({unit: row.rate for unit, row in in_force.items()}, currency)


def _check_header(names: Iterable[str]) -> list[str]:
    names = list(names)
    if len(names) == 1 and (other := next((mark for mark in _SEPARATORS if mark in names[0]), None)):
        return [f"line 1: the columns are separated by {other!r}; write commas"]
    twice = [name for name in COLUMNS if names.count(name) > 1]
    problems = [f"line 1: the column {name!r} stands twice" for name in twice]
    problems += [
        f"line 1: unknown column {name!r}{hint(name, COLUMNS)}" for name in names if name not in COLUMNS
    ]
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        problems.append(f"line 1: the columns {', '.join(missing)} are missing; want {', '.join(COLUMNS)}")
    return problems


def _read_rows(reader: csv.DictReader[str], problems: list[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows; behind a line that is not valid CSV nothing can be read."""
    try:
        yield from reader
    except csv.Error as error:
        problems.append(f"line {reader.line_num + 1}: {error}; quotes stand around a whole cell")


def _read_row(
    cells: Mapping[str, str | list[str] | None],
    line: int,
    name: str,
    problems: list[str],
    units: Collection[str],
) -> _Row | None:
    if "" in cells:
        problems.append(f"line {line}: has more cells than the header")
        return None
    text = {key: value.strip() for key, value in cells.items() if isinstance(value, str)}
    try:
        for key in REQUIRED:
            if not text.get(key):
                raise ValueError(f"{key} is empty")
        if "*" in text["model"]:
            raise ValueError(f"{text['model']!r}: a price is for one model; write each id")
        currency = text.get("currency") or "USD"
        if fault := unit_fault(text["unit"], units) or currency_fault(currency, units):
            raise ValueError(fault)
        unit = text["unit"]
        since = _parse_day(text.get("from", ""))
        rate = Rate(
            unit,
            _parse_amount(text["rate"]),
            _parse_count(text.get("per", ""), 1 if unit in {"request", "second"} else _MILLION),
            text.get("source") or name,
            None if since is _ALWAYS else since.isoformat(),
        )
    except ValueError as error:
        problems.append(f"line {line}: {error}")
        return None
    return _Row(line, (text["provider"], text["model"]), rate, currency, since)


def _parse_amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"the rate {text!r} is not a number; write it with a point: 0.25") from None
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"the rate {text!r} must be 0 or more")
    return amount


def _parse_count(text: str, default: int) -> int:
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"per {text!r} must be a whole number, 1 or more")
    return int(text)


def _parse_day(text: str) -> date:
    if not text:
        return _ALWAYS
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"from {text!r} must be a day as 2026-01-31") from None


def _find_contradictions(rows: list[_Row]) -> list[str]:
    problems = []
    seen: dict[tuple[str, date], int] = {}
    for row in rows:
        first = seen.setdefault((row.rate.unit, row.since), row.line)
        if first != row.line:
            problems.append(f"line {row.line}: says the same unit and day as line {first}")
        if row.currency != rows[0].currency:
            problems.append(
                f"line {row.line}: {row.currency}, but line {rows[0].line} prices the same model in {rows[0].currency}"
            )
    return problems
