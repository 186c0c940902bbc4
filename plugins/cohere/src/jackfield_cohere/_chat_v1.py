"""Chat v1: the request. It is the only chat API of Command and Command Light; Bedrock uses it for Command R."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jackfield import Document, Message, RawPart, Text, Thinking, Tool, ToolCall, ToolResult
from jackfield.plugin import UNSET, Capabilities, ChatRequest, ModelRef, ParameterWriter, Translation

from ._dialect import Dialect
from ._messages import PLAN, document_data
from ._options import drop_marks, put_sampling, start_writer

__all__ = ["translate_chat_v1"]

_ROLES: Final[Mapping[str, str]] = {"system": "SYSTEM", "user": "USER", "assistant": "CHATBOT"}
# Types of parameters have Python's names. Source: Python SDK 7.3.1.
_TYPES: Final[Mapping[str, str]] = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "array": "list",
    "object": "dict",
}
_EXPRESSIBLE: Final = frozenset({"type", "description", "title"})


def translate_chat_v1(
    dialect: Dialect, model: ModelRef, request: ChatRequest, capabilities: Capabilities
) -> Translation:
    """Translate a chat for v1, which separates the last turn from the history. Source: Python SDK 7.3.1."""
    options = request.options
    writer = start_writer(dialect, "chat", model, capabilities, options, options.given())
    turns = _Turns(dialect.ids, writer)
    turns.write(request.messages)
    turns.put(writer.body)
    writer.put("system", "preamble")
    put_sampling(writer)
    _put_tools(writer)
    wanted = writer.take("response_format")
    if wanted is not UNSET:
        form = {"type": "json_object"} if wanted == "json" else {"type": "json_object", "schema": wanted}
        writer.write("response_format", "response_format", form)
    return dialect.wire("chat_v1", model, writer, request, options.extra)


class _Turns:
    """Builds the turns of a conversation. Tool calls have no ids here: a result repeats its call."""

    def __init__(self, ids: Sequence[str], writer: ParameterWriter) -> None:
        self._ids = ids
        self._writer = writer
        self._calls: dict[str, dict[str, Any]] = {}
        self._turns: list[dict[str, Any]] = []
        self._documents: list[dict[str, str]] = []

    def write(self, messages: Sequence[Message]) -> None:
        for index, message in enumerate(messages):
            where = f"messages[{index}]"
            results = [part for part in message.parts if isinstance(part, ToolResult)]
            if results:
                self._results(results, where)
            if message.role == "tool":
                continue
            if len(results) < len(message.parts) or not results:
                self._turn(message, where)

    def put(self, body: dict[str, Any]) -> None:
        last = self._turns[-1] if self._turns else {}
        if last.get("role") == "USER":
            self._turns.pop()
            body["message"] = last["message"]
        else:
            self._writer.default(
                "message", "message", "", "the API requires a message, and the last turn is not the user's"
            )
        if last.get("role") == "TOOL":
            self._turns.pop()
            body["tool_results"] = last["tool_results"]
        if self._turns:
            body["chat_history"] = self._turns
        if self._documents:
            body["documents"] = self._documents

    def _turn(self, message: Message, where: str) -> None:
        pieces: list[str] = []
        calls: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, Text):
                pieces.append(part.text)
                if part.cache is not None:
                    self._writer.drop(
                        f"{where}.cache",
                        "the service does not accept marks of cacheable prefixes; it caches by itself",
                        part.cache,
                    )
            elif isinstance(part, ToolCall):
                self._calls[part.id] = call = {"name": part.name, "parameters": dict(part.arguments)}
                calls.append(call)
            elif isinstance(part, Document) and (data := document_data(part)) is not None:
                note = f"documents[{len(self._documents)}]"
                self._writer.note(where, "renamed", wire=note, value=data)
                self._documents.append({name: str(value) for name, value in data.items()})
            elif (
                isinstance(part, Thinking)
                and part.provider in self._ids
                and (part.data or {}).get("field") == PLAN
            ):
                pieces.insert(0, part.text)
            elif isinstance(part, Thinking | RawPart):
                self._writer.drop(where, f"chat v1 does not accept a {type(part).__name__}", part)
            elif not isinstance(part, ToolResult):
                self._writer.refuse(where, f"chat v1 accepts only text, not a {type(part).__name__}")
        turn: dict[str, Any] = {"role": _ROLES[message.role], "message": "".join(pieces)}
        if calls:
            turn["tool_calls"] = calls
        self._turns.append(turn)

    def _results(self, results: Sequence[ToolResult], where: str) -> None:
        wires = []
        for result in results:
            call = self._calls.get(result.tool_call_id)
            if call is None:
                call = {"name": result.name or result.tool_call_id, "parameters": {}}
                why = "no earlier call has this id; the API requires the call to be repeated"
                self._writer.note(f"{where}.call", "defaulted", wire="tool_results.call", value=call, why=why)
            if result.is_error:
                self._writer.drop(
                    f"{where}.is_error", "a tool result has no field for it; its content says what failed"
                )
            wires.append({"call": call, "outputs": self._outputs(result, where)})
        self._turns.append({"role": "TOOL", "tool_results": wires})

    def _outputs(self, result: ToolResult, where: str) -> list[dict[str, Any]]:
        if isinstance(result.content, str):
            return [{"output": result.content}]
        outputs: list[dict[str, Any]] = []
        for part in result.content:
            data = document_data(part) if isinstance(part, Document) else None
            if isinstance(part, Text):
                outputs.append({"output": part.text})
            elif data is not None:
                outputs.append(data)
            else:
                self._writer.refuse(
                    where, f"a tool result may contain only texts, not a {type(part).__name__}"
                )
        return outputs


def _put_tools(writer: ParameterWriter) -> None:
    tools, choice = writer.take("tools"), writer.take("tool_choice")
    drop_marks(tools, writer)
    if tools is not UNSET:
        writer.write("tools", "tools", [_tool(tool, index, writer) for index, tool in enumerate(tools)])
    if choice == "auto":
        writer.note("tool_choice", "sent", value=choice, why="chat v1 always chooses freely")
    elif choice is not UNSET:
        writer.refuse("tool_choice", "chat v1 cannot force or forbid a tool call", choice)


def _tool(tool: Tool, index: int, writer: ParameterWriter) -> dict[str, Any]:
    """Build a tool; parts of its schema that a list of parameters cannot express are dropped and reported."""
    where = f"tools[{index}]"
    if tool.strict:
        writer.refuse(f"{where}.strict", "chat v1 cannot restrict arguments to their schema", tool.strict)
    required = tool.parameters.get("required", ())
    definitions = {}
    for name, schema in tool.parameters.get("properties", {}).items():
        lost = sorted(schema.keys() - _EXPRESSIBLE)
        if lost:
            why = f"chat v1 describes a parameter only by type and description; left out: {', '.join(lost)}"
            writer.drop(f"{where}.parameters.{name}", why, schema)
        kind = schema.get("type")
        definition: dict[str, Any] = {"type": _TYPES.get(kind, "Any") if isinstance(kind, str) else "Any"}
        if "description" in schema:
            definition["description"] = schema["description"]
        definitions[name] = {**definition, "required": name in required}
    wire: dict[str, Any] = {"name": tool.name, "description": tool.description or ""}
    if definitions:
        wire["parameter_definitions"] = definitions
    return wire
