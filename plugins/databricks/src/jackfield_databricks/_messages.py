"""Make a conversation one that the service takes. Inputs are never changed: messages are made anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

from jackfield import Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import ParameterWriter

__all__ = ["fitted"]


def fitted(
    messages: Sequence[Message], writer: ParameterWriter, *, system: str | None, claude: bool, split: bool
) -> tuple[Message, ...]:
    """Rewrite a conversation by the service's rules, and report what was changed.

    Sources: docs.databricks.com (2026) and litellm 1.109.1: one system message, which comes first; users
    have no names; each tool result directly follows the turn that holds its call (models other than Claude).
    databricks-ai-bridge pull 333, agno issue 8312, bifrost pull 6958 (2026): endpoints of Claude's refuse
    empty text, empty arguments, and images by address.

    Args:
        messages: The conversation.
        writer: Takes the report.
        system: The system option, if it is to be put together with system messages.
        claude: The model is one of Claude's.
        split: Turns with several calls are split.
    """
    places = list(enumerate(messages))
    if system is not None:
        places.insert(0, (-1, Message("system", system)))
        writer.note("system", "renamed", wire="messages", value=system)
    cleaned = [
        (place, clean)
        for place, message in places
        if (clean := _cleaned(message, f"messages[{place}]", writer, claude=claude)) is not None
    ]
    ordered = _system_first(cleaned, writer)
    return tuple(_paired(ordered, writer) if split else (message for _, message in ordered))


def _cleaned(message: Message, where: str, writer: ParameterWriter, *, claude: bool) -> Message | None:
    if message.role == "user" and message.name is not None:
        writer.drop(f"{where}.name", "the service takes no names of users", message.name)
        message = attrs.evolve(message, name=None)
    parts = tuple(
        fit for part in message.parts if (fit := _part(part, where, writer, claude=claude)) is not None
    )
    full = tuple(part for part in parts if not _is_blank(part))
    if message.role == "assistant" and all(_says_nothing(part) for part in full):
        writer.drop(where, "an assistant's turn without words and calls is refused", message)
        return None
    if full and len(full) < len(parts):
        writer.drop(where, "empty text among other parts is refused")
        parts = full
    unchanged = len(parts) == len(message.parts) and all(
        new is old for new, old in zip(parts, message.parts, strict=True)
    )
    return message if unchanged else attrs.evolve(message, parts=parts)


def _part(part: Part, where: str, writer: ParameterWriter, *, claude: bool) -> Part | None:
    if isinstance(part, ToolCall) and part.arguments_raw is not None and not part.arguments_raw.strip():
        # A tool without arguments: the service itself tells "", and refuses it when it comes back.
        return attrs.evolve(part, arguments={}, arguments_raw=None)
    if claude and isinstance(part, Image) and _is_remote(part):
        _refuse_address(part, where, writer)
        return None
    if claude and isinstance(part, ToolResult) and not isinstance(part.content, str):
        kept: list[Any] = []
        for inner in part.content:
            if isinstance(inner, Image) and _is_remote(inner):
                _refuse_address(inner, where, writer)
            else:
                kept.append(inner)
        return part if len(kept) == len(part.content) else attrs.evolve(part, content=tuple(kept))
    return part


def _is_remote(image: Image) -> bool:
    return image.url is not None and image.url.lower().startswith(("http://", "https://"))


def _refuse_address(image: Image, where: str, writer: ParameterWriter) -> None:
    writer.refuse(where, "endpoints of Claude's take images as data, not by address", image.url)


def _is_blank(part: Part) -> bool:
    return isinstance(part, Text) and not part.text.strip()


def _says_nothing(part: Part) -> bool:
    return _is_blank(part) or (isinstance(part, Thinking) and part.provider != "databricks")


def _system_first(
    messages: Sequence[tuple[int, Message]], writer: ParameterWriter
) -> list[tuple[int, Message]]:
    """Put all system messages together, first; one that is there already stays as it is."""
    system = [(place, message) for place, message in messages if message.role == "system"]
    if not system or (len(system) == 1 and messages[0][1].role == "system"):
        return list(messages)
    for place, _ in system[1:] if messages[0][1].role == "system" else system:
        writer.note(
            f"messages[{place}]", "emulated", why="the service takes one system message, which comes first"
        )
    first = Message("system", _joined(message.parts for _, message in system))
    return [(system[0][0], first), *(pair for pair in messages if pair[1].role != "system")]


def _joined(groups: Iterable[Sequence[Part]]) -> tuple[Part, ...]:
    """Join parts; plain text becomes one text, so that it is sent as a string."""
    parts = [part for group in groups for part in group]
    if all(isinstance(part, Text) and part.cache is None for part in parts):
        return (Text("\n\n".join(part.text for part in parts if isinstance(part, Text))),)
    return tuple(parts)


def _paired(messages: Sequence[tuple[int, Message]], writer: ParameterWriter) -> Iterator[Message]:
    """Split a turn with several calls into pairs of a call and its result."""
    position = 0
    while position < len(messages):
        place, message = messages[position]
        position += 1
        calls = message.tool_calls if message.role == "assistant" else ()
        answers: list[Message] = []
        while calls and position < len(messages) and messages[position][1].role == "tool":
            answers.append(messages[position][1])
            position += 1
        results = {p.tool_call_id: p for m in answers for p in m.parts if isinstance(p, ToolResult)}
        whole = sum(len(answer.parts) for answer in answers) == len(results)
        if len(calls) < 2 or not whole or {call.id for call in calls} != results.keys():
            yield message
            yield from answers
            continue
        why = "each result directly follows the turn with its call"
        writer.note(f"messages[{place}]", "emulated", why=f"split into {len(calls)} turns: {why}")
        said = tuple(part for part in message.parts if not isinstance(part, ToolCall))
        for number, call in enumerate(calls):
            yield attrs.evolve(message, parts=(*said, call) if number == 0 else (call,))
            yield Message("tool", (results[call.id],))
