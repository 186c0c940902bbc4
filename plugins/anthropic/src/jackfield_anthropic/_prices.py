"""Anthropic's prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import attrs

from jackfield import Usage
from jackfield.plugin import CostContext, DatedRates, Rate, RateCard, load_table

from ._iterations import longest_prompt, model_that_answered
from ._models import table_name

__all__ = ["rates"]

# None: the response names no tier. Priority capacity is bought beforehand and has no published rate.
_PUBLISHED: Final = (None, "standard", "batch")
# Where a call may run at a published rate; models before 4.6 report "not_available".
_PLACES: Final = (None, "", "global", "us", "not_available")
_SEARCH: Final = "web_search_request"


def _table() -> Mapping[str, Any]:
    return load_table(__file__, "prices.json")


@lru_cache(maxsize=256)
def _entry(model: str) -> Mapping[str, Any] | None:
    name = table_name(model)
    entry: Mapping[str, Any]
    for key, entry in _table()["models"].items():
        if name == key or name in entry.get("ids", ()):
            return entry
    return None


def rates(model: str, usage: Usage, context: CostContext) -> RateCard | None:
    """Return the rates of one call; None if they are unknown.

    They depend on the tier, speed and region that the response reports, on the day of the call, and on the length of
    the prompt: a long one is charged at the higher rate as a whole. The model that the response reports takes
    precedence over the one that was asked for.

    Args:
        model: Anthropic's own id of the model.
        usage: The token counts of the call.
        context: What else the price depends on.

    Source: genai-prices 0.2.3 (November 2026), which cites the provider's pricing page.
    """
    raw = context.raw_usage if isinstance(context.raw_usage, Mapping) else {}
    answering = model_that_answered(raw) or context.reported_model
    entry = (_entry(answering) if answering else None) or _entry(model)
    if entry is None:
        return None
    prompt = longest_prompt(raw, None) or usage.input_tokens
    amounts = _amounts(entry, context, raw, prompt)
    if amounts is None:
        return None
    card = _card(amounts, entry)
    others = dict(_rates_of_others(usage, context, raw))
    return attrs.evolve(card, rates={**card.rates, **others}) if others else card


def _rates_of_others(
    usage: Usage, context: CostContext, raw: Mapping[str, Any]
) -> Iterator[tuple[str, Rate]]:
    """Yield the rates of other models that took part in the call (`input@model`), as far as they are known."""
    for model in dict.fromkeys(
        name.partition("@")[2].removesuffix("_tokens") for name in usage.details if "@" in name
    ):
        entry = _entry(model)
        amounts = None if entry is None else _amounts(entry, context, raw, longest_prompt(raw, model))
        if entry is None or amounts is None:
            continue
        for unit, rate in _card(amounts, entry).rates.items():
            if unit != _SEARCH:  # these are not counted by model
                name = f"{unit}@{model}"
                yield name, attrs.evolve(rate, unit=name)


def _amounts(
    entry: Mapping[str, Any], context: CostContext, raw: Mapping[str, Any], prompt: int | None
) -> dict[str, Decimal] | None:
    """Return the amounts by unit for one model; None if they are unknown."""
    if context.service_tier not in _PUBLISHED:
        return None
    dated = DatedRates(entry["rates"], entry.get("long_prompt"))
    amounts = dated.amounts(context.when, prompt)
    if amounts is not None and _told(raw, context, "speed") == "fast":
        amounts = _fast_amounts(entry, amounts)
    place = _told(raw, context, "inference_geo")
    if amounts is None or place not in _PLACES:
        return None
    factor = Decimal(1)
    if context.batch or context.service_tier == "batch":
        if not entry.get("batch"):
            return None
        factor *= Decimal(_table()["batch_factor"])
    if "us" in (place, context.region):
        factor *= Decimal(_table()["us_factor"])
    return {unit: amount * factor for unit, amount in amounts.items()}


def _told(raw: Mapping[str, Any], context: CostContext, name: str) -> Any:
    """Return what a response reports of the way it was served; if it does not, what the request asked for."""
    return raw[name] if raw.get(name) is not None else context.requested.get(name)


def _fast_amounts(entry: Mapping[str, Any], plain: Mapping[str, Decimal]) -> dict[str, Decimal] | None:
    """Return the rates of fast mode, if it has any: those of the cache keep their share of the input's."""
    if "fast" not in entry:
        return None
    read, written = map(Decimal, entry["fast"])
    share = read / plain["input"]
    return {**{unit: amount * share for unit, amount in plain.items()}, "output": written}


def _card(amounts: Mapping[str, Decimal], entry: Mapping[str, Any]) -> RateCard:
    table = _table()
    source, as_of = table["source"], table["as_of"]
    card = RateCard.of(source=source, as_of=as_of, currency=table["currency"], per=table["per"], **amounts)
    if not entry.get("search"):
        return card
    search = Rate(_SEARCH, Decimal(table["search_per_1000"]), 1000, source, as_of)
    return RateCard({**card.rates, _SEARCH: search}, card.currency)
