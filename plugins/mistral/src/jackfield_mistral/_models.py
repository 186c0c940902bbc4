"""The table of Mistral's models: capabilities, known models, retirement, and rules for parameters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from jackfield.plugin import Capabilities, Capability, Kind, Limits, ModelRef, ParameterRule, load_table

__all__ = ["capabilities", "capabilities_of", "known_models", "retired", "row_of", "rules_by_name", "table"]

_API: Final = "API description of 2026-08-21"
_CHAT: Final[Mapping[str, ParameterRule]] = {
    "temperature": ParameterRule(minimum=0, maximum=1.5, source=_API),
    "top_p": ParameterRule(minimum=0, maximum=1, source=_API),
    "presence_penalty": ParameterRule(minimum=-2, maximum=2, source=_API),
    "frequency_penalty": ParameterRule(minimum=-2, maximum=2, source=_API),
}
# Rules by their names in the table.
_RULES: Final[Mapping[str, Mapping[str, ParameterRule]]] = {
    "efforts": {
        "reasoning": ParameterRule(choices=("none", "high"), source="model pages of 2026-08-21"),
    },
    "always thinks": {
        "reasoning": ParameterRule(
            supported=False,
            why="it always reasons and does not accept an effort",
            source="model pages of 2026-08-21",
        ),
    },
    "no logprobs": dict.fromkeys(
        ("logprobs", "top_logprobs"),
        ParameterRule(
            supported=False,
            why="log probabilities are not enabled for it",
            source="recorded answer of 2026 (400, code 3051)",
        ),
    ),
    "one size": {
        "dimensions": ParameterRule(
            supported=False, why="its embeddings have one size", source="model pages of 2026-08-21"
        ),
    },
}
# What holds for every chat model; a row adds to it.
_ALWAYS: Final = {"streaming": True, "system": True, "prompt_cache": False, "count_tokens": True}


def table() -> Mapping[str, Any]:
    """Return the table of models; its `meaning` explains it."""
    return load_table(__file__, "models.json")


def known_models() -> tuple[str, ...]:
    """Return the names of the models in the table."""
    return tuple(table()["models"])


def rules_by_name(name: str) -> Mapping[str, ParameterRule]:
    """Return the rules of all chat models ("chat"), or those with a name in the table."""
    return _CHAT if name == "chat" else _RULES[name]


def row_of(model: str) -> Mapping[str, Any] | None:
    """Return a model's row; a fine-tuned model (`ft:BASE:…`) has the row of its base."""
    row: Mapping[str, Any] | None = table()["models"].get(model.removeprefix("ft:").partition(":")[0])
    return row


def retired(model: str) -> str | None:
    """Return the day (ISO 8601) of a model's retirement; None if the table has none."""
    row = row_of(model)
    return None if row is None else row.get("retired")


def capabilities_of(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model."""
    return capabilities(model.known_as)


@lru_cache(maxsize=256)
def capabilities(model: str) -> Capabilities:
    """Return the capabilities of a model; if the table does not contain it, the kinds inferred from its name."""
    row = row_of(model)
    if row is None:
        return Capabilities(kinds=_kinds_by_name(model), source="inferred")
    models = table()
    source = f"table {models['as_of']}"
    kinds: frozenset[Kind] = frozenset(row.get("kinds", ("chat",)))
    is_embedding = "embedding" in kinds
    values: dict[str, bool] = {} if is_embedding else dict(_ALWAYS)
    rules: dict[str, ParameterRule] = {} if is_embedding else dict(_CHAT)
    for group in row.get("groups", ()):
        values.update(models["groups"][group])
    for name in row.get("rules", ()):
        rules.update(_RULES[name])
    return Capabilities(
        known=True,
        kinds=kinds,
        features={name: Capability(value=value, source=source) for name, value in values.items()},
        parameters=rules,
        limits=_limits(row, models["tokens_per_embedding_request"] if is_embedding else None),
        source=source,
    )


def _kinds_by_name(model: str) -> frozenset[Kind]:
    if "embed" in model:
        return frozenset({"embedding"})
    return frozenset({"chat", "completion"}) if model.startswith("codestral") else frozenset({"chat"})


def _limits(row: Mapping[str, Any], per_request: int | None) -> Limits:
    context = row.get("context")
    if per_request is None:
        return Limits(context_window=context)
    return Limits(
        context_window=context,
        max_input_tokens=context,
        max_input_tokens_per_request=per_request,
        dimensions=row.get("dimensions"),
    )
