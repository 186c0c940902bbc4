"""Snowflake's own form of a chat, `inference:complete`: the request."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jackfield import Document, Image, Message, Part, RawPart, Text, Thinking, Tool, ToolCall, ToolResult
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    ModelRef,
    Options,
    ParameterWriter,
    Translation,
    Wire,
)

from ._names import family_of

__all__ = ["translate_complete"]

_STREAMS: Final = "the service streams by default"


def translate_complete(model: ModelRef, request: ChatRequest, capabilities: Capabilities) -> Translation:
    """Translate a chat. Sources: snowflake.core 1.14.0 (generated from the REST definition); docs.snowflake.com, 2026."""
    options = request.options
    family = family_of(model.known_as)
    body: dict[str, Any] = {"model": model.id}
    writer = ParameterWriter.of(request, model, capabilities, body)
    messages = request.messages
    system = writer.take("system")
    if system is not UNSET:
        writer.note("system", "renamed", wire="messages", value=system)
        messages = (Message("system", system), *messages)
    body["messages"] = _Conversation(messages, writer, marks=family == "claude").write()
    for name in ("max_tokens", "temperature", "top_p"):
        writer.put(name)
    _put_tools(options, writer)
    _put_format(writer)
    _put_reasoning(writer, family)
    if request.stream:
        body["stream"] = True
    else:
        writer.default("stream", "stream", False, _STREAMS)
    writer.merge_extra(options.extra, "snowflake")
    wire = Wire(
        "/api/v2/cortex/inference:complete",
        body,
        headers={"Accept": "text/event-stream" if request.stream else "application/json"},
        stream=request.stream,
        framing="sse" if request.stream else None,
        meta={"api": "complete"},
    )
    return Translation(wire, writer.finish())


def _put_tools(options: Options, writer: ParameterWriter) -> None:
    choice = writer.take("tool_choice")
    if choice == "none":
        tools = writer.take("tools")
        if tools is not UNSET:
            writer.drop(
                "tools", "the service has no tool_choice none; without tools the model cannot call any", tools
            )
        writer.note("tool_choice", "emulated", value=choice, why="tools were left out")
        return
    writer.put("tools", convert=lambda tools: [_tool(tool, writer, i) for i, tool in enumerate(tools)])
    if choice is not UNSET:
        named = choice not in ("auto", "required")
        value = {"type": "tool", "name": [choice]} if named else {"type": choice}
        writer.write("tool_choice", "tool_choice", value)


def _tool(tool: Tool, writer: ParameterWriter, number: int) -> dict[str, Any]:
    spec: dict[str, Any] = {"type": "generic", "name": tool.name}
    if tool.description is not None:
        spec["description"] = tool.description
    spec["input_schema"] = tool.parameters
    for name in ("strict", "cache"):
        if getattr(tool, name) is not None:
            writer.drop(f"tools[{number}].{name}", "tools have no such field here", getattr(tool, name))
    return {"tool_spec": spec}


def _put_format(writer: ParameterWriter) -> None:
    schema = writer.take("response_format")
    if schema is UNSET:
        return
    if schema == "json":
        schema = {"type": "object"}
        why = "the service requires a schema"
        writer.note(
            "response_format.schema", "defaulted", wire="response_format.schema", value=schema, why=why
        )
    writer.write("response_format", "response_format", {"type": "json", "schema": schema})


def _put_reasoning(writer: ParameterWriter, family: str) -> None:
    reasoning = writer.take("reasoning")
    if reasoning is UNSET:
        return
    if reasoning.budget_tokens is not None:
        if family == "openai":
            writer.refuse(
                "reasoning.budget_tokens",
                "OpenAI's models have efforts, not budgets",
                reasoning.budget_tokens,
            )
        else:
            writer.write(
                "reasoning.budget_tokens", "anthropic.thinking.budget_tokens", reasoning.budget_tokens
            )
    if reasoning.effort is not None:
        if family == "openai":
            writer.write("reasoning.effort", "openai.reasoning.effort", reasoning.effort)
        elif reasoning.effort == "none":
            writer.drop(
                "reasoning.effort", "the model only thinks if budget_tokens is passed", reasoning.effort
            )
        else:
            writer.refuse(
                "reasoning.effort", "Claude has budgets (budget_tokens) here, not efforts", reasoning.effort
            )
    if reasoning.summary not in (None, False):
        writer.refuse(
            "reasoning.summary", "the service returns no summary of the thinking", reasoning.summary
        )


class _Conversation:
    """Write messages; what the service does not support is dropped and reported."""

    def __init__(self, messages: Sequence[Message], writer: ParameterWriter, *, marks: bool) -> None:
        self._messages = messages
        self._writer = writer
        self._marks = marks
        self._names = {call.id: call.name for message in messages for call in message.tool_calls}

    def write(self) -> list[dict[str, Any]]:
        return [
            wire for index, message in enumerate(self._messages) for wire in self._message(index, message)
        ]

    def _message(self, index: int, message: Message) -> Iterator[dict[str, Any]]:
        where = f"messages[{index}]"
        if message.name is not None:
            self._writer.drop(f"{where}.name", "participants have no names here", message.name)
        items = [item for part in message.parts if (item := self._part(part, where)) is not None]
        role = "user" if message.role == "tool" else message.role
        if all(item.keys() == {"type", "text"} for item in items) and len(items) == 1:
            yield {"role": role, "content": items[0]["text"]}
        else:
            yield {"role": role, "content_list": items} if items else {"role": role, "content": ""}

    def _part(self, part: Part, where: str) -> dict[str, Any] | None:
        if isinstance(part, Text):
            return self._mark(part.cache, {"type": "text", "text": part.text}, where)
        if isinstance(part, Image):
            return self._image(part, where)
        if isinstance(part, ToolCall):
            return {"type": "tool_use", "tool_use": self._call(part, where)}
        if isinstance(part, ToolResult):
            return self._mark(
                part.cache, {"type": "tool_results", "tool_results": self._result(part, where)}, where
            )
        if isinstance(part, Document) and part.text is not None:
            self._writer.note(where, "emulated", why="the document's text was sent as a text part")
            return self._mark(part.cache, {"type": "text", "text": part.text}, where)
        if isinstance(part, RawPart) and part.provider == "snowflake":
            return dict(part.data)
        if isinstance(part, Thinking):
            self._writer.drop(f"{where}.thinking", "this API accepts no thinking")
        elif isinstance(part, RawPart):
            self._writer.drop(where, f"it was produced by {part.provider} and cannot be sent elsewhere", part)
        else:
            self._writer.refuse(where, f"this API does not accept a {type(part).__name__}", part)
        return None

    def _image(self, part: Image, where: str) -> dict[str, Any] | None:
        if part.data is None:
            self._writer.refuse(where, "the service accepts images as data, not as an address", part.url)
            return None
        if part.detail is not None:
            self._writer.drop(f"{where}.detail", "images have no such field here", part.detail)
        content = base64.b64encode(part.data).decode()
        details = {"type": "base64", "content": content, "content_type": part.media_type or "image/png"}
        return self._mark(part.cache, {"type": "image", "details": details}, where)

    def _call(self, call: ToolCall, where: str) -> dict[str, Any]:
        arguments: Mapping[str, Any] = call.arguments
        if call.arguments_raw is not None:
            self._writer.drop(
                f"{where}.arguments",
                "arguments that are not a JSON object cannot be sent",
                call.arguments_raw,
            )
        return {"tool_use_id": call.id, "name": call.name, "input": arguments}

    def _result(self, result: ToolResult, where: str) -> dict[str, Any]:
        if result.is_error:
            self._writer.drop(
                f"{where}.is_error", "no field for it is documented; the content says what failed"
            )
        parts = (Text(result.content),) if isinstance(result.content, str) else result.content
        content = [item for part in parts if (item := self._part(part, where)) is not None]
        name = result.name if result.name is not None else self._names.get(result.tool_call_id)
        named = {} if name is None else {"name": name}
        return {"tool_use_id": result.tool_call_id, **named, "content": content}

    def _mark(self, cache: str | None, item: dict[str, Any], where: str) -> dict[str, Any]:
        if cache is None:
            return item
        if not self._marks:
            self._writer.drop(f"{where}.cache", "only Claude supports marks of cacheable prefixes", cache)
            return item
        if cache != "5m":
            why = f"the service keeps a prefix for 5m, not for {cache}"
            self._writer.note(f"{where}.cache", "clamped", wire="cache_control", value="5m", why=why)
        return {**item, "cache_control": {"type": "ephemeral"}}
