"""Translate `reasoning=` for each model family."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, Final

from jackfield.plugin import UNSET, Options, ParameterWriter

__all__ = ["FIELDS", "put_reasoning", "thinks_with_budget"]

FIELDS: Final = "additionalModelRequestFields"
"""The place of options that Converse itself does not have: they are merged into the native body, unchecked."""


def put_reasoning(
    writer: ParameterWriter,
    options: Options,
    row: Mapping[str, Any],
    profile: Any | None,
    *,
    native: bool = False,
) -> None:
    """Write `reasoning` as the model's family accepts it.

    Claude's parameters are Anthropic's; those of other families were recorded in 2026.

    Args:
        writer: The writer of the body.
        options: The options of the call.
        row: The model's row in the table.
        profile: The profile of a Claude; None for another family.
        native: The body is the native one.
    """
    if options.reasoning is UNSET:
        return
    with nullcontext() if native else writer.within(FIELDS):
        if profile is not None:
            from jackfield_anthropic.dialect import put_reasoning as put_claude

            put_claude(writer, profile, options)
        else:
            _put_other(writer, row)


def _put_other(writer: ParameterWriter, row: Mapping[str, Any]) -> None:
    reasoning = writer.take("reasoning")
    if reasoning is UNSET:
        return
    effort, budget, way = reasoning.effort, reasoning.budget_tokens, row.get("thinking", "reasoning_config")
    if reasoning.summary is not None:
        writer.drop("reasoning.summary", "the service has no such setting", reasoning.summary)
    if budget is not None and way == "reasoning_config":
        value: Any = {"type": "enabled", "budget_tokens": budget}
        writer.write("reasoning.budget_tokens", way, value)
        return
    if budget is not None:
        writer.refuse("reasoning.budget_tokens", "the model accepts efforts, not budgets", budget)
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


def thinks_with_budget(writer: ParameterWriter) -> bool:
    """Return whether the model thinks with a budget of tokens; no tool call can be forced then."""
    thinking = (writer.body.get(FIELDS) or {}).get("thinking") or {}
    return bool(thinking.get("type") == "enabled")
