"""How much a model of Converse shall think."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, Final

from jackfield.plugin import UNSET, Options, ParameterWriter

__all__ = ["FIELDS", "put_reasoning", "thinks_by_budget"]

FIELDS: Final = "additionalModelRequestFields"
"""Where options go that Converse itself has no name for: merged into the maker's own body, unchecked."""


def put_reasoning(
    writer: ParameterWriter,
    options: Options,
    row: Mapping[str, Any],
    profile: Any | None,
    *,
    native: bool = False,
) -> None:
    """Write the wish for reasoning the way the model's family takes it.

    Claude's own words are Anthropic's; others' were recorded in 2026.

    Args:
        writer: Where to.
        options: Of the call.
        row: Of the model.
        profile: How a Claude wants to be asked; None for another family.
        native: The body is the maker's own.
    """
    if options.reasoning is UNSET:
        return
    with nullcontext() if native else writer.within(FIELDS):
        if profile is not None:
            from jackfield_anthropic.dialect import put_reasoning as of_claude

            of_claude(writer, profile, options)
        else:
            _of_others(writer, row)


def _of_others(writer: ParameterWriter, row: Mapping[str, Any]) -> None:
    reasoning = writer.take("reasoning")
    if reasoning is UNSET:
        return
    effort, budget, way = reasoning.effort, reasoning.budget_tokens, row.get("thinking", "reasoning_config")
    if reasoning.summary is not None:
        writer.drop("reasoning.summary", "the service shows what it shows", reasoning.summary)
    if budget is not None and way == "reasoning_config":
        value: Any = {"type": "enabled", "budget_tokens": budget}
        writer.write("reasoning.budget_tokens", way, value)
        return
    if budget is not None:
        writer.refuse("reasoning.budget_tokens", "the model knows efforts, no budgets", budget)
    if effort is None:
        return
    efforts = row.get("efforts")
    if effort == "none" and way == "nova":
        writer.write("reasoning.effort", "reasoningConfig", {"type": "disabled"})
    elif efforts is not None and effort not in efforts:
        writer.refuse("reasoning.effort", f"the model's efforts are {', '.join(efforts)}", effort)
    elif way == "nova":
        value = {"type": "enabled", "maxReasoningEffort": effort}
        writer.write("reasoning.effort", "reasoningConfig", value)
    else:
        writer.write("reasoning.effort", way, effort)


def thinks_by_budget(writer: ParameterWriter) -> bool:
    """Say whether the model was asked to think by a budget of tokens, while which no call can be forced."""
    thinking = (writer.body.get(FIELDS) or {}).get("thinking") or {}
    return bool(thinking.get("type") == "enabled")
