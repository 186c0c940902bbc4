"""Turn a conversation into the messages and documents of chat v2."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from jackfield import Document, Image, Message, Part, RawPart, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import ParameterWriter

__all__ = ["PLAN", "Conversation", "arguments_text", "document_data"]

PLAN: Final = "tool_plan"
"""What `Thinking.data["field"]` says of thinking that came as the plan before tool calls."""

_NO_MARKS: Final = "the service honours no marks of cacheable prefixes: it caches by itself"


class Conversation:
    """Writes messages as chat v2 wants them.

    Documents may stand anywhere among a user's parts; the service has one list for the whole request, which is
    collected here. What the service does not understand (other providers' thinking and raw parts) is left out and
    reported.

    Attributes:
        documents: The documents that were met.
    """

    def __init__(self, ids: Sequence[str], writer: ParameterWriter) -> None:
        self._ids = ids
        self._writer = writer
        self.documents: list[dict[str, Any]] = []

    def write(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Write messages as `{"role", "content"}`; a tool turn becomes one message for each result."""
        wires: list[dict[str, Any]] = []
        for index, message in enumerate(messages):
            where = f"messages[{index}]"
            wires += self._results(message, where)
            if message.role == "assistant":
                wires += self._assistant(message, where)
            elif message.role == "tool":
                if not all(isinstance(part, ToolResult) for part in message.parts):
                    self._writer.drop(where, "a tool turn holds nothing but results")
            else:
                wires += self._turn(message, where)
        return wires

    def _results(self, message: Message, where: str) -> Iterator[dict[str, Any]]:
        for result in message.parts:
            if not isinstance(result, ToolResult):
                continue
            if result.is_error:
                self._writer.drop(
                    f"{where}.is_error", "a tool message has no such mark; its content says what failed"
                )
            if result.cache is not None:
                self._writer.drop(f"{where}.cache", _NO_MARKS, result.cache)
            content = (
                result.content if isinstance(result.content, str) else self._shown(result.content, where)
            )
            yield {"role": "tool", "tool_call_id": result.tool_call_id, "content": content}

    def _shown(self, parts: Sequence[Text | Image | Document], where: str) -> list[dict[str, Any]]:
        """Write the parts of a tool's result; its documents stay where they are."""
        wires: list[dict[str, Any]] = []
        for part in parts:
            if isinstance(part, Text):
                wires.append({"type": "text", "text": part.text})
            elif isinstance(part, Document) and (data := self._data(part, where)) is not None:
                wires.append({"type": "document", "document": {"data": data}})
            elif isinstance(part, Image):
                self._writer.refuse(where, "a tool's result holds texts and documents, no images")
        return wires

    def _turn(self, message: Message, where: str) -> Iterator[dict[str, Any]]:
        parts = [part for part in message.parts if not isinstance(part, ToolResult)]
        if not parts and message.parts:
            return
        wires = [wire for part in parts if (wire := self._part(part, where)) is not None]
        if wires or not parts:
            yield {"role": message.role, "content": _plain(wires)}
        if message.name is not None:
            self._writer.drop(f"{where}.name", "the service knows no names of participants", message.name)

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
        self._writer.drop(where, f"a {type(part).__name__} has no form in this place of a chat", part)
        return None

    def _document(self, document: Mapping[str, Any], where: str) -> None:
        self._writer.note(where, "renamed", wire=f"documents[{len(self.documents)}]", value=document)
        self.documents.append(dict(document))

    def _data(self, part: Document, where: str) -> dict[str, Any] | None:
        data = document_data(part)
        if data is None:
            self._writer.refuse(
                where, "the service takes documents as text, no files and no addresses", part.name
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
            wire["content"] = _plain(content)
        if calls:
            wire["tool_calls"] = calls
        elif PLAN in wire:
            # A plan without its calls would be an empty turn.
            wire["content"] = wire.get("content") or wire[PLAN]
        if content or calls or PLAN in wire:
            yield wire
        else:
            self._writer.drop(where, "the service refuses an assistant's turn without text or tool calls")

    def _thinking(
        self, part: Thinking, wire: dict[str, Any], content: list[dict[str, Any]], where: str
    ) -> None:
        if part.provider not in self._ids:
            why = f"it is of the provider {part.provider}, for no other to read"
            self._writer.drop(f"{where}.thinking", why, part.text)
        elif (part.data or {}).get("field") == PLAN:
            wire[PLAN] = wire.get(PLAN, "") + part.text
        else:
            content.append({"type": "thinking", "thinking": part.text})


def arguments_text(call: ToolCall) -> str:
    """Give a call's arguments as JSON text; what could not be parsed goes back as it came."""
    return call.arguments_raw if call.arguments_raw is not None else orjson.dumps(call.arguments).decode()


def document_data(part: Document) -> dict[str, Any] | None:
    """Give a document as the mapping that the model reads; None for what is no text.

    A JSON object (media type `application/json`) is that mapping itself; any other text stands under `text`, its
    name under `title`. Source: API description, 2026-08-20: keys and values are shown to the model.
    """
    kind, text = part.media_type or "text/plain", part.text
    if text is None and part.data is not None and (kind.startswith("text/") or kind == "application/json"):
        text = part.data.decode("utf-8", "replace")
    if text is None:
        return None
    if kind == "application/json":
        value = orjson.loads(text) if text.lstrip().startswith("{") else None
        if isinstance(value, dict):
            return value
    return _with(title=part.name, text=text)


def _with(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _data_url(image: Image) -> str:
    return f"data:{image.media_type or 'image/png'};base64,{base64.b64encode(image.data or b'').decode()}"


def _plain(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Write a single text as a string, which every server understands."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        text: str = parts[0]["text"]
        return text
    return parts
