"""Convert messages and tools to the shapes that chat templates expect.

Source: transformers' documentation of chat templates and of tool use in them (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jackfield import Document, Message, RawPart, Text, Thinking, Tool, ToolCall, ToolResult
from jackfield.plugin import ParameterWriter

__all__ = ["write_messages", "write_tool"]


def write_messages(
    messages: Sequence[Message], writer: ParameterWriter, *, tools: bool
) -> Iterator[dict[str, Any]]:
    """Convert each message; a message with no remaining content is omitted.

    Args:
        messages: The conversation.
        writer: Records what is dropped or refused.
        tools: Whether the model may support tools, so that calls and results are included.
    """
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        texts: list[str] = []
        calls: list[dict[str, Any]] = []
        results: list[dict[str, Any]] = []
        for part in message.parts:
            if tools and isinstance(part, ToolCall):
                calls.append(_write_call(part))
            elif tools and isinstance(part, ToolResult):
                results.append(_write_result(part, where, writer))
            else:
                texts += _read_texts(part, where, writer)
        if message.name is not None:
            writer.drop(f"{where}.name", "the model's chat template does not support names", message.name)
        yield from results
        if texts or calls or not message.parts:
            more = {"tool_calls": calls} if calls else {}
            yield {"role": message.role, "content": "".join(texts), **more}


def write_tool(tool: Tool, index: int, writer: ParameterWriter) -> dict[str, Any]:
    """Convert a tool definition."""
    if tool.cache is not None:
        writer.drop(f"tools[{index}].cache", "the engine has no prompt cache", tool.cache)
    if tool.strict:
        writer.drop(
            f"tools[{index}].strict", "only a call forced by tool_choice is constrained to its schema", True
        )
    function = {"name": tool.name, "description": tool.description or "", "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def _write_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": dict(call.arguments)}
    return {"type": "function", "id": call.id, "function": function}


def _write_result(result: ToolResult, where: str, writer: ParameterWriter) -> dict[str, Any]:
    if result.cache is not None:
        writer.drop(f"{where}.cache", "the engine has no prompt cache", result.cache)
    if isinstance(result.content, str):
        content = result.content
    else:
        content = "".join(text for part in result.content for text in _read_texts(part, where, writer))
    if result.is_error:
        writer.note(where, "emulated", why='chat templates have no failed results; "Error: " was prepended')
        content = f"Error: {content}"
    named = {} if result.name is None else {"name": result.name}
    return {"role": "tool", "content": content, "tool_call_id": result.tool_call_id, **named}


def _read_texts(part: object, where: str, writer: ParameterWriter) -> Iterator[str]:
    if isinstance(part, Text | Document) and part.text is not None:
        if part.cache is not None:
            writer.drop(f"{where}.cache", "the engine has no prompt cache", part.cache)
        if isinstance(part, Document):
            writer.note(where, "emulated", why="the document's text was inserted into the message")
        yield part.text
    elif isinstance(part, Thinking):
        writer.drop(
            where, "thinking is only replayed to the model that produced it; this model has none", part.text
        )
    elif isinstance(part, RawPart):
        writer.drop(where, f"the engine cannot read a raw part, which {part.provider} produced", part.data)
    else:
        writer.refuse(where, f"the engine does not accept a {type(part).__name__}", part)
