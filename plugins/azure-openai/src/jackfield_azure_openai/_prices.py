"""Rates: Azure's own from the table, else OpenAI's."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from jackfield import Usage
from jackfield.plugin import CostContext, ModelRef, RateCard
from jackfield_openai import rates as openai_rates

from ._models import Part, name_of, openai_name, row_of, table

__all__ = ["azure_rates"]


def azure_rates(model: ModelRef, usage: Usage, context: CostContext, part: Part = "azure") -> RateCard | None:
    """Return the rates for one call; None if they are unknown.

    Azure charges what OpenAI charges unless the table says otherwise. The reported model determines the price
    (a router chose it, an alias has changed), unless the declared name is more specific.

    Sources: genai-prices 0.2.3, litellm 1.109.1 (November 2026).
    """
    zone = model.declared.get("zone", "global")
    declared, reported = name_of(model), context.reported_model
    row = None if declared is None else row_of(declared, part)
    if row is not None and "fee" in row:
        chosen = None if reported is None else _find_card(reported, zone, usage, context, part)
        return None if chosen is None else _add_fee(chosen, row["fee"])
    exact = declared is not None and reported is not None and declared.startswith(reported)
    for name in (declared, reported) if exact else (reported, declared):
        card = None if name is None else _find_card(name, zone, usage, context, part)
        if card is not None:
            return card
    return None


def _find_card(name: str, zone: str, usage: Usage, context: CostContext, part: Part) -> RateCard | None:
    row = row_of(name, part) or {}
    prices = row.get("price", {})
    if zone in prices:
        standard = not context.batch and context.service_tier in (None, "auto", "default")
        return _build_card(prices[zone]) if standard else None
    if zone != "global" or row.get("only_own"):
        return None
    same = attrs.evolve(context, reported_model=None)
    card = openai_rates(ModelRef(name), usage, same) or openai_rates(
        ModelRef(openai_name(name, row)), usage, same
    )
    if card is None or "add" not in prices:
        return card
    return attrs.evolve(card, rates={**_build_card(prices["add"]).rates, **card.rates})


def _build_card(amounts: Mapping[str, str]) -> RateCard:
    models = table()
    return RateCard.of(
        source=models["source"],
        as_of=models["as_of"],
        currency=models["currency"],
        per=models["per"],
        **amounts,
    )


def _add_fee(card: RateCard, fee: str) -> RateCard:
    """Add a router's fee for each input token, at any rate."""
    extra = _build_card({"input": fee}).rates["input"].amount
    raised = {
        unit: attrs.evolve(rate, amount=rate.amount + extra, source=f"{rate.source}; the router's fee")
        for unit, rate in card.rates.items()
        if unit in ("input", "cache_read", "cache_write")
    }
    return attrs.evolve(card, rates={**card.rates, **raised})
