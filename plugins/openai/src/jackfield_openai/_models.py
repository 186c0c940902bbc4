"""The table of OpenAI's models: capabilities, known models, retirement, and rules for parameters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import attrs

from jackfield.plugin import Capabilities, Capability, Limits, ParameterRule, load_table

__all__ = [
    "capabilities",
    "efforts_of",
    "known_models",
    "only_responses",
    "reasons",
    "retired",
    "rules_for",
]

# Source: OpenAI's Python SDK 3.54.0 and API reference, November 2026: parameters of chat completions.
_RANGES: Final[Mapping[str, ParameterRule]] = {
    "temperature": ParameterRule(minimum=0, maximum=2, source="API reference, 2026-11"),
    "top_p": ParameterRule(minimum=0, maximum=1, source="API reference, 2026-11"),
    "presence_penalty": ParameterRule(minimum=-2, maximum=2, source="API reference, 2026-11"),
    "frequency_penalty": ParameterRule(minimum=-2, maximum=2, source="API reference, 2026-11"),
    "top_logprobs": ParameterRule(minimum=0, maximum=20, source="API reference, 2026-11"),
    "stop": ParameterRule(max_items=4, source="API reference, 2026-11"),
}
_PROFILES = "profiles of pydantic-ai 2.68, verified live in 2026"


def _while_reasoning(**of_rule: Any) -> ParameterRule:
    why = 'a model of this family accepts it only while it does not reason (reasoning="none", if it has that)'
    return ParameterRule(why=why, source=_PROFILES, **of_rule)


# The default value is accepted; every other gets status 400.
_WHILE_REASONING: Final[Mapping[str, ParameterRule]] = {
    "temperature": _while_reasoning(choices=(1,)),
    "top_p": _while_reasoning(choices=(1,)),
    "presence_penalty": _while_reasoning(choices=(0,)),
    "frequency_penalty": _while_reasoning(choices=(0,)),
    "logit_bias": _while_reasoning(supported=False),
    "logprobs": _while_reasoning(choices=(False,)),
    "top_logprobs": _while_reasoning(supported=False),
    "stop": _while_reasoning(choices=((),)),
}


def _table() -> Mapping[str, Any]:
    return load_table(__file__, "models.json")


def _row(model: str) -> Mapping[str, Any] | None:
    # A fine-tuned model is named "ft:BASE:organization::id".
    name = model.removeprefix("ft:").partition(":")[0]
    row: Mapping[str, Any] | None = _table()["models"].get(name)
    return row


def _family(row: Mapping[str, Any]) -> Mapping[str, Any]:
    family: Mapping[str, Any] = _table()["families"].get(row.get("family"), {})
    return family


def known_models() -> tuple[str, ...]:
    """Return the names of the models in the table."""
    return tuple(_table()["models"])


def reasons(model: str) -> str | None:
    """Return when a model reasons: "always", "never", "when asked", "unless none"; None if that is unknown."""
    row = _row(model)
    return None if row is None else _family(row).get("reasons")


@lru_cache(maxsize=256)
def only_responses(model: str) -> bool:
    """Return whether, by the table, only the Responses API serves a model."""
    row = _row(model)
    return row is not None and row.get("route") == "responses"


def retired(model: str) -> str | None:
    """Return the day (ISO 8601) of a model's shutdown; None if the table has none."""
    row = _row(model)
    return None if row is None else row.get("retired")


@lru_cache(maxsize=256)
def capabilities(model: str) -> Capabilities:
    """Return the capabilities of a model; unknown ones if the table does not contain it."""
    row = _row(model)
    if row is None:
        return Capabilities()
    source = f"table {_table()['as_of']}"
    make = {"chat": _chat, "completion": _completion, "embedding": _embedding}[row["kind"]]
    found = make(row, source)
    lacking = dict.fromkeys(row.get("lacks", ()), Capability(value=False, source=source))
    return attrs.evolve(
        found,
        known=True,
        source=source,
        kinds=frozenset({row["kind"]}),
        features={**found.features, **lacking},
    )


def _chat(row: Mapping[str, Any], source: str) -> Capabilities:
    family = _family(row)
    features = dict.fromkeys(
        ("streaming", "system", "tools", "tool_choice", "json", "json_schema", "images", "documents"),
        Capability(value=True, source=source),
    )
    features["count_tokens"] = Capability(value=True, source=source)
    if family:
        features["reasoning"] = Capability(value=family["reasons"] != "never", source=source)
        features["prompt_cache"] = Capability(value=bool(family.get("cache_marks")), source=source)
    rules = dict(_RANGES)
    if family.get("reasons") == "always":
        rules.update(_WHILE_REASONING)
    if "efforts" in family:
        rules["reasoning"] = ParameterRule(choices=tuple(family["efforts"]), source=_PROFILES)
    return Capabilities(features=features, parameters=_with_output(rules, row), limits=_limits(row))


def _completion(row: Mapping[str, Any], source: str) -> Capabilities:
    features = {"streaming": Capability(value=True, source=source)}
    rules = {**_RANGES, "top_logprobs": ParameterRule(minimum=0, maximum=5, source="API reference, 2026-11")}
    return Capabilities(features=features, parameters=_with_output(rules, row), limits=_limits(row))


def _embedding(row: Mapping[str, Any], source: str) -> Capabilities:
    # Source: API reference of embeddings, 2026-11. The service rejects longer inputs and never truncates them.
    limits = Limits(
        context_window=row["input"],
        max_inputs=2048,
        max_input_tokens=row["input"],
        max_input_tokens_per_request=300_000,
        dimensions=row["dimensions"],
    )
    features = {"dimensions": Capability(value=True, source=source)}
    rules = {}
    if "dimensions" in row.get("lacks", ()):
        rules["dimensions"] = ParameterRule(
            supported=False, why="its embeddings have one size", source=source
        )
    return Capabilities(features=features, parameters=rules, limits=limits)


def _limits(row: Mapping[str, Any]) -> Limits:
    return Limits(context_window=row.get("input"), max_output_tokens=row.get("output"))


def _with_output(rules: Mapping[str, ParameterRule], row: Mapping[str, Any]) -> Mapping[str, ParameterRule]:
    if "output" not in row:
        return rules
    return {**rules, "max_tokens": ParameterRule(maximum=row["output"], source="litellm 1.109.1")}


def efforts_of(known: Capabilities) -> tuple[str, ...] | None:
    """Return the efforts that a model supports; None if they are unknown."""
    rule = known.parameters.get("reasoning")
    return None if rule is None else rule.choices


def rules_for(model: str, effort: str | None, known: Capabilities) -> Capabilities:
    """Add the rules that depend on the effort of a request.

    Args:
        model: The id to look up.
        effort: The effort that was asked for; None if there was none.
        known: What the core knows; its rules take precedence, because an administrator may have declared them.
    """
    key = (id(known), model, effort)
    cached = _RULES_FOR.get(key)
    if cached is None:
        if len(_RULES_FOR) >= _MOST_RULES:
            _RULES_FOR.clear()
        # `known` is kept too, so that no other object can get its id.
        cached = _RULES_FOR[key] = known, _rules_for(model, effort, known)
    return cached[1]


# The core passes the same object for each call of a model; capabilities contain mappings, so they have no hash.
_RULES_FOR: Final[dict[tuple[int, str, str | None], tuple[Capabilities, Capabilities]]] = {}
_MOST_RULES: Final = 1024


def _rules_for(model: str, effort: str | None, known: Capabilities) -> Capabilities:
    # The choices of `reasoning` are efforts, and only `_reasoning` can compare them with a request.
    known = attrs.evolve(known, parameters={k: v for k, v in known.parameters.items() if k != "reasoning"})
    row = _row(model)
    reasons = None if row is None else _family(row).get("reasons")
    asked = effort not in (None, "none")
    if (reasons == "unless none" and effort != "none") or (reasons == "when asked" and asked):
        plain = {k: v for k, v in known.parameters.items() if _RANGES.get(k) != v}
        return attrs.evolve(known, parameters={**_WHILE_REASONING, **plain})
    return known
