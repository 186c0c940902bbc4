"""The request: a conversation that the service takes, then OpenAI's translation, then what is added to it."""

from __future__ import annotations

from typing import Any

import attrs

from jackfield import ParameterReport, Reasoning
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    ModelRef,
    Options,
    ParameterWriter,
    Request,
    Translation,
    Wire,
)
from jackfield_openai import translate as translate_openai

from ._dialect import dialect_for, route_of
from ._messages import fitted
from ._models import family_of

__all__ = ["translate"]


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into one wire for one of the routes.

    Raises:
        UnsupportedError: The route or the model cannot honour something.
    """
    route = route_of(model, request)
    claude = family_of(model.known_as) == "claude"
    dialect = dialect_for(route, model.id, model.known_as, per_token=model.underlying is None)
    asked = attrs.evolve(model, declared={**model.declared, "route": route})
    if not isinstance(request, ChatRequest):
        return _on_route(translate_openai(dialect, asked, request, capabilities), route)
    before = ParameterWriter({}, capabilities, request.options.unsupported, {}, model=model.id)
    request = _with_fitted(request, before, claude=claude, split=not claude and route != "responses")
    if claude:
        request = attrs.evolve(request, options=_with_thinking(request.options, before))
    result = translate_openai(dialect, asked, request, capabilities)
    after = ParameterWriter({}, capabilities, request.options.unsupported, result.wire.body, model=model.id)
    _mark_tools(request.options, after, claude=claude)
    thinking = result.wire.body.get("thinking")
    if claude and isinstance(thinking, dict) and "budget_tokens" in thinking and "type" not in thinking:
        # In the order in which the service documents it.
        result.wire.body["thinking"] = {"type": "enabled", **thinking}
    notes = (*before.finish().notes, *result.report.notes, *after.finish().notes)
    return _on_route(Translation(result.wire, ParameterReport(notes)), route)


def _with_fitted(request: ChatRequest, writer: ParameterWriter, *, claude: bool, split: bool) -> ChatRequest:
    """Make the conversation one that the service takes; the system option joins system messages."""
    options, system = request.options, None
    if options.system is not UNSET and any(message.role == "system" for message in request.messages):
        options, system = attrs.evolve(options, system=UNSET), options.system
    messages = fitted(request.messages, writer, system=system, claude=claude, split=split)
    return attrs.evolve(request, messages=messages, options=options)


def _on_route(result: Translation, route: str) -> Translation:
    """Put the route on the wire, for the decoder."""
    wire: Wire = result.wire
    return attrs.evolve(result, wire=attrs.evolve(wire, meta={**wire.meta, "route": route}))


def _with_thinking(options: Options, writer: ParameterWriter) -> Options:
    """Keep of `reasoning` what an endpoint of Claude's takes: a budget below `max_tokens`, and no effort.

    Source: maximhq/bifrost pull 6958 (2026-09): `reasoning_effort` is refused.
    """
    wanted: Any = options.reasoning
    if wanted is UNSET:
        return options
    effort, budget = wanted.effort, wanted.budget_tokens
    if effort is not None:
        if effort == "none":
            writer.drop("reasoning.effort", "the model thinks only if it is given a budget", effort)
        else:
            why = "endpoints of Claude's know budgets (budget_tokens), no efforts"
            writer.refuse("reasoning.effort", why, effort)
    if budget is not None and effort == "none":
        writer.drop("reasoning.budget_tokens", "the effort none switches thinking off", budget)
        budget = None
    if budget is not None and options.max_tokens is not UNSET and budget >= options.max_tokens:
        writer.refuse(
            "reasoning.budget_tokens", f"it must be below max_tokens ({options.max_tokens})", budget
        )
        budget = None
    if wanted.summary not in (None, False):
        writer.drop("reasoning.summary", "thinking always comes as a summary", wanted.summary)
    reasoning = UNSET if budget is None else Reasoning(budget_tokens=budget)
    return attrs.evolve(options, reasoning=reasoning)


def _mark_tools(options: Options, writer: ParameterWriter, *, claude: bool) -> None:
    """Mark tools that end a cacheable prefix."""
    if options.tools is UNSET:
        return
    for number, (tool, wire) in enumerate(zip(options.tools, writer.body.get("tools", ()), strict=False)):
        if tool.cache is None:
            continue
        if not claude:
            writer.drop(f"tools[{number}].cache", "only Claude's endpoints honour marks", tool.cache)
            continue
        wire["cache_control"] = {"type": "ephemeral"}
        if tool.cache != "5m":
            why = f"the service keeps a prefix for 5m, not for {tool.cache}"
            writer.note(f"tools[{number}].cache", "clamped", wire="tools.cache_control", value="5m", why=why)
