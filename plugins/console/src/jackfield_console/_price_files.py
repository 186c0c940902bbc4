"""Prices: what a plugin publishes, what the organisation has confirmed, and the rows that confirm."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import attrs

from jackfield import ConnectionConfig, JackfieldError, MeshConfig, ModelCard, Registry, Usage
from jackfield.plugin import CostContext, ModelRef, RateCard, find_model

__all__ = ["COLUMNS", "Price", "add_rows", "compare_price", "find_published"]

COLUMNS: Final = ("provider", "model", "unit", "per", "rate", "currency", "from", "source")


@attrs.frozen(kw_only=True)
class Price:
    """The price of a model.

    Attributes:
        used: What calls are charged by; None if it is unknown.
        published: What the plugin's table, or a price extension, says; None if neither knows.
        origin: Where the used price comes from: declared, confirmed, published or unknown.
        units: The units of both, in the order in which they are shown.
        changed: The published price is not the one that was declared or confirmed.
    """

    used: RateCard | None
    published: RateCard | None
    origin: str
    units: Sequence[str]
    changed: bool


def compare_price(config: MeshConfig, registry: Registry, card: ModelCard) -> Price:
    """Compare what is charged for a model with what is published."""
    connection = config.connections[card.connection]
    published = find_published(connection, registry, card)
    used = card.price
    origin = _find_origin(config, connection, card)
    units = list(dict.fromkeys([*(used.rates if used else ()), *(published.rates if published else ())]))
    changed = origin in ("declared", "confirmed") and published is not None and not _equal(used, published)
    return Price(used=used, published=published, origin=origin, units=units, changed=changed)


def find_published(connection: ConnectionConfig, registry: Registry, card: ModelCard) -> RateCard | None:
    """Return what the plugin, or a price extension, says of a model's price today; None if neither knows."""
    provider = connection.provider
    if provider is None:
        return None
    model = _reference(connection, card)
    context = CostContext(when=time.time())
    try:
        answer = provider.cost(model, Usage(), context)
        if isinstance(answer, RateCard):
            return answer
        if answer is None:
            return registry.price(model, attrs.evolve(context, provider=provider.info.id))
    except JackfieldError:
        return None
    except Exception:  # a bill that cannot be made is no reason to show no page
        return None
    return None


def _reference(connection: ConnectionConfig, card: ModelCard) -> ModelRef:
    entry = find_model(connection, card.id)
    declared = {} if entry is None else entry.raw
    return ModelRef(card.id, connection.name, None, card.underlying, declared, connection.settings)


def _find_origin(config: MeshConfig, connection: ConnectionConfig, card: ModelCard) -> str:
    if card.price is None:
        return "unknown"
    entry = find_model(connection, card.id)
    if (
        entry is not None and (entry.price is not None or entry.rate is not None)
    ) or connection.rate is not None:
        return "declared"
    names = (card.id, _reference(connection, card).known_as)
    if config.prices is not None and any(
        config.prices.rates(connection.provider_id, name, time.time()) is not None for name in names
    ):
        return "confirmed"
    return "published"


def _equal(used: RateCard | None, published: RateCard) -> bool:
    """Return whether what both price costs the same."""
    if used is None or used.currency != published.currency:
        return False
    both = used.rates.keys() & published.rates.keys()
    return bool(both) and all(
        used.rates[unit].amount * published.rates[unit].per
        == published.rates[unit].amount * used.rates[unit].per
        for unit in both
    )


def add_rows(text: str, provider: str, model: str, card: RateCard, *, who: str) -> str:
    """Return a price file in which the rates of a model hold from today; rows of today are replaced.

    Args:
        text: The file; empty for a new one.
        provider: The provider's id.
        model: The model's id.
        card: The rates.
        who: Who confirms.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    if not text.strip():
        text = ",".join(COLUMNS) + newline
    elif not text.endswith("\n"):
        text += newline
    lines = text.splitlines(keepends=True)
    header = next(csv.reader([lines[0]], skipinitialspace=True))
    today = datetime.now(UTC).date().isoformat()
    kept = [line for line in lines[1:] if not _says(line, header, provider, model, today, card.rates)]
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator=newline)
    for unit, rate in card.rates.items():
        said = {
            "provider": provider,
            "model": model,
            "unit": unit,
            "per": str(rate.per),
            "rate": f"{rate.amount:f}",
            "currency": card.currency,
            "from": today,
            "source": f"confirmed by {who}: {rate.source}",
        }
        writer.writerow([said.get(name.strip(), "") for name in header])
    return lines[0] + "".join(kept) + rows.getvalue()


def _says(
    line: str, header: Sequence[str], provider: str, model: str, day: str, rates: Mapping[str, object]
) -> bool:
    """Return whether a line prices a unit of the model from a day on. A row over several lines is left alone."""
    try:
        cells = next(csv.reader([line], skipinitialspace=True, strict=True), [])
    except csv.Error:
        return False
    said = {name.strip(): cell.strip() for name, cell in zip(header, cells, strict=False)}
    return (
        said.get("provider") == provider
        and said.get("model") == model
        and said.get("from") == day
        and said.get("unit") in rates
    )
