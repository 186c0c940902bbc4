"""Chat completions: the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jackfield import Message, Reasoning, Tool
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    ModelRef,
    Options,
    ParameterWriter,
    Translation,
    UnsupportedPolicy,
    Wire,
)

from ._dialect import Dialect
from ._messages import chat_messages
from ._models import efforts_of, rules_for
from ._tools import follows_strict_rules, schema_name

__all__ = ["conversation", "effort_of", "named_schema", "put_effort", "put_renamed", "translate_chat"]

# In the order in which the API reference shows them.
_PLAIN: Final = (
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "n",
    "parallel_tool_calls",
    "user",
)
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_STREAM_WHY: Final = "a stream tells its usage only if it is asked to"


def translate_chat(
    dialect: Dialect, model: ModelRef, request: ChatRequest, capabilities: Capabilities
) -> Translation:
    """Write a chat as a wire for chat completions."""
    options = request.options
    rules = rules_for(model.known_as, effort_of(options), capabilities)
    path, body = dialect.start(dialect.chat_path, model)
    writer = ParameterWriter(options.given(), rules, options.unsupported, body, model=model.id)
    body["messages"] = chat_messages(
        dialect, conversation(options, request.messages, writer), writer, capabilities
    )
    put_renamed(dialect, writer, "max_tokens", dialect.max_tokens)
    left = writer.left
    if left:  # most callers give one option or two
        for name in _PLAIN:
            if name in left:
                put_renamed(dialect, writer, name)
        put_renamed(dialect, writer, "stop", convert=list)
        put_renamed(
            dialect, writer, "logit_bias", convert=lambda bias: {str(token): v for token, v in bias.items()}
        )
        _put_tools(writer)
        _put_format(writer)
        _put_reasoning(dialect, writer, capabilities, options.unsupported)
    if request.stream:
        body["stream"] = True
        if dialect.usage_option:
            writer.default("stream_options", "stream_options", {"include_usage": True}, _STREAM_WHY)
    writer.merge_extra(options.extra, *dialect.ids)
    wire = Wire(
        path, body, stream=request.stream, framing="sse" if request.stream else None, meta={"api": "chat"}
    )
    return Translation(wire, writer.finish())


def conversation(
    options: Options, messages: tuple[Message, ...], writer: ParameterWriter
) -> tuple[Message, ...]:
    """Put the system option before the messages."""
    system = writer.take("system")
    if system is UNSET:
        return messages
    writer.note("system", "renamed", wire="messages", value=system)
    return (Message("system", system), *messages)


def put_renamed(
    dialect: Dialect, writer: ParameterWriter, name: str, wire: str | None = None, convert: Any = None
) -> Any:
    """Copy an option under the name that the dialect has for it; one that it lacks is left for `finish`."""
    path = dialect.renamed.get(name, wire or name)
    return UNSET if path is None else writer.put(name, path, convert)


def effort_of(options: Options) -> str | None:
    """Give the effort that was asked for; None if none was."""
    return None if options.reasoning is UNSET else options.reasoning.effort


def function_tool(tool: Tool) -> dict[str, Any]:
    """Write a tool's function."""
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.parameters
    if tool.strict is not None:
        function["strict"] = tool.strict
    return function


def _put_tools(writer: ParameterWriter) -> None:
    writer.put(
        "tools", convert=lambda tools: [{"type": "function", "function": function_tool(t)} for t in tools]
    )
    writer.put("tool_choice", convert=_tool_choice)


def _tool_choice(choice: str) -> Any:
    return (
        choice
        if choice in ("auto", "none", "required")
        else {"type": "function", "function": {"name": choice}}
    )


def _put_format(writer: ParameterWriter) -> None:
    wanted = writer.take("response_format")
    if wanted is UNSET:
        return
    if wanted == "json":
        writer.write("response_format", "response_format", {"type": "json_object"})
        return
    form = {"type": "json_schema", "json_schema": named_schema(wanted, writer, "response_format.json_schema")}
    writer.write("response_format", "response_format", form)


def named_schema(schema: Mapping[str, Any], writer: ParameterWriter, where: str) -> dict[str, Any]:
    """Add the name that the service requires, and `strict` where the schema allows it."""
    name, strict = schema_name(schema), follows_strict_rules(schema)
    writer.note(
        "response_format.name", "defaulted", wire=f"{where}.name", value=name, why="the service wants a name"
    )
    why = "the schema is closed" if strict else "the schema has optional or unnamed properties"
    writer.note("response_format.strict", "defaulted", wire=f"{where}.strict", value=strict, why=why)
    return {"name": name, "schema": schema, "strict": strict}


def _put_reasoning(
    dialect: Dialect, writer: ParameterWriter, capabilities: Capabilities, policy: UnsupportedPolicy
) -> None:
    reasoning = writer.take("reasoning")
    if reasoning is UNSET:
        return
    put_effort(writer, reasoning, capabilities, dialect.effort, policy)
    if reasoning.budget_tokens is not None:
        if dialect.reasoning_budget is None:
            writer.refuse(
                "reasoning.budget_tokens", "the service knows efforts, no budgets", reasoning.budget_tokens
            )
        else:
            writer.write("reasoning.budget_tokens", dialect.reasoning_budget, reasoning.budget_tokens)
    if reasoning.summary not in (None, False):
        writer.refuse(
            "reasoning.summary", "chat completions show no summary of the thinking", reasoning.summary
        )


def put_effort(
    writer: ParameterWriter,
    reasoning: Reasoning,
    capabilities: Capabilities,
    path: str | None,
    policy: UnsupportedPolicy,
) -> None:
    """Write a reasoning effort, if the model has that one."""
    effort = reasoning.effort
    if effort is None:
        return
    if path is None:
        writer.refuse("reasoning.effort", "the service knows no efforts", effort)
        return
    if effort == "none" and capabilities.lacks("reasoning"):
        writer.drop(
            "reasoning.effort", "the model never reasons, and the parameter itself would be refused", effort
        )
        return
    efforts = efforts_of(capabilities)
    if efforts is not None and effort not in efforts:
        known = f"the model's efforts are {', '.join(efforts)}"
        nearest = _nearest(effort, efforts)
        if nearest is None or policy == "error":
            writer.refuse("reasoning.effort", f"{effort!r} is none of them: {known}", effort)
            return
        writer.note("reasoning.effort", "clamped", wire=path, value=nearest, why=known)
        effort = nearest
    writer.write("reasoning.effort", path, effort)


def _nearest(effort: str, efforts: Sequence[str]) -> str | None:
    """Give the model's effort that is nearest to the one asked for; of two, the lower."""
    if effort not in _EFFORTS:
        return None
    known = [choice for choice in efforts if choice in _EFFORTS and choice != "none"]
    wanted = _EFFORTS.index(effort)
    return min(known, key=lambda choice: abs(_EFFORTS.index(choice) - wanted), default=None)
