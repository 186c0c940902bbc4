"""Build the messages and documents of chat v2."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jackfield import Document, Image, Message, Part, RawPart, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import ParameterWriter, read_json, write_json

__all__ = ["PLAN", "Conversation", "arguments_text", "document_data"]

PLAN: Final = "tool_plan"
"""The value of `Thinking.data["field"]` for thinking that came as the plan before tool calls."""

_NO_MARKS: Final = "the service does not accept marks of cacheable prefixes; it caches by itself"


class Conversation:
    """Builds the messages of one conversation.

    Documents may be anywhere among a user's parts; the service has one list for the whole request, which is
    collected here. What the service does not accept (other providers' thinking and raw parts) is left out and
    reported.

    Attributes:
        documents: The documents so far.
    """

    def __init__(self, ids: Sequence[str], writer: ParameterWriter) -> None:
        self._ids = ids
        self._writer = writer
        self.documents: list[dict[str, Any]] = []

    def write(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Build messages of the form `{"role", "content"}`; a tool turn becomes one message per result."""
        wires: list[dict[str, Any]] = []
        for index, message in enumerate(messages):
            where = f"messages[{index}]"
            wires += self._results(message, where)
            if message.role == "assistant":
                wires += self._assistant(message, where)
            elif message.role == "tool":
                if not all(isinstance(part, ToolResult) for part in message.parts):
                    self._writer.drop(where, "a tool turn may contain only tool results")
            else:
                wires += self._turn(message, where)
        return wires

    def _results(self, message: Message, where: str) -> Iterator[dict[str, Any]]:
        for result in message.parts:
            if not isinstance(result, ToolResult):
                continue
            if result.is_error:
                self._writer.drop(
                    f"{where}.is_error", "a tool message has no field for it; its content says what failed"
                )
            if result.cache is not None:
                self._writer.drop(f"{where}.cache", _NO_MARKS, result.cache)
            content = (
                result.content
                if isinstance(result.content, str)
                else self._result_content(result.content, where)
            )
            yield {"role": "tool", "tool_call_id": result.tool_call_id, "content": content}

    def _result_content(self, parts: Sequence[Text | Image | Document], where: str) -> list[dict[str, Any]]:
        """Build the content of a tool result, which contains its documents itself."""
        wires: list[dict[str, Any]] = []
        for part in parts:
            if isinstance(part, Text):
                wires.append({"type": "text", "text": part.text})
            elif isinstance(part, Document) and (data := self._data(part, where)) is not None:
                wires.append({"type": "document", "document": {"data": data}})
            elif isinstance(part, Image):
                self._writer.refuse(where, "a tool result may contain only texts and documents, not images")
        return wires

    def _turn(self, message: Message, where: str) -> Iterator[dict[str, Any]]:
        parts = [part for part in message.parts if not isinstance(part, ToolResult)]
        if not parts and message.parts:
            return
        wires = [wire for part in parts if (wire := self._part(part, where)) is not None]
        if wires or not parts:
            yield {"role": message.role, "content": _simplify(wires)}
        if message.name is not None:
            self._writer.drop(
                f"{where}.name", "the service does not accept names of participants", message.name
            )

    def _part(self, part: Part, where: str) -> dict[str, Any] | None:
        cache = getattr(part, "cache", None)
        if cache is not None:
            self._writer.drop(f"{where}.cache", _NO_MARKS, cache)
        if isinstance(part, Text):
            return {"type": "text", "text": part.text}
        if isinstance(part, Image):
            url = part.url if part.url is not None else _data_url(part)
            return {"type": "image_url", "image_url": _with(url=url, detail=part.detail)}
        if isinstance(part, Document):
            if (data := self._data(part, where)) is not None:
                self._document({"data": data}, where)
            return None
        if isinstance(part, RawPart) and part.provider in self._ids:
            if part.data.get("type") != "document":
                return dict(part.data)
            self._document(part.data["document"], where)
            return None
        self._writer.drop(where, f"chat v2 does not accept a {type(part).__name__} here", part)
        return None

    def _document(self, document: Mapping[str, Any], where: str) -> None:
        self._writer.note(where, "renamed", wire=f"documents[{len(self.documents)}]", value=document)
        self.documents.append(dict(document))

    def _data(self, part: Document, where: str) -> dict[str, Any] | None:
        data = document_data(part)
        if data is None:
            self._writer.refuse(
                where, "the service accepts documents as text, not as files or URLs", part.name
            )
        return data

    def _assistant(self, message: Message, where: str) -> Iterator[dict[str, Any]]:
        wire: dict[str, Any] = {"role": "assistant"}
        content: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, ToolCall):
                function = {"name": part.name, "arguments": arguments_text(part)}
                calls.append({"id": part.id, "type": "function", "function": function})
            elif isinstance(part, Thinking):
                self._thinking(part, wire, content, where)
            elif not isinstance(part, ToolResult) and (piece := self._part(part, where)) is not None:
                content.append(piece)
        if content:
            wire["content"] = _simplify(content)
        if calls:
            wire["tool_calls"] = calls
        elif PLAN in wire:
            # A plan without its calls would be an empty turn.
            wire["content"] = wire.get("content") or wire[PLAN]
        if content or calls or PLAN in wire:
            yield wire
        else:
            self._writer.drop(where, "the service rejects an assistant turn without text or tool calls")

    def _thinking(
        self, part: Thinking, wire: dict[str, Any], content: list[dict[str, Any]], where: str
    ) -> None:
        if part.provider not in self._ids:
            why = f"it was produced by {part.provider} and cannot be sent to another provider"
            self._writer.drop(f"{where}.thinking", why, part.text)
        elif (part.data or {}).get("field") == PLAN:
            wire[PLAN] = wire.get(PLAN, "") + part.text
        else:
            content.append({"type": "thinking", "thinking": part.text})


def arguments_text(call: ToolCall) -> str:
    """Return a call's arguments as JSON text; arguments that could not be parsed are unchanged."""
    return call.arguments_raw if call.arguments_raw is not None else write_json(call.arguments).decode()


def document_data(part: Document) -> dict[str, Any] | None:
    """Return a document as the mapping that the model reads; None if it is not text.

    A JSON object (media type `application/json`) is that mapping itself; for any other text it has the keys `text` and
    `title`. Source: API description, 2026-08-20: keys and values are shown to the model.
    """
    kind, text = part.media_type or "text/plain", part.text
    if text is None and part.data is not None and (kind.startswith("text/") or kind == "application/json"):
        text = part.data.decode("utf-8-sig", "replace")
    if text is None:
        return None
    if kind == "application/json":
        try:
            value = read_json(text)
        except ValueError:
            value = None
        if isinstance(value, dict):
            return value
    return _with(title=part.name, text=text)


def _with(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _data_url(image: Image) -> str:
    return f"data:{image.media_type or 'image/png'};base64,{base64.b64encode(image.data or b'').decode()}"


def _simplify(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return a single text as a string, which every server accepts; otherwise the parts."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        text: str = parts[0]["text"]
        return text
    return parts
