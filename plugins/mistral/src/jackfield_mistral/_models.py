"""The table of Mistral's models, and the rules that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jackfield.plugin import Capabilities, Capability, Kind, Limits, ModelRef, ParameterRule

__all__ = ["capabilities", "capabilities_of", "known_models", "retired", "row_of", "rules_named", "table"]

_API: Final = "API description of 2026-08-21"
_CHAT: Final[Mapping[str, ParameterRule]] = {
    "temperature": ParameterRule(minimum=0, maximum=1.5, source=_API),
    "top_p": ParameterRule(minimum=0, maximum=1, source=_API),
    "presence_penalty": ParameterRule(minimum=-2, maximum=2, source=_API),
    "frequency_penalty": ParameterRule(minimum=-2, maximum=2, source=_API),
}
# Rows of rules by the words of the table.
_RULES: Final[Mapping[str, Mapping[str, ParameterRule]]] = {
    "efforts": {
        "reasoning": ParameterRule(choices=("none", "high"), source="model pages of 2026-08-21"),
    },
    "always thinks": {
        "reasoning": ParameterRule(
            supported=False,
            why="it always thinks and knows no efforts",
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
# Calls of any chat model; a row adds to them.
_ALWAYS: Final = {"streaming": True, "system": True, "prompt_cache": False, "count_tokens": False}


@lru_cache(maxsize=1)
def table() -> Mapping[str, Any]:
    """Give the table of models; its `meaning` says how to read it."""
    import orjson

    read: Mapping[str, Any] = orjson.loads(Path(__file__).with_name("models.json").read_bytes())
    return read


def known_models() -> tuple[str, ...]:
    """Give the ids of the table."""
    return tuple(table()["models"])


def rules_named(name: str) -> Mapping[str, ParameterRule]:
    """Give a row of rules: those of all chat models ("chat"), or those that the table names."""
    return _CHAT if name == "chat" else _RULES[name]


def row_of(model: str) -> Mapping[str, Any] | None:
    """Give a model's row; a tuned model (`ft:BASE:…`) has its base's."""
    row: Mapping[str, Any] | None = table()["models"].get(model.removeprefix("ft:").partition(":")[0])
    return row


def retired(model: str) -> str | None:
    """Give the day (ISO) from which a model is no longer served, if the table knows one."""
    row = row_of(model)
    return None if row is None else row.get("retired")


def capabilities_of(model: ModelRef) -> Capabilities:
    """Say what is known of a model."""
    return capabilities(model.known_as)


@lru_cache(maxsize=256)
def capabilities(model: str) -> Capabilities:
    """Say what is known of a model; of one that no table names, the kinds that its name tells."""
    row = row_of(model)
    if row is None:
        return Capabilities(kinds=_kinds_by_name(model), source="inferred")
    whole = table()
    source = f"table {whole['as_of']}"
    kinds: frozenset[Kind] = frozenset(row.get("kinds", ("chat",)))
    embeds = "embedding" in kinds
    values: dict[str, bool] = {} if embeds else dict(_ALWAYS)
    rules: dict[str, ParameterRule] = {} if embeds else dict(_CHAT)
    for group in row.get("groups", ()):
        values.update(whole["groups"][group])
    for name in row.get("rules", ()):
        rules.update(_RULES[name])
    return Capabilities(
        known=True,
        kinds=kinds,
        features={name: Capability(value=value, source=source) for name, value in values.items()},
        parameters=rules,
        limits=_limits(row, whole["tokens_per_embedding_request"] if embeds else None),
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
