"""Turn a conversation into the messages of Converse."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jackfield import Audio, Document, Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import UNSET, ParameterWriter

from ._models import row_of

__all__ = ["Conversation", "cache_point"]

# Formats of the service and the media types that mean them. Source: AWS's service model in botocore 1.44.5 (2026-11).
_DOCUMENTS: Final[Mapping[str, str]] = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_FORMATS: Final[Mapping[str, str]] = {"image/jpg": "jpeg", "audio/mpeg": "mp3", "audio/x-wav": "wav"}
_BAD_IN_NAME: Final = re.compile(r"[^A-Za-z0-9\s\-()\[\]]+")
_SPACES: Final = re.compile(r"\s+")
_TOOL_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_UNIT: Final = {"s": 1, "m": 60, "h": 3600}


def cache_point(cache: str, writer: ParameterWriter, where: str) -> dict[str, Any]:
    """Write the end of a cacheable prefix; the service keeps it for five minutes or an hour.

    Five minutes are what it does anyway, and older models know no other time. Source: AWS's service model, 2026-11.
    """
    number = cache[:-1]
    seconds = int(number) * _UNIT.get(cache[-1:], 0) if number.isdigit() else 0
    ttl = "5m" if seconds <= 300 else "1h"
    if ttl != cache:
        why = f"the service keeps a prefix for 5m or 1h, not for {cache}"
        writer.note(f"{where}.cache", "clamped", wire="cachePoint.ttl", value=ttl, why=why)
    point = {"type": "default"} if ttl == "5m" else {"type": "default", "ttl": ttl}
    return {"cachePoint": point}


class Conversation:
    """Writes one conversation; what the service does not understand is left out and reported.

    Args:
        model: Under which the tables know the model.
        writer: Hears what became of each part.
        emulate: System messages among the others may be moved to the top.
        system: The model takes a system prompt.
    """

    def __init__(self, model: str, writer: ParameterWriter, *, emulate: bool, system: bool) -> None:
        self._family = row_of(model)["family"].partition("-")[0]
        self._writer = writer
        self._emulate = emulate
        self._takes_system = system
        self._ids: dict[str, str] = {}
        self._documents = 0

    def write(self, system: Any, messages: Sequence[Message]) -> tuple[list[Any], list[Any]]:
        """Write system prompt (or `UNSET`) and messages; give system blocks and messages.

        Neighbouring turns of one role are joined, because the service wants user and assistant to alternate.
        """
        tops: list[dict[str, Any]] = []
        if system is not UNSET:
            self._writer.note("system", "sent", wire="system", value=system)
            tops.append({"text": system})
        written: list[dict[str, Any]] = []
        for index, message in enumerate(messages):
            where = f"messages[{index}]"
            if message.name is not None:
                self._writer.drop(f"{where}.name", "the service knows no names of participants", message.name)
            blocks = self._blocks(message.parts, where)
            if message.role == "system":
                tops += self._system(blocks, where, late=bool(written))
                continue
            if not blocks:
                self._writer.drop(where, "the service takes no message without content")
                continue
            role = "assistant" if message.role == "assistant" else "user"
            if not written or written[-1]["role"] != role:
                written.append({"role": role, "content": blocks})
                continue
            written[-1]["content"] += blocks
            if message.role != "tool":
                why = "the service wants user and assistant in turns: joined with the message before"
                self._writer.note(where, "emulated", wire="messages", why=why)
        return tops, written

    def _system(self, blocks: list[dict[str, Any]], where: str, *, late: bool) -> list[dict[str, Any]]:
        if not self._takes_system:
            self._writer.refuse(where, "the model takes no system messages")
            return []
        if late:
            why = "the service has system messages at the beginning alone"
            if not self._emulate:
                self._writer.refuse(where, why)
            self._writer.note(where, "emulated", wire="system", why=f"{why}: it was moved there")
        return blocks

    def _blocks(self, parts: Sequence[Part], where: str) -> list[dict[str, Any]]:
        # A blank text that is all there is stays: it keeps the turns in order, and some models take it.
        lone = len(parts) == 1
        if lone:
            part = parts[0]
            # Fast path: most messages are one text, which is not worth three generators.
            if isinstance(part, Text) and part.text and part.provider_data is None and part.cache is None:
                return [{"text": part.text}]
        return [block for part in parts for block in self._part(part, where, lone=lone)]

    def _part(self, part: Part, where: str, *, lone: bool) -> Iterator[dict[str, Any]]:
        if isinstance(part, Text):
            yield from self._text(part, where, lone=lone)
        elif isinstance(part, Image | Audio | Document):
            block = self._media(part, where)
            if block is not None:
                yield block
        elif isinstance(part, Thinking):
            yield from self._thinking(part, where)
        elif isinstance(part, ToolCall):
            yield self._call(part, where)
        elif isinstance(part, ToolResult):
            yield self._result(part, where)
        elif part.provider != "bedrock" or "type" in part.data:
            self._writer.drop(where, f"a raw part of {part.provider}, in a form that Converse does not read")
        else:
            yield dict(part.data)
        cache = getattr(part, "cache", None)
        if cache is not None:
            yield cache_point(cache, self._writer, where)

    def _text(self, part: Text, where: str, *, lone: bool) -> Iterator[dict[str, Any]]:
        for provider in part.provider_data or ():
            if provider != "bedrock":
                self._writer.drop(f"{where}.provider_data", f"it is of the provider {provider}")
        cited = ((part.provider_data or {}).get("bedrock") or {}).get("citationsContent")
        if cited:
            said = {"content": [{"text": part.text}]} if part.text else {}
            yield {"citationsContent": {**said, "citations": cited}}
        elif part.text.strip() or (lone and part.text):
            yield {"text": part.text}
        else:
            self._writer.drop(where, "the service refuses blank text", part.text)

    def _media(self, part: Image | Audio | Document, where: str) -> dict[str, Any] | None:
        if isinstance(part, Document):
            return self._document(part, where)
        kind = "image" if isinstance(part, Image) else "audio"
        if isinstance(part, Image) and part.detail is not None:
            self._writer.drop(f"{where}.detail", "the service has no such setting", part.detail)
        source = self._source(part, where)
        if source is None:
            return None
        media = (
            part.media_type or _guessed(kind, part.url) or ("image/png" if kind == "image" else "audio/wav")
        )
        if part.media_type is None:
            why = f"the service wants the format of an {kind}"
            self._writer.note(f"{where}.media_type", "defaulted", wire=f"{kind}.format", value=media, why=why)
        form = _FORMATS.get(media, media.rpartition("/")[2].partition("+")[0])
        return {kind: {"format": form, "source": source}}

    def _source(self, part: Image | Audio | Document, where: str) -> dict[str, Any] | None:
        """Write bytes, or a place in S3; the service fetches nothing from elsewhere."""
        if part.data is not None:
            return {"bytes": base64.b64encode(part.data).decode()}
        url = part.url or ""
        if url.startswith("s3://"):
            return {"s3Location": {"uri": url}}
        self._writer.refuse(
            where, "the service fetches nothing from the web: give the bytes, or an s3:// address"
        )
        return None

    def _document(self, part: Document, where: str) -> dict[str, Any] | None:
        source = {"text": part.text} if part.text is not None else self._source(part, where)
        if source is None:
            return None
        media = part.media_type or ("text/plain" if part.text is not None else "application/pdf")
        block: dict[str, Any] = {
            "format": _DOCUMENTS.get(media, media.rpartition("/")[2]),
            "name": self._document_name(part, where),
            "source": source,
        }
        if part.citations:
            block["citations"] = {"enabled": True}
        return {"document": block}

    def _document_name(self, part: Document, where: str) -> str:
        """Give the name that the service requires, without the characters that it refuses."""
        self._documents += 1
        if part.name is None:
            name = f"Document {self._documents}"
            why = "the service wants every document to have a name"
            self._writer.note(f"{where}.name", "defaulted", wire="document.name", value=name, why=why)
            return name
        name = _SPACES.sub(" ", _BAD_IN_NAME.sub(" ", part.name)).strip() or f"Document {self._documents}"
        if name != part.name:
            why = "the service takes letters, digits, single spaces, - and brackets in a document's name"
            self._writer.note(f"{where}.name", "clamped", wire="document.name", value=name, why=why)
        return name

    def _thinking(self, part: Thinking, where: str) -> Iterator[dict[str, Any]]:
        """Give thinking back byte for byte to the family that thought it, or leave it out."""
        data = part.data or {}
        if part.provider != "bedrock" or not self._is_of_family(part):
            why = f"it is of {part.model or 'another model'} at {part.provider}, for no other to read"
            self._writer.drop(f"{where}.thinking", why)
        elif "redactedContent" in data:
            yield {"reasoningContent": {"redactedContent": data["redactedContent"]}}
        elif "data" in data:
            why = "what is redacted by InvokeModel cannot be read by Converse"
            self._writer.drop(f"{where}.thinking", why)
        else:
            told = {"text": part.text}
            if "signature" in data:
                told["signature"] = data["signature"]
            yield {"reasoningContent": {"reasoningText": told}}

    def _is_of_family(self, part: Thinking) -> bool:
        return part.model is None or row_of(part.model)["family"].partition("-")[0] == self._family

    def _call(self, call: ToolCall, where: str) -> dict[str, Any]:
        arguments = call.arguments
        if call.arguments_raw is not None:
            arguments = {"INVALID_JSON": call.arguments_raw}
            why = "the service takes an object, and the arguments are none"
            self._writer.note(f"{where}.arguments", "emulated", wire="toolUse.input", why=why)
        for provider in call.provider_data or ():
            self._writer.drop(f"{where}.provider_data", f"it is of the provider {provider}")
        return {
            "toolUse": {"toolUseId": self._id(call.id, where), "name": call.name, "input": dict(arguments)}
        }

    def _id(self, name: str, where: str) -> str:
        """Give an id that the service takes, the same for a call and its result."""
        if _TOOL_ID.fullmatch(name):
            return name
        if name not in self._ids:
            made = self._ids[name] = f"jackfield_{len(self._ids)}"
            why = "the service takes ids of 64 letters, digits and _.:-"
            self._writer.note(f"{where}.id", "emulated", wire="toolUseId", value=made, why=why)
        return self._ids[name]

    def _result(self, result: ToolResult, where: str) -> dict[str, Any]:
        parts = (
            (Text(result.content),) if isinstance(result.content, str) and result.content else result.content
        )
        content: list[dict[str, Any]] = []
        for part in parts:
            if isinstance(part, Text):
                content.append({"text": part.text})
            elif isinstance(part, Image | Document) and (block := self._media(part, where)) is not None:
                content.append(block)
        told: dict[str, Any] = {"toolUseId": self._id(result.tool_call_id, where), "content": content}
        if result.is_error:
            told["status"] = "error"
        return {"toolResult": told}


def _guessed(kind: str, url: str | None) -> str | None:
    """Tell a media type by the ending of an address."""
    ending = (url or "").rpartition("/")[2].rpartition(".")[2].lower()
    return f"{kind}/{ending}" if "." in (url or "").rpartition("/")[2] else None
