"""OpenAI's prices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, Final

from jackfield import Cost, CostItem, Usage
from jackfield.plugin import CostContext, DatedRates, ModelRef, RateCard, load_table, read_quantity

__all__ = ["rates", "reported_cost"]

# None: no tier was reported, so the standard rates apply. A tier that is not here (scale) has no published rate.
_TIERS: Final[Mapping[str | None, str]] = {
    None: "rates",
    "auto": "rates",
    "default": "rates",
    "flex": "flex",
    "priority": "priority",
    "fast": "priority",
}
_SNAPSHOT: Final = r"-\d{4}-\d{2}-\d{2}$"


def _table() -> Mapping[str, Any]:
    return load_table(__file__, "prices.json")


@lru_cache(maxsize=256)
def _entry(model: str) -> str | None:
    """Return the name of a model's entry in the table."""
    name: str
    for name, entry in _table()["models"].items():
        if model == name or model in entry.get("ids", ()):
            return name
        if entry.get("dated") and re.sub(_SNAPSHOT, "", model) == name:
            return name
    for name, entry in _table()["models"].items():
        if any(model.startswith(start) for start in entry.get("starts", ())):
            return name
    return None


@cache
def _dated(name: str, column: str) -> DatedRates | None:
    """Return the rates of an entry by day; None if it has no such column."""
    rows = _table()["models"][name].get(column)
    return None if rows is None else DatedRates(rows, _table()["long_prompt"])


def rates(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Return the rates for one call; None if they are unknown.

    The reported tier and the day of the call select the rates. A prompt longer than 272,000 tokens is charged
    at the higher rate as a whole. The reported model takes precedence over the alias that was called.

    Source: genai-prices 0.2.3 (November 2026).
    """
    reported = context.reported_model
    name = (_entry(reported) if reported else None) or _entry(model.known_as)
    column = "batch" if context.batch else _TIERS.get(context.service_tier)
    if name is None or column is None:
        return None
    dated = _dated(name, column)
    if dated is None:
        return None
    table = _table()
    return dated.card(
        context.when,
        usage.input_tokens,
        source=table["source"],
        as_of=table["as_of"],
        currency=table["currency"],
        per=table["per"],
    )


def reported_cost(path: str, context: CostContext) -> Cost | None:
    """Return the cost in USD that a service reports in its usage; None if it does not.

    Args:
        path: The place in the usage, with dots.
        context: The call.
    """
    value: Any = context.raw_usage
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    amount = read_quantity(value)
    if amount is None:
        return None
    from decimal import Decimal

    item = CostItem("request", Decimal(1), amount, 1, amount, "reported by the service")
    return Cost("complete", amount, "USD", (item,))
