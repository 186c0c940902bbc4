"""The table of models that Azure serves, their capabilities and prices.

Azure OpenAI's own names stand in one part of it, those of the Foundry catalogue (Llama, Mistral, Grok, ...) in
another; both providers of Azure read both. Public for plugins that build on this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import attrs

from jackfield import Usage
from jackfield.plugin import (
    Capabilities,
    Capability,
    CostContext,
    Limits,
    ModelRef,
    ParameterRule,
    RateCard,
)
from jackfield_openai import OPENAI, rates

__all__ = [
    "Part",
    "as_openai",
    "azure_capabilities",
    "azure_rates",
    "capabilities_of",
    "is_openai",
    "name_of",
    "row_of",
    "with_name_of_limit",
]

Part: TypeAlias = Literal["azure", "foundry"]
"""The part of the table that is read first: Azure OpenAI's own names, or those of the Foundry catalogue."""

# Source: pydantic-ai 2.68: the content part `file` is refused by chat completions; Microsoft Q&A 5889782
# (May 2026): `/responses/input_tokens` is an unknown address.
_NO: Final = Capability(value=False, source="table 2026-11-22")
_ORDER: Final[Mapping[Part, tuple[Part, Part]]] = {
    "azure": ("azure", "foundry"),
    "foundry": ("foundry", "azure"),
}


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    import orjson

    table: Mapping[str, Any] = orjson.loads(Path(__file__).with_name("models.json").read_bytes())
    return table


@lru_cache(maxsize=1)
def _rows() -> Mapping[Part, Mapping[str, Mapping[str, Any]]]:
    table = _table()
    return {part: {name.lower(): row for name, row in table[part].items()} for part in _ORDER}


def row_of(name: str, part: Part = "azure") -> Mapping[str, Any] | None:
    """Give the row of a model, without regard to case; this part of the table first."""
    rows = _rows()
    return next((rows[p][name.lower()] for p in _ORDER[part] if name.lower() in rows[p]), None)


def _openai_name(name: str, row: Mapping[str, Any] | None) -> str:
    """Give OpenAI's name for a model; Azure writes gpt-35 where OpenAI writes gpt-3.5."""
    like: str | None = None if row is None else row.get("like")
    return like or name.replace("gpt-35-", "gpt-3.5-", 1)


def name_of(model: ModelRef) -> str | None:
    """Give the name to look up; None for a deployment whose underlying model is not declared.

    A deployment's name is the customer's own and says nothing of the model.
    """
    return None if model.underlying is None and model.declared else model.known_as


def as_openai(model: ModelRef, part: Part = "azure") -> ModelRef:
    """Give a model as OpenAI's dialect looks it up: OpenAI's name behind it, and where it is served alone."""
    name = name_of(model)
    if name is None:
        return attrs.evolve(model, underlying="an unknown model")
    row = row_of(name, part)
    known = attrs.evolve(model, underlying=_openai_name(name, row))
    if row is not None and "route" in row and "route" not in model.declared:
        return attrs.evolve(known, declared={**model.declared, "route": row["route"]})
    return known


@lru_cache(maxsize=256)
def capabilities_of(name: str, part: Part = "azure") -> Capabilities:
    """Say what is known of a model by its name; nothing of one that no table names."""
    row = row_of(name, part)
    known = OPENAI.capabilities(ModelRef(_openai_name(name, row)))
    if row is None:
        return known
    source = f"table {_table()['as_of']}"
    if not known.known:
        streams = {} if row["kind"] == "embedding" else {"streaming": Capability(value=True, source=source)}
        known = Capabilities(known=True, features=streams)
    rules = dict(known.parameters)
    if "max_tokens" in rules and "output" in row:
        rules["max_tokens"] = ParameterRule(maximum=row["output"], source=_table()["source"])
    return attrs.evolve(
        known,
        source=source,
        kinds=frozenset({row["kind"]}),
        parameters=rules,
        limits=_limits(row, known.limits),
    )


def _limits(row: Mapping[str, Any], known: Limits) -> Limits:
    read = row.get("input", known.context_window)
    if row["kind"] != "embedding":
        return attrs.evolve(
            known, context_window=read, max_output_tokens=row.get("output", known.max_output_tokens)
        )
    return attrs.evolve(
        known,
        context_window=read,
        max_input_tokens=read,
        max_inputs=row.get("inputs", known.max_inputs),
    )


def is_openai(name: str, part: Part = "azure") -> bool:
    """Say whether a model is one of OpenAI's."""
    return OPENAI.capabilities(ModelRef(_openai_name(name, row_of(name, part)))).known


def azure_capabilities(model: ModelRef) -> Capabilities:
    """Say what a deployment of Azure OpenAI can do."""
    name = name_of(model)
    if name is None:
        return Capabilities().with_features("table 2026-11-22", count_tokens=False)
    known = capabilities_of(name)
    if not known.known:
        return known
    features = {**known.features, "count_tokens": _NO}
    if as_openai(model).declared.get("route") != "responses" and "documents" in features:
        features["documents"] = _NO
    known = attrs.evolve(known, features=features, retired=(row_of(name) or {}).get("retired"))
    return known if is_openai(name) else with_name_of_limit(known, "max_tokens")


def with_name_of_limit(known: Capabilities, wire: str) -> Capabilities:
    """Say under which name the limit of an answer goes."""
    rule = attrs.evolve(known.parameters.get("max_tokens") or ParameterRule(), wire=wire)
    return attrs.evolve(known, parameters={**known.parameters, "max_tokens": rule})


def azure_rates(model: ModelRef, usage: Usage, context: CostContext, part: Part = "azure") -> RateCard | None:
    """Give the rates for one call; None if they are unknown.

    Azure charges what OpenAI charges unless the table says otherwise. The model that the answer reports is
    priced (a router chose it, an alias moved), unless the declared one is named more exactly.

    Sources: genai-prices 0.2.3, litellm 1.109.1 (November 2026).
    """
    zone = model.declared.get("zone", "global")
    declared, reported = name_of(model), context.reported_model
    row = None if declared is None else row_of(declared, part)
    if row is not None and "fee" in row:
        chosen = None if reported is None else _card(reported, zone, usage, context, part)
        return None if chosen is None else _with_fee(chosen, row["fee"])
    exact = declared is not None and reported is not None and declared.startswith(reported)
    for name in (declared, reported) if exact else (reported, declared):
        card = None if name is None else _card(name, zone, usage, context, part)
        if card is not None:
            return card
    return None


def _card(name: str, zone: str, usage: Usage, context: CostContext, part: Part) -> RateCard | None:
    row = row_of(name, part) or {}
    prices = row.get("price", {})
    if zone in prices:
        plain = not context.batch and context.service_tier in (None, "auto", "default")
        return _made(prices[zone]) if plain else None
    if zone != "global" or row.get("only_own"):
        return None
    same = attrs.evolve(context, reported_model=None)
    card = rates(ModelRef(name), usage, same) or rates(ModelRef(_openai_name(name, row)), usage, same)
    if card is None or "add" not in prices:
        return card
    return attrs.evolve(card, rates={**_made(prices["add"]).rates, **card.rates})


def _made(amounts: Mapping[str, str]) -> RateCard:
    table = _table()
    return RateCard.of(
        source=table["source"],
        as_of=table["as_of"],
        currency=table["currency"],
        per=table["per"],
        **amounts,
    )


def _with_fee(card: RateCard, fee: str) -> RateCard:
    """Add what a router takes for each token of input, however it is charged."""
    extra = _made({"input": fee}).rates["input"].amount
    raised = {
        unit: attrs.evolve(rate, amount=rate.amount + extra, source=f"{rate.source}; the router's fee")
        for unit, rate in card.rates.items()
        if unit in ("input", "cache_read", "cache_write")
    }
    return attrs.evolve(card, rates={**card.rates, **raised})
