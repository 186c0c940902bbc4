"""Chat v2: the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Tool
from jackfield.plugin import UNSET, Capabilities, ChatRequest, ModelRef, ParameterWriter, Translation

from ._dialect import Dialect
from ._messages import Conversation
from ._options import drop_marks, put_sampling, start_writer

__all__ = ["translate_chat"]

# Cohere's compatibility API for OpenAI's SDK accepts these two efforts. Source: documentation, 2026-08-20.
_EFFORTS: Final = ("high", "none")
_CHOICES: Final[Mapping[str, str]] = {"none": "NONE", "required": "REQUIRED"}


def translate_chat(
    dialect: Dialect, model: ModelRef, request: ChatRequest, capabilities: Capabilities
) -> Translation:
    """Translate a chat for v2. Source: API description, 2026-08-20."""
    options = request.options
    writer = start_writer(dialect, "chat", model, capabilities, options, options.given())
    conversation = Conversation(dialect.ids, writer)
    system = writer.take("system")
    messages = request.messages
    if system is not UNSET:
        writer.note("system", "renamed", wire="messages", value=system)
    if system is not UNSET:
        writer.body["messages"] = [{"role": "system", "content": system}, *conversation.write(messages)]
    else:
        writer.body["messages"] = conversation.write(messages)
    if conversation.documents:
        writer.body["documents"] = conversation.documents
    if writer.left:  # most callers pass one or two options
        put_sampling(writer)
        writer.put("logprobs")
        _put_tools(writer)
        _put_format(writer)
        _put_thinking(writer)
    return dialect.wire("chat", model, writer, request, options.extra)


def _put_tools(writer: ParameterWriter) -> None:
    tools, choice = writer.take("tools"), writer.take("tool_choice")
    drop_marks(tools, writer)
    if tools is not UNSET:
        offered = tools
        if choice not in (UNSET, "auto", *_CHOICES):
            offered = [tool for tool in tools if tool.name == choice]
            why = "no tool can be forced by name: only this one was offered, and a call required"
            writer.note("tool_choice", "emulated", wire="tool_choice", value="REQUIRED", why=why)
            writer.body["tool_choice"] = "REQUIRED"
        writer.write("tools", "tools", [_tool(tool) for tool in offered])
        _put_strict(tools, writer)
    if choice == "auto":
        writer.note("tool_choice", "sent", value=choice, why="the service chooses freely if it is left out")
    elif choice is not UNSET and choice in _CHOICES:
        writer.write("tool_choice", "tool_choice", _CHOICES[choice])


def _put_strict(tools: tuple[Tool, ...], writer: ParameterWriter) -> None:
    strict = [tool.name for tool in tools if tool.strict]
    if not strict:
        return
    writer.body["strict_tools"] = True
    if len(strict) < len(tools):
        why = f"the service has one switch for all tools, which {', '.join(strict)} requested"
        writer.note("tools.strict", "emulated", wire="strict_tools", value=True, why=why)
    else:
        writer.note("tools.strict", "renamed", wire="strict_tools", value=True)


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.parameters
    return {"type": "function", "function": function}


def _put_format(writer: ParameterWriter) -> None:
    wanted = writer.take("response_format")
    if wanted is UNSET:
        return
    if "documents" in writer.body:
        writer.refuse("response_format", "the service answers in JSON only without documents", wanted)
        return
    form = {"type": "json_object"} if wanted == "json" else {"type": "json_object", "json_schema": wanted}
    writer.write("response_format", "response_format", form)


def _put_thinking(writer: ParameterWriter) -> None:
    reasoning = writer.take("reasoning")
    if reasoning is UNSET:
        return
    effort, budget, summary = reasoning.effort, reasoning.budget_tokens, reasoning.summary
    switch = "disabled" if effort == "none" else "enabled"
    if effort not in (None, *_EFFORTS):
        why = f"the service has no efforts; thinking is on or off, which its compatibility API calls {' and '.join(_EFFORTS)}"
        writer.note("reasoning.effort", "clamped", wire="thinking.type", value=switch, why=why)
    thinking: dict[str, Any] = {"type": switch}
    if budget is not None:
        thinking["token_budget"] = budget
    writer.write("reasoning", "thinking", thinking)
    if summary not in (None, True, "auto"):
        writer.refuse("reasoning.summary", "the service always returns the whole thinking", summary)
