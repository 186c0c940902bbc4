"""Adapt a conversation to the service's rules. Inputs are never changed: messages are copied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import attrs

from jackfield import Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import ReportBuilder

__all__ = ["adapt_messages", "thinking_for_chat", "thinking_for_messages"]

_ENCRYPTED: Final = "summary_encrypted_text"


def adapt_messages(
    messages: Sequence[Message], report: ReportBuilder, *, system: str | None, claude: bool, split: bool
) -> tuple[Message, ...]:
    """Rewrite a conversation by the service's rules, and report the changes.

    Sources: docs.databricks.com (2026) and litellm 1.109.1: one system message, which comes first; users
    have no names; each tool result directly follows the turn with its call (models other than Claude).
    databricks-ai-bridge pull 333, agno issue 8312, bifrost pull 6958 (2026): endpoints of Claude reject
    empty text, empty arguments, and images as URLs.

    Args:
        messages: The conversation.
        report: Receives the changes.
        system: The system option, if it must be joined with system messages.
        claude: The model is a Claude.
        split: Turns with several calls are split.
    """
    places = list(enumerate(messages))
    if system is not None:
        places.insert(0, (-1, Message("system", system)))
        report.note("system", "renamed", wire="messages", value=system)
    cleaned = [
        (place, clean)
        for place, message in places
        if (clean := _clean(message, f"messages[{place}]", report, claude=claude)) is not None
    ]
    ordered = _join_system(cleaned, report)
    return tuple(_pair_calls(ordered, report) if split else (message for _, message in ordered))


def _clean(message: Message, where: str, report: ReportBuilder, *, claude: bool) -> Message | None:
    if message.role == "user" and message.name is not None:
        report.drop(f"{where}.name", "the service does not support names of users", message.name)
        message = attrs.evolve(message, name=None)
    parts = tuple(
        kept
        for part in message.parts
        if (kept := _adapt_part(part, where, report, claude=claude)) is not None
    )
    full = tuple(part for part in parts if not _is_blank(part))
    if message.role == "assistant" and all(_is_ignored(part) for part in full):
        report.drop(where, "the service rejects an assistant's turn without text and calls", message)
        return None
    if full and len(full) < len(parts):
        report.drop(where, "the service rejects empty text among other parts")
        parts = full
    unchanged = len(parts) == len(message.parts) and all(
        new is old for new, old in zip(parts, message.parts, strict=True)
    )
    return message if unchanged else attrs.evolve(message, parts=parts)


def _adapt_part(part: Part, where: str, report: ReportBuilder, *, claude: bool) -> Part | None:
    if isinstance(part, ToolCall) and part.arguments_raw is not None and not part.arguments_raw.strip():
        # A tool without arguments: the service itself sends "", but rejects it in a request.
        return attrs.evolve(part, arguments={}, arguments_raw=None)
    if claude and isinstance(part, Image) and _is_remote(part):
        _refuse_url(part, where, report)
        return None
    if claude and isinstance(part, ToolResult) and not isinstance(part.content, str):
        kept: list[Any] = []
        for inner in part.content:
            if isinstance(inner, Image) and _is_remote(inner):
                _refuse_url(inner, where, report)
            else:
                kept.append(inner)
        return part if len(kept) == len(part.content) else attrs.evolve(part, content=tuple(kept))
    return part


def _is_remote(image: Image) -> bool:
    return image.url is not None and image.url.lower().startswith(("http://", "https://"))


def _refuse_url(image: Image, where: str, report: ReportBuilder) -> None:
    report.refuse(where, "endpoints of Claude accept images as data, not as URLs", image.url)


def _is_blank(part: Part) -> bool:
    return isinstance(part, Text) and not part.text.strip()


def _is_ignored(part: Part) -> bool:
    return _is_blank(part) or (isinstance(part, Thinking) and part.provider != "databricks")


def _join_system(messages: Sequence[tuple[int, Message]], report: ReportBuilder) -> list[tuple[int, Message]]:
    """Join all system messages into the first message; a single one that is already first is not changed."""
    system = [(place, message) for place, message in messages if message.role == "system"]
    if not system or (len(system) == 1 and messages[0][1].role == "system"):
        return list(messages)
    for place, _ in system[1:] if messages[0][1].role == "system" else system:
        report.note(
            f"messages[{place}]", "emulated", why="the service accepts one system message, which comes first"
        )
    first = Message("system", _join(message.parts for _, message in system))
    return [(system[0][0], first), *(pair for pair in messages if pair[1].role != "system")]


def _join(groups: Iterable[Sequence[Part]]) -> tuple[Part, ...]:
    """Join parts; plain texts become one text, so that it is sent as a string."""
    parts = [part for group in groups for part in group]
    if all(isinstance(part, Text) and part.cache is None for part in parts):
        return (Text("\n\n".join(part.text for part in parts if isinstance(part, Text))),)
    return tuple(parts)


def _pair_calls(messages: Sequence[tuple[int, Message]], report: ReportBuilder) -> Iterator[Message]:
    """Split turns with several calls into pairs of a call and its result."""
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
        why = "each result must directly follow the turn with its call"
        report.note(f"messages[{place}]", "emulated", why=f"split into {len(calls)} turns: {why}")
        others = tuple(part for part in message.parts if not isinstance(part, ToolCall))
        for number, call in enumerate(calls):
            yield attrs.evolve(message, parts=(*others, call) if number == 0 else (call,))
            yield Message("tool", (results[call.id],))


def thinking_for_messages(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Rewrite thinking from a chat completion as the Messages API has it: with nothing but a signature, or encrypted."""
    return tuple(_map_thinking(message, _as_block) for message in messages)


def thinking_for_chat(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Rewrite thinking from the Messages API as chat completions have it."""
    return tuple(_map_thinking(message, _as_part) for message in messages)


def _map_thinking(message: Message, convert: Callable[[Thinking], Thinking]) -> Message:
    parts = tuple(
        convert(part) if isinstance(part, Thinking) and part.provider == "databricks" else part
        for part in message.parts
    )
    unchanged = all(new is old for new, old in zip(parts, message.parts, strict=True))
    return message if unchanged else attrs.evolve(message, parts=parts)


def _as_block(part: Thinking) -> Thinking:
    data = part.data or {}
    if "part" not in data:
        return part
    return attrs.evolve(part, data={name: data[name] for name in ("signature", "data") if name in data})


def _as_part(part: Thinking) -> Thinking:
    data = part.data or {}
    if "part" in data or not ("signature" in data or "data" in data):
        return part
    piece = {} if "signature" in data else {"piece": _ENCRYPTED}
    return attrs.evolve(part, data={"part": "reasoning", **piece, **data})
