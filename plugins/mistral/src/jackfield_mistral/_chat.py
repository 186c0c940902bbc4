"""Chats: OpenAI's translation of a conversation that Mistral accepts, and what is corrected in its result."""

from __future__ import annotations

from typing import Any

import attrs

from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    ModelRef,
    Options,
    ReportBuilder,
    Translation,
)
from jackfield_openai import translate as openai_translate

from ._dialect import MISTRAL
from ._messages import adapt_messages

__all__ = ["translate_chat"]


def translate_chat(model: ModelRef, request: ChatRequest, capabilities: Capabilities) -> Translation:
    """Translate a chat into a wire.

    Raises:
        UnsupportedError: The service or the model does not support something.
    """
    report = ReportBuilder(request.options.unsupported, model=model.id)
    messages = adapt_messages(request.messages, report)
    options = _adapt_options(request.options, capabilities, report)
    result = openai_translate(MISTRAL, model, ChatRequest(messages, options, request.stream), capabilities)
    _correct_messages(result.wire.body["messages"], report)
    report.extend(result.report)
    return Translation(result.wire, report.finish())


def _adapt_options(options: Options, capabilities: Capabilities, report: ReportBuilder) -> Options:
    changed: dict[str, Any] = {}
    if options.tools is not UNSET:
        if options.tool_choice == "none":
            # Source: pydantic-ai 2.68: with tools present, `none` has produced garbled answers.
            why = 'the service garbles answers if there are tools and tool_choice is "none"'
            report.drop("tools", why, options.tools)
            report.drop("tool_choice", why, "none")
            changed = {"tools": UNSET, "tool_choice": UNSET}
        for number, tool in enumerate(options.tools):
            if tool.cache is not None:
                why = "the service does not support marks of cacheable prefixes"
                report.drop(f"tools[{number}].cache", why, tool.cache)
    rule = capabilities.parameters.get("reasoning")
    if options.reasoning is not UNSET and rule is not None and rule.supported is False:
        report.refuse("reasoning", rule.why or "the model does not support it", options.reasoning)
        changed["reasoning"] = UNSET
    return attrs.evolve(options, **changed) if changed else options


def _correct_messages(messages: list[dict[str, Any]], report: ReportBuilder) -> None:
    """Replace empty content by "", leave out turns of nothing, and mark an answer that the model continues.

    Source: API description of 2026-08-21: the last message is a user's, a tool's, or an assistant's with `prefix`.
    """
    for message in messages:
        if message.get("content", "") is None:
            message["content"] = ""
    empty = [
        m for m in messages if m["role"] == "assistant" and not (m.get("content") or m.get("tool_calls"))
    ]
    if empty:
        why = "the service refuses an assistant's turn without content and calls"
        report.drop("messages", why, empty)
        messages[:] = [message for message in messages if message not in empty]
    last = messages[-1] if messages else {}
    if last.get("role") == "assistant" and "tool_calls" not in last:
        last["prefix"] = True
        why = "the service requires a mark on an answer that the model continues, and repeats it in the new answer"
        report.note("prefix", "defaulted", wire="messages.prefix", value=True, why=why)
