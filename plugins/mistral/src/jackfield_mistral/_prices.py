"""Mistral's prices."""

from __future__ import annotations

from decimal import Decimal

from jackfield.plugin import CostContext, DatedRates, ModelRef, RateCard, load_table

from ._settings import is_regional

__all__ = ["rates"]


def rates(model: ModelRef, context: CostContext) -> RateCard | None:
    """Return the rates for one call; None if they are unknown.

    The reported model takes precedence over the one that was called. An alias may change its model at any time, so it
    has a price only if its history is known. A tier other than `standard` has no published rate. Regional hosts cost a
    tenth more for chats.

    Sources: `prices.json`.
    """
    table = load_table(__file__, "prices.json")
    entry = table["models"].get(context.reported_model) or table["models"].get(model.known_as)
    if entry is None or context.service_tier not in (None, "standard"):
        return None
    amounts = DatedRates(entry.get("batch" if context.batch else "rates", ())).amounts(context.when)
    if amounts is None:
        return None
    if is_regional(model.settings) and context.kind != "embedding":
        amounts = {unit: amount * Decimal(table["regional_factor"]) for unit, amount in amounts.items()}
    source = table["sources"][entry.get("source", "GP")]
    return RateCard.of(source=source, as_of=table["as_of"], currency="USD", per=table["per"], **amounts)
