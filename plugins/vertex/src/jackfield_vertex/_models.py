"""The table of models, what follows from it, and prices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import attrs

from jackfield import Usage
from jackfield.plugin import (
    Capabilities,
    Capability,
    CostContext,
    Kind,
    Limits,
    ModelRef,
    ParameterRule,
    RateCard,
)

__all__ = ["capabilities", "claude_name", "family_of", "known_models", "rates", "row_of", "rules_named"]

_VERSION: Final = re.compile(r"(@.*|-\d{3})$")
_EMBEDDING: Final = re.compile(r"embedding.*-\d{3}$")
_KINDS: Final[Mapping[str, frozenset[Kind]]] = {
    "gemini": frozenset({"chat"}),
    "palm-chat": frozenset({"chat"}),
    "palm-text": frozenset({"completion"}),
    "palm-code": frozenset({"completion"}),
    "embedding": frozenset({"embedding"}),
}
# Priced otherwise, or bought beforehand: no published rate is known for them.
_PUBLISHED: Final = (None, "standard", "STANDARD", "ON_DEMAND")


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    import orjson

    table: Mapping[str, Any] = orjson.loads(Path(__file__).with_name("models.json").read_bytes())
    return table


def known_models() -> Mapping[str, Mapping[str, Any]]:
    """Give every row of the table."""
    rows: Mapping[str, Mapping[str, Any]] = _table()["models"]
    return rows


def _bare(name: str) -> str:
    """Give a model's name without publisher and version: `publishers/google/models/gemini-1.5-pro-002`."""
    name = name.rpartition("/")[2]
    if name in _table()["models"] or _EMBEDDING.search(name):
        return name
    name = _VERSION.sub("", name)
    return str(_table()["aliases"].get(name, name))


@lru_cache(maxsize=512)
def row_of(name: str) -> Mapping[str, Any]:
    """Give what is known of a model: its row, or what its name tells; `known` says which."""
    bare = _bare(name)
    row = _table()["models"].get(bare)
    if row is not None:
        return {**row, "known": True}
    for pattern, family, facts in _table()["patterns"]:
        if re.search(pattern, bare):
            return {"family": family, "known": False, **facts}
    return {"family": "gemini", "known": False}


def family_of(name: str) -> str:
    """Say which family a model is of: gemini, claude, palm-chat, palm-text, palm-code or embedding."""
    return str(row_of(name)["family"])


def claude_name(name: str) -> str:
    """Give the id under which Anthropic's own table knows a model: `claude-3-5-sonnet-v2@20241022`."""
    return re.sub(r"-v\d+(?=@|$)", "", name.rpartition("/")[2]).replace("@", "-").removesuffix("-default")


@lru_cache(maxsize=8)
def rules_named(name: str) -> Mapping[str, ParameterRule]:
    """Give a set of rules of the table."""
    source = f"{_table()['source']}, table {_table()['as_of']}"
    rows = _table()["rules"].get(name, {})
    return {option: ParameterRule(**{"source": source, **row}) for option, row in rows.items()}


def capabilities(model: ModelRef) -> Capabilities:
    """Say what the table knows of a model; of Claude, what Anthropic's own table knows."""
    if family_of(model.known_as) == "claude":
        from jackfield_anthropic import capabilities as of_claude

        from ._routes import claude

        known = of_claude(claude("", "", ""), model)
        # Nobody has listed what text-only models Vertex keeps of Anthropic's: it serves messages alone.
        return attrs.evolve(known, kinds=frozenset({"chat"}), chat_prompt=None, chat_prompt_name=None)
    return _known(model.known_as)


@lru_cache(maxsize=512)
def _known(name: str) -> Capabilities:
    row = row_of(name)
    family: str = row["family"]
    table = _table()
    if not row["known"]:
        limits = Limits(max_inputs=row.get("inputs"))
        rules = rules_named(family.partition("-")[0]) if family.startswith("palm") else {}
        return Capabilities(kinds=_KINDS[family], parameters=rules, limits=limits, source="inferred")
    source = f"table {table['as_of']}"
    told = {**table["features"].get(family, {}), **row.get("features", {})}
    if family == "gemini":
        told["reasoning"] = row["thinking"] != "none"
    rules = dict(rules_named(family.partition("-")[0]))
    if "output" in row:
        rules["max_tokens"] = ParameterRule(minimum=1, maximum=row["output"], source=table["source"])
    return Capabilities(
        known=True,
        kinds=_KINDS[family],
        features={feature: Capability(value, source) for feature, value in told.items()},
        parameters=rules,
        limits=Limits(
            context_window=row.get("context"),
            max_output_tokens=row.get("output"),
            max_inputs=row.get("inputs"),
            max_input_tokens=row.get("input"),
            max_input_tokens_per_request=row.get("tokens"),
            dimensions=row.get("dimensions"),
        ),
        source=source,
    )


def rates(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Give the rates of a call; None if they are unknown: a long prompt, another tier, audio, a batch.

    Claude's prices on Vertex AI are Google's own, and none is known.

    Source: named in the table, with its date.
    """
    row = row_of(model.known_as)
    table = _table()
    price = row.get("price")
    if price is None or context.batch or context.service_tier not in _PUBLISHED:
        return None
    if (usage.input_tokens or 0) > row.get("price_up_to", float("inf")):
        return None
    if row.get("price_of_text") and usage.details.get("input_audio_tokens"):
        return None
    if usage.cached_input_tokens:  # what the cache gives is cheaper by an amount that no source tells
        return None
    return RateCard.of(
        source=table["price_source"],
        as_of=table["as_of"],
        currency=table["currency"],
        per=table["per"],
        **price,
    )
