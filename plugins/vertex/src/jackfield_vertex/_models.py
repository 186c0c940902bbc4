"""The capabilities of models, from the table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import attrs

from jackfield.plugin import (
    Capabilities,
    Capability,
    Kind,
    Limits,
    ModelRef,
    ParameterRule,
)

from ._names import family_of, row_of, table

__all__ = ["capabilities", "known_models", "rules_named"]

_KINDS: Final[Mapping[str, frozenset[Kind]]] = {
    "gemini": frozenset({"chat"}),
    "palm-chat": frozenset({"chat"}),
    "palm-text": frozenset({"completion"}),
    "palm-code": frozenset({"completion"}),
    "embedding": frozenset({"embedding"}),
}


def known_models() -> Mapping[str, Mapping[str, Any]]:
    """Return all rows of the table."""
    rows: Mapping[str, Mapping[str, Any]] = table()["models"]
    return rows


@lru_cache(maxsize=8)
def rules_named(name: str) -> Mapping[str, ParameterRule]:
    """Return a set of rules of the table."""
    source = f"{table()['source']}, table {table()['as_of']}"
    rows = table()["rules"].get(name, {})
    return {option: ParameterRule(**{"source": source, **row}) for option, row in rows.items()}


def capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model; of Claude, those of Anthropic's own table."""
    if family_of(model.known_as) == "claude":
        from jackfield_anthropic import capabilities as of_claude

        from ._dialect import claude

        known = of_claude(claude("", "", ""), model)
        # Vertex only serves messages; it lists none of Anthropic's models for text completions.
        return attrs.evolve(known, kinds=frozenset({"chat"}), chat_prompt=None, chat_prompt_name=None)
    return _known(model.known_as)


@lru_cache(maxsize=512)
def _known(name: str) -> Capabilities:
    row = row_of(name)
    family: str = row["family"]
    read = table()
    if not row["known"]:
        limits = Limits(max_inputs=row.get("inputs"))
        rules = rules_named(family.partition("-")[0]) if family.startswith("palm") else {}
        return Capabilities(kinds=_KINDS[family], parameters=rules, limits=limits, source="inferred")
    source = f"table {read['as_of']}"
    features = {**read["features"].get(family, {}), **row.get("features", {})}
    if family == "gemini":
        features["reasoning"] = row["thinking"] != "none"
    rules = dict(rules_named(family.partition("-")[0]))
    if "output" in row:
        rules["max_tokens"] = ParameterRule(minimum=1, maximum=row["output"], source=read["source"])
    return Capabilities(
        known=True,
        kinds=_KINDS[family],
        features={feature: Capability(value, source) for feature, value in features.items()},
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
