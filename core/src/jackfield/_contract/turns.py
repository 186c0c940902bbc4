"""Flatten a conversation for a service that reads text, tool calls and their results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jackfield._faces import show_in
from jackfield._hints import a_or_an
from jackfield._types.content import Message, RawPart, Role, Text, Thinking, ToolCall, ToolResult
from jackfield._values import Value, frozen

__all__ = ["Turn", "turns_of"]


@frozen
class Turn(Value):
    """One turn of a conversation: what somebody said, or the result of one tool call.

    Attributes:
        role: "system", "user", "assistant" or "tool"; "tool" for the result of a tool call.
        text: The text; "" if there are only tool calls.
        tool_calls: The calls in this turn; their arguments are JSON objects.
        tool_call_id: Id of the call that this is the result of; None for other turns.
        tool_name: Name of the tool that was called, if it is known; None for other turns.
    """

    role: Role
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    tool_name: str | None = None


def turns_of(
    messages: Sequence[Message],
    drop: Callable[[str, str, Any], None],
    refuse: Callable[[str, str, Any], None],
) -> Iterator[Turn]:
    """Yield the turns of a conversation; report what has no place in them. See `ParameterWriter.turns`.

    Args:
        messages: The conversation.
        drop: Reports that something was left out: its place, why, the value.
        refuse: Reports that something cannot be honoured: its place, why, the value.
    """
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if message.name is not None:
            drop(f"{where}.name", "participants have no names here", message.name)
        texts: list[str] = []
        calls: list[ToolCall] = []
        for part in message.parts:
            if getattr(part, "cache", None) is not None:
                drop(f"{where}.cache", "the service has no marks of cacheable prefixes", part)
            if isinstance(part, Text):
                texts.append(part.text)
            elif isinstance(part, ToolCall):
                if part.arguments_raw is not None:  # a model wrote them, but not as a JSON object
                    refuse(f"{where}.arguments", "the arguments must be a JSON object", part.arguments_raw)
                calls.append(part)
            elif isinstance(part, ToolResult):
                yield _result(part, names, where, drop, refuse)
            elif isinstance(part, Thinking | RawPart):
                drop(where, "thinking and raw parts are not sent back", part)
            else:
                refuse(where, f"the service does not accept {a_or_an(type(part).__name__)}", part)
        if texts or calls or message.role != "tool":
            yield Turn(message.role, "".join(texts), tuple(calls))


def _result(
    result: ToolResult,
    names: dict[str, str],
    where: str,
    drop: Callable[[str, str, Any], None],
    refuse: Callable[[str, str, Any], None],
) -> Turn:
    for part in () if isinstance(result.content, str) else result.content:
        if not isinstance(part, Text):
            refuse(where, f"the result of a tool must not contain {a_or_an(type(part).__name__)}", part)
    if result.is_error:
        drop(f"{where}.is_error", "the service has no such mark; the text says what failed", True)
    name = names.get(result.tool_call_id) if result.name is None else result.name
    return Turn("tool", result.text, (), result.tool_call_id, name)


show_in("jackfield.plugin", Turn)
