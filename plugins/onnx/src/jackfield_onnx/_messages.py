"""Conversations and tools as a chat template finds them: the shapes of transformers' documentation of templates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jackfield import (
    Document,
    Message,
    ParameterWriter,
    RawPart,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)

__all__ = ["write_messages", "write_tool"]


def write_messages(
    messages: Sequence[Message], writer: ParameterWriter, *, tools: bool
) -> Iterator[dict[str, Any]]:
    """Write each message; one of which nothing is left is left out.

    Args:
        messages: The conversation.
        writer: Is told what is left out.
        tools: The model may know tools, so calls and results are written.
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
            writer.drop(f"{where}.name", "the model's template knows no names", message.name)
        yield from results
        if texts or calls or not message.parts:
            more = {"tool_calls": calls} if calls else {}
            yield {"role": message.role, "content": "".join(texts), **more}


def write_tool(tool: Tool, index: int, writer: ParameterWriter) -> dict[str, Any]:
    """Write a tool that is offered."""
    if tool.cache is not None:
        writer.drop(f"tools[{index}].cache", "the engine keeps no prefixes", tool.cache)
    if tool.strict:
        writer.drop(
            f"tools[{index}].strict", "only a call that tool_choice forces is held to its schema", True
        )
    function = {"name": tool.name, "description": tool.description or "", "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def _write_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": dict(call.arguments)}
    return {"type": "function", "id": call.id, "function": function}


def _write_result(result: ToolResult, where: str, writer: ParameterWriter) -> dict[str, Any]:
    if result.cache is not None:
        writer.drop(f"{where}.cache", "the engine keeps no prefixes", result.cache)
    if isinstance(result.content, str):
        content = result.content
    else:
        content = "".join(text for part in result.content for text in _read_texts(part, where, writer))
    if result.is_error:
        writer.note(where, "emulated", why='a template knows no failed results; "Error: " was put before it')
        content = f"Error: {content}"
    named = {} if result.name is None else {"name": result.name}
    return {"role": "tool", "content": content, "tool_call_id": result.tool_call_id, **named}


def _read_texts(part: object, where: str, writer: ParameterWriter) -> Iterator[str]:
    if isinstance(part, Text | Document) and part.text is not None:
        if part.cache is not None:
            writer.drop(f"{where}.cache", "the engine keeps no prefixes", part.cache)
        if isinstance(part, Document):
            writer.note(where, "emulated", why="the document's text was put into the message")
        yield part.text
    elif isinstance(part, Thinking):
        writer.drop(
            where, "thinking goes back to the model that thought it, and this one does not", part.text
        )
    elif isinstance(part, RawPart):
        writer.drop(where, f"only {part.provider} understands this part", part.data)
    else:
        writer.refuse(where, f"the engine reads no {type(part).__name__}", part)
