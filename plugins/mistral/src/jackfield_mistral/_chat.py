"""The request: a conversation that the service takes, then OpenAI's translation, then what is set right after it."""

from __future__ import annotations

from typing import Any, Final

import attrs

from jackfield import ParameterReport
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    CompletionRequest,
    ModelRef,
    Options,
    ParameterRule,
    ParameterWriter,
    Request,
    Translation,
)
from jackfield_openai import translate as openai_translate

from ._dialect import FIM, MISTRAL
from ._messages import fitted

__all__ = ["translate"]

_NO_LOGPROBS: Final = ParameterRule(
    supported=False, why="fill-in-the-middle tells no log probabilities", source="Python SDK 3.7.0"
)
_FIM_RULES: Final = {"logprobs": _NO_LOGPROBS, "top_logprobs": _NO_LOGPROBS}


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into one wire.

    Raises:
        UnsupportedError: The service or the model cannot honour something.
    """
    if isinstance(request, CompletionRequest):
        rules = {**capabilities.parameters, **_FIM_RULES}
        return openai_translate(FIM, model, request, attrs.evolve(capabilities, parameters=rules))
    if not isinstance(request, ChatRequest):
        return openai_translate(MISTRAL, model, request, capabilities)
    options = request.options
    writer = ParameterWriter({}, capabilities, options.unsupported, {}, model=model.id)
    messages = fitted(request.messages, writer)
    options = _fitted_options(options, capabilities, writer)
    result = openai_translate(MISTRAL, model, ChatRequest(messages, options, request.stream), capabilities)
    _set_right(result.wire.body["messages"], writer)
    notes = writer.finish().notes
    if not notes:
        return result
    return Translation(result.wire, ParameterReport((*notes, *result.report.notes)))


def _fitted_options(options: Options, capabilities: Capabilities, writer: ParameterWriter) -> Options:
    changed: dict[str, Any] = {}
    if options.tools is not UNSET:
        if options.tool_choice == "none":
            # Source: pydantic-ai 2.68: with tools present, `none` has produced garbled answers.
            why = (
                'the service garbles answers with tools under tool_choice "none"; without them none is called'
            )
            writer.drop("tools", why, options.tools)
            writer.drop("tool_choice", why, "none")
            changed = {"tools": UNSET, "tool_choice": UNSET}
        for number, tool in enumerate(options.tools):
            if tool.cache is not None:
                why = "the service honours no marks of cacheable prefixes"
                writer.drop(f"tools[{number}].cache", why, tool.cache)
    rule = capabilities.parameters.get("reasoning")
    if options.reasoning is not UNSET and rule is not None and rule.supported is False:
        writer.refuse("reasoning", rule.why or "the model does not support it", options.reasoning)
        changed["reasoning"] = UNSET
    return attrs.evolve(options, **changed) if changed else options


def _set_right(messages: list[dict[str, Any]], writer: ParameterWriter) -> None:
    """Fill empty content, and mark an answer that the model shall go on with.

    Source: API description of 2026-08-21: the last message is a user's, a tool's, or an assistant's with `prefix`.
    """
    for message in messages:
        if message.get("content", "") is None:
            message["content"] = ""
    last = messages[-1] if messages else {}
    if last.get("role") == "assistant" and "tool_calls" not in last:
        last["prefix"] = True
        why = "the service wants an answer that is gone on with to be marked; its answer repeats it"
        writer.note("prefix", "defaulted", wire="messages.prefix", value=True, why=why)
