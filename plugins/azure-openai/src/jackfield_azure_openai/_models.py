"""The table of models on Azure: capabilities, known models, retirement.

One part of it contains Azure OpenAI's own names, the other those of the Foundry catalogue (Llama, Mistral, Grok, ...);
both providers of Azure use both parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

import attrs

from jackfield.plugin import (
    Capabilities,
    Capability,
    Limits,
    ModelRef,
    ParameterRule,
    load_table,
)
from jackfield_openai import OPENAI

__all__ = [
    "Part",
    "as_openai",
    "azure_capabilities",
    "capabilities_of",
    "is_openai",
    "name_of",
    "openai_name",
    "row_of",
    "table",
    "with_name_of_limit",
]

Part: TypeAlias = Literal["azure", "foundry"]
"""The part of the table that takes precedence: Azure OpenAI's own names, or those of the Foundry catalogue."""

# Source: pydantic-ai 2.68: chat completions reject the content part `file`; Microsoft Q&A 5889782
# (May 2026): there is no `/responses/input_tokens`.
_NO: Final = Capability(value=False, source="table 2026-11-22")
_ORDER: Final[Mapping[Part, tuple[Part, Part]]] = {
    "azure": ("azure", "foundry"),
    "foundry": ("foundry", "azure"),
}


def table() -> Mapping[str, Any]:
    """Return the table of models and prices."""
    return load_table(__file__, "models.json")


@lru_cache(maxsize=1)
def _rows() -> Mapping[Part, Mapping[str, Mapping[str, Any]]]:
    whole = table()
    return {part: {name.lower(): row for name, row in whole[part].items()} for part in _ORDER}


def row_of(name: str, part: Part = "azure") -> Mapping[str, Any] | None:
    """Return the row of a model in any case; this part of the table takes precedence."""
    rows = _rows()
    return next((rows[p][name.lower()] for p in _ORDER[part] if name.lower() in rows[p]), None)


def openai_name(name: str, row: Mapping[str, Any] | None) -> str:
    """Return OpenAI's name of a model; Azure writes gpt-35 instead of gpt-3.5."""
    like: str | None = None if row is None else row.get("like")
    return like or name.replace("gpt-35-", "gpt-3.5-", 1)


def name_of(model: ModelRef) -> str | None:
    """Return a model's name for the table; None for a deployment whose underlying model is not declared.

    A deployment's name is the customer's own, so nothing follows from it.
    """
    return None if model.underlying is None and model.declared else model.known_as


def as_openai(model: ModelRef, part: Part = "azure") -> ModelRef:
    """Return a model with OpenAI's name as the underlying one, and with its route if only one API serves it."""
    name = name_of(model)
    if name is None:
        return attrs.evolve(model, underlying="an unknown model")
    row = row_of(name, part)
    known = attrs.evolve(model, underlying=openai_name(name, row))
    if row is not None and "route" in row and "route" not in model.declared:
        return attrs.evolve(known, declared={**model.declared, "route": row["route"]})
    return known


@lru_cache(maxsize=256)
def capabilities_of(name: str, part: Part = "azure") -> Capabilities:
    """Return the capabilities of a model by its name; unknown ones if no table contains it."""
    row = row_of(name, part)
    known = OPENAI.capabilities(ModelRef(openai_name(name, row)))
    if row is None:
        return known
    source = f"table {table()['as_of']}"
    if not known.known:
        features = {} if row["kind"] == "embedding" else {"streaming": Capability(value=True, source=source)}
        known = Capabilities(known=True, features=features)
    rules = dict(known.parameters)
    if "max_tokens" in rules and "output" in row:
        rules["max_tokens"] = ParameterRule(maximum=row["output"], source=table()["source"])
    return attrs.evolve(
        known,
        source=source,
        kinds=frozenset({row["kind"]}),
        parameters=rules,
        limits=_limits(row, known.limits),
    )


def _limits(row: Mapping[str, Any], known: Limits) -> Limits:
    window = row.get("input", known.context_window)
    if row["kind"] != "embedding":
        return attrs.evolve(
            known, context_window=window, max_output_tokens=row.get("output", known.max_output_tokens)
        )
    return attrs.evolve(
        known,
        context_window=window,
        max_input_tokens=window,
        max_inputs=row.get("inputs", known.max_inputs),
    )


def is_openai(name: str, part: Part = "azure") -> bool:
    """Return whether a model is one of OpenAI's."""
    return OPENAI.capabilities(ModelRef(openai_name(name, row_of(name, part)))).known


def azure_capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a deployment of Azure OpenAI."""
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
    """Return capabilities with the service's name of `max_tokens`."""
    rule = attrs.evolve(known.parameters.get("max_tokens") or ParameterRule(), wire=wire)
    return attrs.evolve(known, parameters={**known.parameters, "max_tokens": rule})
