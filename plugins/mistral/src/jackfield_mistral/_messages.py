"""Adapt a conversation to Mistral's rules. Inputs are never changed: messages are copied."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import attrs

from jackfield import Audio, Document, Message, Part, RawPart, Text, ToolCall, ToolResult
from jackfield.plugin import ReportBuilder, Role, media_type_of, text_of

__all__ = ["adapt_messages", "make_id"]

_PROVIDER: Final = "mistral"
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_OWN_ID: Final = re.compile(r"[a-zA-Z0-9]{9}")
_ID_WHY: Final = "the service accepts only ids of nine letters and digits"


def adapt_messages(messages: Sequence[Message], report: ReportBuilder) -> tuple[Message, ...]:
    """Rewrite a conversation by the service's rules, and report the changes.

    Sources: Python SDK 3.7.0 (a user's message has only content; `DocumentURLChunk`; `AudioChunk` is a plain
    string); nearai/ironclaw issue 1241 and karthink/gptel issue 1203 (2026): a tool call whose id is not exactly nine
    letters and digits gets status 400, code 3280.
    """
    ids = _new_ids(messages)
    return tuple(
        _message(message, f"messages[{index}]", ids, report) for index, message in enumerate(messages)
    )


def _message(message: Message, where: str, ids: Mapping[str, str], report: ReportBuilder) -> Message:
    if message.name is not None:
        report.drop(f"{where}.name", "the service does not support names of participants", message.name)
        message = attrs.evolve(message, name=None)
    if all(type(part) is Text and not part.refusal for part in message.parts):
        return message
    return attrs.evolve(
        message, parts=tuple(_part(part, where, ids, report, message.role) for part in message.parts)
    )


def _part(part: Part, where: str, ids: Mapping[str, str], report: ReportBuilder, role: Role) -> Part:
    if isinstance(part, Text) and part.refusal:
        report.note(where, "emulated", why="the service has no field for a refusal, so it was sent as text")
        return attrs.evolve(part, refusal=False)
    if isinstance(part, ToolCall) and part.id in ids:
        report.note(f"{where}.tool_calls.id", "renamed", wire="messages", value=ids[part.id], why=_ID_WHY)
        return attrs.evolve(part, id=ids[part.id])
    if isinstance(part, ToolResult):
        return _result(part, where, ids, report)
    if role in ("assistant", "system"):  # OpenAI's translation refuses files there
        return part
    if isinstance(part, Document):
        return _document(part, where, report)
    if isinstance(part, Audio):
        audio = part.url if part.url is not None else _encode(part.data)
        return RawPart(_PROVIDER, {"type": "input_audio", "input_audio": audio})
    return part


def _result(result: ToolResult, where: str, ids: Mapping[str, str], report: ReportBuilder) -> ToolResult:
    changed: dict[str, Any] = {}
    if result.tool_call_id in ids:
        changed["tool_call_id"] = new = ids[result.tool_call_id]
        report.note(f"{where}.tool_call_id", "renamed", wire="messages", value=new, why=_ID_WHY)
    if result.cache is not None:
        report.drop(
            f"{where}.cache", "the service does not support marks of cacheable prefixes", result.cache
        )
        changed["cache"] = None
    if not isinstance(result.content, str):
        changed["content"] = tuple(_part(part, where, ids, report, "tool") for part in result.content)
    return attrs.evolve(result, **changed) if changed else result


def _document(part: Document, where: str, report: ReportBuilder) -> Part:
    """Convert a document to its URL (`data:` or other); a document of text is left to OpenAI's translation."""
    kind = media_type_of(part.media_type, part.data, part.name)
    if part.text is not None or (part.data is not None and text_of(part.data, kind) is not None):
        return part
    if part.citations:
        report.drop(f"{where}.citations", "the service does not support citations of documents")
    if part.cache is not None:
        report.drop(f"{where}.cache", "the service does not support marks of cacheable prefixes", part.cache)
    url = part.url
    if url is None:
        url = f"data:{kind or 'application/pdf'};base64,{_encode(part.data)}"
    name = {} if part.name is None else {"document_name": part.name}
    return RawPart(_PROVIDER, {"type": "document_url", "document_url": url, **name})


def _encode(data: bytes | None) -> str:
    return base64.b64encode(data or b"").decode()


def _new_ids(messages: Sequence[Message]) -> Mapping[str, str]:
    """Return new ids for those that the service would reject, one to one, and the same in every call."""
    seen = dict.fromkeys(_ids(messages))
    taken = {old for old in seen if _OWN_ID.fullmatch(old)}
    new: dict[str, str] = {}
    for old in seen:
        if old not in taken:
            salt = 0
            while (candidate := make_id(old, salt)) in taken:
                salt += 1
            taken.add(candidate)
            new[old] = candidate
    return new


def _ids(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolCall):
                yield part.id
            elif isinstance(part, ToolResult):
                yield part.tool_call_id


def make_id(text: str, salt: int = 0) -> str:
    """Derive nine letters and digits from a text, always the same, so that a cached prefix remains valid."""
    number = int.from_bytes(sha256(f"{salt}:{text}".encode()).digest())
    letters = []
    for _ in range(9):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return "".join(letters)
