"""The table of foundation models: capabilities, known models, retirement, and rules for parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from jackfield import Message, Text, UnsupportedError
from jackfield.plugin import Capabilities, Capability, Limits, ParameterRule, load_table

__all__ = ["capabilities", "claude_name", "family_of", "known_models", "retired", "row_of", "table"]

_DOCS: Final = "docs.databricks.com, Foundation Model APIs reference, as mirrored until 2026-06"
_GENERAL: Final[Mapping[str, ParameterRule]] = {
    "temperature": ParameterRule(minimum=0, maximum=2, source=_DOCS),
    "n": ParameterRule(minimum=1, maximum=5, source=_DOCS),
    "tools": ParameterRule(max_items=32, source=_DOCS),
}
_NO: Final = ParameterRule(
    supported=False, why="the chat schema of Databricks has no such field for this model", source=_DOCS
)
_NONE_OF: Final = dict.fromkeys(("seed", "logit_bias", "presence_penalty", "frequency_penalty", "user"), _NO)
_NO_LOGPROBS: Final = ParameterRule(supported=False, why="only open models return log probabilities", source=_DOCS)  # fmt: skip
_ONE_OF: Final = ParameterRule(
    excludes=("temperature",),
    why="from Claude 4.1 on, models accept one of the two",
    source="Anthropic's API reference, 2025-2026",
)
_CUT: Final = ParameterRule(
    supported=False,
    why="it is not documented whether the endpoint truncates an input or rejects it",
    source=_DOCS,
)
# Rules by family, in addition to those for all models.
_RULES: Final[Mapping[str, Mapping[str, ParameterRule]]] = {
    "claude": {**_NONE_OF, "logprobs": _NO_LOGPROBS, "top_logprobs": _NO_LOGPROBS},
    "gpt-oss": {**_NONE_OF, "reasoning": ParameterRule(choices=("low", "medium", "high"), source=_DOCS)},
    "llama": _NONE_OF,
    "open": _NONE_OF,
    "retired": _NONE_OF,
}
# Supported, not supported; all others are unknown.
_FEATURES: Final[Mapping[str, tuple[str, str]]] = {
    "claude": ("streaming system tools tool_choice json json_schema images reasoning prompt_cache", "count_tokens"),
    "gpt": ("streaming system tools tool_choice json json_schema images", "prompt_cache count_tokens"),
    "gemini": ("streaming system tools tool_choice json json_schema images", "prompt_cache count_tokens"),
    "grok": ("streaming system tools tool_choice", "prompt_cache count_tokens"),
    "gpt-oss": ("streaming system tools tool_choice reasoning", "prompt_cache count_tokens"),
    "llama": ("streaming system tools tool_choice json json_schema", "reasoning prompt_cache count_tokens"),
    "open": ("streaming system", "prompt_cache count_tokens"),
    "retired": ("streaming", "prompt_cache count_tokens"),
}  # fmt: skip


def table() -> Mapping[str, Any]:
    """Return the table of models; its `meaning` explains it."""
    return load_table(__file__, "models.json")


def known_models() -> tuple[str, ...]:
    """Return the names of the models in the table."""
    return tuple(table()["models"])


def row_of(model: str) -> Mapping[str, Any] | None:
    """Return a model's row, by its endpoint's name or by its name in the AI gateway."""
    models = table()["models"]
    row: Mapping[str, Any] | None = models.get(model)
    if row is None and model.startswith("system.ai."):
        row = models.get(f"databricks-{model.removeprefix('system.ai.')}")
    return row


def family_of(model: str) -> str | None:
    """Return a model's family: from the table, or "claude" if its name contains that; None if it is unknown."""
    row = row_of(model)
    if row is not None:
        return row.get("family")
    return "claude" if "claude" in model.lower() else None


def claude_name(model: str) -> str:
    """Return Anthropic's name of a model."""
    return model.removeprefix("system.ai.").removeprefix("databricks-")


def retired(model: str) -> str | None:
    """Return the day (ISO 8601) of a model's retirement; None if the table has none."""
    row = row_of(model)
    return None if row is None else row.get("retired")


@lru_cache(maxsize=256)
def capabilities(model: str) -> Capabilities:
    """Return the capabilities of a model; if the table does not contain it, those inferred from its name."""
    row = row_of(model)
    if row is None:
        inferred = _features(family_of(model), "inferred")
        return Capabilities(features=inferred, parameters={"truncate": _CUT}, source="inferred")
    source = f"table {table()['as_of']}"
    kind = row.get("kind", "chat")
    make = {"chat": _chat, "completion": _completion, "embedding": _embedding}[kind]
    return make(row, source)


def _features(family: str | None, source: str) -> dict[str, Capability]:
    yes, no = _FEATURES.get(family or "", ("", ""))
    return {
        **{name: Capability(value=True, source=source) for name in yes.split()},
        **{name: Capability(value=False, source=source) for name in no.split()},
    }


def _chat(row: Mapping[str, Any], source: str) -> Capabilities:
    rules = {**_GENERAL, **_RULES.get(row["family"], {})}
    if row.get("one_sampling"):
        rules["top_p"] = _ONE_OF
    if "output" in row:
        rules["max_tokens"] = ParameterRule(maximum=row["output"], source=table()["sources"]["litellm"])
    return Capabilities(
        known=True,
        kinds=frozenset({"chat"}),
        features=_features(row["family"], source),
        parameters=rules,
        limits=Limits(context_window=row.get("context"), max_output_tokens=row.get("output")),
        source=source,
    )


def _completion(row: Mapping[str, Any], source: str) -> Capabilities:
    return Capabilities(
        known=True,
        kinds=frozenset({"completion"}),
        features=_features(row["family"], source),
        parameters={**_GENERAL, **_RULES.get(row["family"], {})},
        chat_prompt=build_instruction,
        chat_prompt_name="one instruction; the endpoint adds MPT's own format (use_raw_prompt: false)",
        source=source,
    )


def _embedding(row: Mapping[str, Any], source: str) -> Capabilities:
    # 150 inputs: older documentation, not verified since; the core splits longer lists.
    limits = Limits(
        context_window=row.get("input"),
        max_input_tokens=row.get("input"),
        max_inputs=150,
        dimensions=row.get("dimensions"),
    )
    rules = {"truncate": _CUT}
    features: dict[str, Capability] = {}
    if "dimensions" in row:
        why = "its embeddings have one size"
        rules["dimensions"] = ParameterRule(supported=False, why=why, source=source)
        features["dimensions"] = Capability(value=False, source=source)
    return Capabilities(
        known=True,
        kinds=frozenset({"embedding"}),
        features=features,
        parameters=rules,
        limits=limits,
        source=source,
    )


def build_instruction(messages: Sequence[Message]) -> tuple[str, tuple[str, ...]]:
    """Build the prompt of an instruction model from a conversation of one user turn.

    Raises:
        UnsupportedError: There are earlier turns, for which no format is documented, or parts other than text.
    """
    turns = [message for message in messages if message.role != "system"]
    if len(turns) != 1 or turns[0].role != "user":
        raise UnsupportedError(
            "the model follows one instruction; no format for a conversation of several turns is documented",
            parameter="messages",
        )
    texts = [part for message in messages for part in message.parts]
    if not all(isinstance(part, Text) for part in texts):
        raise UnsupportedError("the model accepts only text", parameter="messages")
    return "\n\n".join(part.text for part in texts if isinstance(part, Text)), ()
