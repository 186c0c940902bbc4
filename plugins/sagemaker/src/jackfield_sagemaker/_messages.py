"""Build messages of roles and texts."""

from __future__ import annotations

from collections.abc import Mapping

from jackfield import Message, RawPart, Text, Thinking, UnsupportedError
from jackfield.plugin import ParameterWriter

__all__ = ["build_messages"]


def build_messages(
    messages: tuple[Message, ...], writer: ParameterWriter, names: Mapping[str, str] | None = None
) -> list[dict[str, str]]:
    """Build messages of the form `{"role", "content"}`.

    Args:
        messages: The conversation.
        writer: Collects the report of what is left out.
        names: Other names of roles and of the two keys: `{"assistant": "bot", "content": "text"}`.

    Raises:
        UnsupportedError: A part is not text.
    """
    called = names or {}
    turns = []
    for index, message in enumerate(messages):
        for part in message.parts:
            if isinstance(part, Thinking | RawPart):
                writer.drop(f"messages[{index}]", "this endpoint accepts only text", type(part).__name__)
            elif not isinstance(part, Text):
                raise UnsupportedError(
                    f"messages[{index}] contains a {type(part).__name__}; this endpoint accepts only text",
                    parameter="messages",
                )
        turns.append(
            {
                called.get("role", "role"): called.get(message.role, message.role),
                called.get("content", "content"): message.text,
            }
        )
    return turns
