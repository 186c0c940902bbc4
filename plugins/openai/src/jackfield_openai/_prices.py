"""OpenAI's prices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
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
def _entry(model: str) -> Mapping[str, Any] | None:
    entry: Mapping[str, Any]
    for name, entry in _table()["models"].items():
        if model == name or model in entry.get("ids", ()):
            return entry
        if entry.get("dated") and re.sub(_SNAPSHOT, "", model) == name:
            return entry
    for entry in _table()["models"].values():
        if any(model.startswith(start) for start in entry.get("starts", ())):
            return entry
    return None


def rates(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Return the rates for one call; None if they are unknown.

    The reported tier and the day of the call select the rates. A prompt longer than 272,000 tokens is charged
    at the higher rate as a whole. The reported model takes precedence over the alias that was called.

    Source: genai-prices 0.2.3 (November 2026).
    """
    entry = (_entry(context.reported_model) if context.reported_model else None) or _entry(model.known_as)
    column = "batch" if context.batch else _TIERS.get(context.service_tier)
    if entry is None or column is None or column not in entry:
        return None
    table = _table()
    dated = DatedRates(entry[column], table["long_prompt"])
    amounts = dated.amounts(context.when, usage.input_tokens)
    if amounts is None:
        return None
    as_of = table["as_of"]
    return RateCard.of(
        source=table["source"], as_of=as_of, currency=table["currency"], per=table["per"], **amounts
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
    item = CostItem("request", Decimal(1), amount, 1, amount, "reported by the service")
    return Cost("complete", amount, "USD", (item,))
