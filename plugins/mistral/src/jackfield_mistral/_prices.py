"""Mistral's prices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from jackfield.plugin import CostContext, ModelRef, RateCard

from ._settings import is_regional

__all__ = ["rates"]


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    import orjson

    table: Mapping[str, Any] = orjson.loads(Path(__file__).with_name("prices.json").read_bytes())
    return table


def rates(model: ModelRef, context: CostContext) -> RateCard | None:
    """Give the rates for one call; None if they are unknown.

    The model that the answer reports wins over the one that was asked for. Aliases move silently and are priced only
    where the history of the alias itself is known. A tier other than `standard` has no published rate. Regional hosts
    cost a tenth more for chats.

    Sources: `prices.json`.
    """
    table = _table()
    entry = table["models"].get(context.reported_model) or table["models"].get(model.known_as)
    if entry is None or context.service_tier not in (None, "standard"):
        return None
    day = datetime.fromtimestamp(context.when, UTC).date().isoformat()
    dated = [
        row for row in entry.get("batch" if context.batch else "rates", ()) if row.get("from", "") <= day
    ]
    if not dated:
        return None
    amounts = {unit: Decimal(amount) for unit, amount in dated[-1].items() if unit != "from"}
    if is_regional(model.settings) and context.kind != "embedding":
        amounts = {unit: amount * Decimal(table["regional_factor"]) for unit, amount in amounts.items()}
    source = table["sources"][entry.get("source", "GP")]
    return RateCard.of(source=source, as_of=table["as_of"], currency="USD", per=table["per"], **amounts)
