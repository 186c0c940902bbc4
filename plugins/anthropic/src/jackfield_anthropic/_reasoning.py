"""Translate `reasoning=` for each model family: efforts, budgets, summaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield.plugin import UNSET, Options, ParameterWriter, nearest_effort

from ._models import Profile

__all__ = ["put_reasoning"]

_MIN_BUDGET: Final = 1024
# Jackfield's own choice for models that accept only budgets; each is below the 64,000 tokens that they can write.
_BUDGETS: Final[Mapping[str, int]] = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 24576,
    "max": 31999,
}


def put_reasoning(writer: ParameterWriter, profile: Profile, options: Options) -> None:
    """Write `reasoning` as the model's family accepts it.

    Source: profiles of pydantic-ai 2.68, verified live in 2026; types of the Python SDK 2.12.0.
    """
    reasoning = writer.take("reasoning")
    if reasoning is UNSET:
        return
    effort, budget, summary = reasoning.effort, reasoning.budget_tokens, reasoning.summary
    if effort == "none":
        _switch_off(writer, profile)
    elif effort is not None and profile.efforts == () and profile.thinking:
        _put_budget_for(writer, effort, budget, options)
    elif effort is not None:
        _put_effort(writer, effort, profile, options)
        if budget is None and "adaptive" in (profile.thinking or ()) and not profile.thinks:
            why = "the model thinks only on request"
            writer.default("reasoning.thinking", "thinking", {"type": "adaptive"}, why)
    if budget is not None:
        _put_budget(writer, budget, profile, options)
    if summary is not None:
        _put_summary(writer, summary, profile)


def _switch_off(writer: ParameterWriter, profile: Profile) -> None:
    if profile.thinking == ():
        writer.drop("reasoning.effort", "the model never thinks", "none")
    elif profile.thinking is None or "disabled" in profile.thinking:
        writer.write("reasoning.effort", "thinking", {"type": "disabled"})
    else:
        why = "the model's thinking cannot be switched off"
        if "between_tools" in profile.thinking:
            why += "; extra can set thinking.type to between_tools"
        writer.refuse("reasoning.effort", why, "none")


def _put_effort(writer: ParameterWriter, effort: str, profile: Profile, options: Options) -> None:
    if profile.efforts is not None and effort not in profile.efforts:
        known = f"the model's efforts are {', '.join(profile.efforts) or 'none'}"
        nearest = nearest_effort(effort, profile.efforts)
        if nearest is None or options.unsupported == "error":
            writer.refuse("reasoning.effort", f"{effort!r} is not one of them: {known}", effort)
            return
        writer.note("reasoning.effort", "clamped", wire="output_config.effort", value=nearest, why=known)
        effort = nearest
    writer.write("reasoning.effort", "output_config.effort", effort)


def _put_budget_for(writer: ParameterWriter, effort: str, budget: int | None, options: Options) -> None:
    """Write an effort as a budget, for a model that accepts only budgets."""
    why = "the model accepts budgets of tokens, not efforts"
    if effort not in _BUDGETS or not options.emulate:
        writer.refuse("reasoning.effort", f"{why}: pass budget_tokens", effort)
        return
    if budget is not None:
        writer.drop("reasoning.effort", f"{why}; the budget that was passed applies", effort)
        return
    tokens = _BUDGETS[effort]
    if options.max_tokens is not UNSET:
        tokens = min(tokens, options.max_tokens - 1)
    if tokens < _MIN_BUDGET:
        writer.refuse("reasoning.effort", f"{why}, of at least {_MIN_BUDGET} and below max_tokens", effort)
        return
    value = {"type": "enabled", "budget_tokens": tokens}
    writer.body["thinking"] = value
    writer.note("reasoning.effort", "emulated", wire="thinking", value=value, why=why)


def _put_budget(writer: ParameterWriter, budget: int, profile: Profile, options: Options) -> None:
    if profile.thinking is not None and "enabled" not in profile.thinking:
        why = "the model never thinks"
        if profile.thinking:
            why = "the model does not accept a budget; it chooses by itself, guided by an effort"
        writer.refuse("reasoning.budget_tokens", why, budget)
        return
    nearest = _nearest_budget(budget, options)
    if nearest != budget:
        why = f"a budget is at least {_MIN_BUDGET} tokens, and below max_tokens"
        if options.unsupported == "error" or nearest is None:
            writer.refuse("reasoning.budget_tokens", why, budget)
            return
        writer.note("reasoning.budget_tokens", "clamped", wire="thinking", value=nearest, why=why)
        budget = nearest
    writer.write("reasoning.budget_tokens", "thinking", {"type": "enabled", "budget_tokens": budget})


def _nearest_budget(budget: int, options: Options) -> int | None:
    """Return the nearest budget that the service accepts; None if there is none below `max_tokens`.

    Source: API reference and extended thinking guide, 2025: with interleaved thinking, a budget is for a whole turn.
    """
    nearest = max(budget, _MIN_BUDGET)
    if options.max_tokens is UNSET or _interleaves(options):
        return nearest
    nearest = min(nearest, options.max_tokens - 1)
    return nearest if nearest >= _MIN_BUDGET else None


def _interleaves(options: Options) -> bool:
    named = [
        name
        for extra in options.extra.values()
        for key in ("betas", "anthropic_beta")
        for name in extra.get(key) or ()
    ]
    return any(str(name).startswith("interleaved-thinking") for name in named)


def _put_summary(writer: ParameterWriter, summary: str | bool, profile: Profile) -> None:
    """Write whether the thinking is shown; there is one kind of summary."""
    display = "omitted" if summary is False else "summarized"
    thinking: dict[str, Any] | None = writer.body.get("thinking")
    if thinking is not None and thinking["type"] != "disabled":
        writer.body["thinking"] = {**thinking, "display": display}
        writer.note("reasoning.summary", "renamed", wire="thinking.display", value=display)
    elif thinking is None and (profile.thinking is None or "adaptive" in profile.thinking):
        writer.write("reasoning.summary", "thinking", {"type": "adaptive", "display": display})
    else:
        writer.refuse("reasoning.summary", "the model does not think without a budget", summary)
