"""A conversation as roles and texts."""

from __future__ import annotations

from collections.abc import Mapping

from jackfield import Message, RawPart, Text, Thinking, UnsupportedError
from jackfield.plugin import ParameterWriter

__all__ = ["turns_of"]


def turns_of(
    messages: tuple[Message, ...], writer: ParameterWriter, names: Mapping[str, str] | None = None
) -> list[dict[str, str]]:
    """Give a conversation as role and text.

    Args:
        messages: The conversation.
        writer: What is left out is reported to it.
        names: What roles and the two keys are called, if otherwise: `{"assistant": "bot", "content": "text"}`.

    Raises:
        UnsupportedError: A part is no text.
    """
    called = names or {}
    turns = []
    for index, message in enumerate(messages):
        for part in message.parts:
            if isinstance(part, Thinking | RawPart):
                writer.drop(f"messages[{index}]", "this endpoint knows text alone", type(part).__name__)
            elif not isinstance(part, Text):
                raise UnsupportedError(
                    f"messages[{index}] holds a {type(part).__name__}; this endpoint knows text alone",
                    parameter="messages",
                )
        turns.append(
            {
                called.get("role", "role"): called.get(message.role, message.role),
                called.get("content", "content"): message.text,
            }
        )
    return turns
