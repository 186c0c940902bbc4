"""Chats: OpenAI's translation of a conversation that the service accepts, and what is added to its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from jackfield import Reasoning, Tool
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    ModelRef,
    Options,
    ReportBuilder,
    Translation,
)
from jackfield_openai import Dialect, translate as translate_openai

from ._messages import adapt_messages, thinking_for_chat
from ._models import family_of

__all__ = ["translate_chat"]

_MIN_BUDGET: Final = 1024


def translate_chat(
    dialect: Dialect, model: ModelRef, request: ChatRequest, capabilities: Capabilities, *, route: str
) -> Translation:
    """Translate a chat into a wire for one of the routes.

    Raises:
        UnsupportedError: The model does not support something.
    """
    claude = family_of(model.known_as) == "claude"
    report = ReportBuilder(request.options.unsupported, model=model.id)
    request = attrs.evolve(request, messages=thinking_for_chat(request.messages))
    request = _adapt(request, report, claude=claude, split=not claude and route != "responses")
    if claude:
        request = attrs.evolve(request, options=_adapt_reasoning(request.options, report))
    result = translate_openai(dialect, model, request, capabilities)
    report.extend(result.report)
    body = result.wire.body
    if request.options.tools is not UNSET:
        _mark_tools(request.options.tools, body.get("tools", ()), report, claude=claude)
    thinking = body.get("thinking")
    if claude and isinstance(thinking, dict) and "budget_tokens" in thinking and "type" not in thinking:
        # In the order of the service's documentation.
        body["thinking"] = {"type": "enabled", **thinking}
    return Translation(result.wire, report.finish())


def _adapt(request: ChatRequest, report: ReportBuilder, *, claude: bool, split: bool) -> ChatRequest:
    """Adapt the conversation to the service's rules; the system option joins system messages."""
    options = request.options
    system: str | None = None
    if options.system is not UNSET and any(message.role == "system" for message in request.messages):
        system = options.system
        options = attrs.evolve(options, system=UNSET)
    messages = adapt_messages(request.messages, report, system=system, claude=claude, split=split)
    return attrs.evolve(request, messages=messages, options=options)


def _adapt_reasoning(options: Options, report: ReportBuilder) -> Options:
    """Keep what an endpoint of Claude accepts of `reasoning`: a budget below `max_tokens`, and no effort.

    Source: maximhq/bifrost pull 6958 (2026-09): `reasoning_effort` is rejected.
    """
    wanted: Any = options.reasoning
    if wanted is UNSET:
        return options
    effort, budget = wanted.effort, wanted.budget_tokens
    if effort is not None:
        if effort == "none":
            report.drop("reasoning.effort", "the model reasons only if it has a budget", effort)
        else:
            why = "endpoints of Claude accept a budget (budget_tokens), but not an effort"
            report.refuse("reasoning.effort", why, effort)
    if budget is not None and effort == "none":
        report.drop("reasoning.budget_tokens", 'the effort "none" switches reasoning off', budget)
        budget = None
    if budget is not None and budget < _MIN_BUDGET:
        report.refuse("reasoning.budget_tokens", f"it must be at least {_MIN_BUDGET}", budget)
        budget = None
    if budget is not None and options.max_tokens is not UNSET and budget >= options.max_tokens:
        why = f"it must be below max_tokens ({options.max_tokens})"
        report.refuse("reasoning.budget_tokens", why, budget)
        budget = None
    if wanted.summary not in (None, False):
        report.drop("reasoning.summary", "thinking is always returned as a summary", wanted.summary)
    reasoning = UNSET if budget is None else Reasoning(budget_tokens=budget)
    return attrs.evolve(options, reasoning=reasoning)


def _mark_tools(
    tools: Sequence[Tool], wires: Sequence[dict[str, Any]], report: ReportBuilder, *, claude: bool
) -> None:
    """Mark tools that end a cacheable prefix."""
    for number, (tool, wire) in enumerate(zip(tools, wires, strict=False)):
        if tool.cache is None:
            continue
        name = f"tools[{number}].cache"
        if not claude:
            why = "only endpoints of Claude support marks of cacheable prefixes"
            report.drop(name, why, tool.cache)
            continue
        wire["cache_control"] = {"type": "ephemeral"}
        if tool.cache != "5m":
            why = f"the service caches a prefix for 5m, not for {tool.cache}"
            report.note(name, "clamped", wire="tools.cache_control", value="5m", why=why)
