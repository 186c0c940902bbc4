"""Build the messages of Converse."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jackfield import Audio, Document, Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import UNSET, ParameterWriter, choose_lifetime

from ._models import row_of

__all__ = ["CachePoints", "Conversation"]

# The service's names of formats, by media type. Source: AWS's service model in botocore 1.44.5 (2026-11).
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
_MARK: Final = "cachePoint"
# Recorded 2024-2026: "The text field in the ContentBlock object … is blank", "… must contain non-whitespace text".
_BLANK: Final = "the service rejects blank text"


class CachePoints:
    """Builds the marks at the ends of cacheable prefixes, which the service caches for five minutes or an hour.

    Five minutes are the default, and most models accept no other lifetime. Source: AWS's service model, 2026-11; Bedrock
    user guide, prompt caching, 2026.

    Args:
        writer: Collects the report.
        row: The model's row, whose `cache` has the places (`tools` or not) and the lifetimes of marks.
        supported: The model accepts marks, or it is unknown whether it does.
    """

    def __init__(self, writer: ParameterWriter, row: Mapping[str, Any], *, supported: bool) -> None:
        accepted = row.get("cache") or {}
        self._writer = writer
        self._supported = supported
        self._tools = accepted.get("tools") is not False
        self._lifetimes: Sequence[str] = accepted.get("lifetimes") or ("5m", "1h")

    def build(self, cache: str | None, where: str, *, tool: bool = False) -> list[dict[str, Any]]:
        """Return the mark as a list of blocks; without a mark, and if the model accepts none, it is empty."""
        if cache is None:
            return []
        if not self._supported or (tool and not self._tools):
            place = " among tools" if self._supported else ""
            self._writer.drop(f"{where}.cache", f"the model has no marks of cacheable prefixes{place}", cache)
            return []
        ttl = choose_lifetime(self._writer, cache, self._lifetimes, where=where, wire=f"{_MARK}.ttl")
        return [{_MARK: {"type": "default"} if ttl == "5m" else {"type": "default", "ttl": ttl}}]


class Conversation:
    """Builds the messages of one conversation; what the service does not accept is left out and reported.

    Args:
        model: The model's name in the tables.
        writer: Collects the report.
        cache: Builds the marks of cacheable prefixes.
        emulate: System messages may be moved to the system prompt.
        system: The model accepts a system prompt.
    """

    def __init__(
        self, model: str, writer: ParameterWriter, cache: CachePoints, *, emulate: bool, system: bool
    ) -> None:
        self._family = row_of(model)["family"].partition("-")[0]
        self._writer = writer
        self._cache = cache
        self._emulate = emulate
        self._accepts_system = system
        self._ids: dict[str, str] = {}
        self._documents = 0

    def write(self, system: Any, messages: Sequence[Message]) -> tuple[list[Any], list[Any]]:
        """Build the blocks of the system prompt, and the messages.

        Adjacent turns of one role are joined, because the service requires user and assistant to alternate.

        Args:
            system: The option `system`, or `UNSET`.
            messages: The conversation.
        """
        tops: list[dict[str, Any]] = []
        if system is not UNSET:
            if system.strip():
                self._writer.note("system", "sent", wire="system", value=system)
                tops.append({"text": system})
            else:
                self._writer.drop("system", _BLANK, system)
        written: list[dict[str, Any]] = []
        for index, message in enumerate(messages):
            where = f"messages[{index}]"
            if message.name is not None:
                self._writer.drop(
                    f"{where}.name", "the service does not accept names of participants", message.name
                )
            blocks = self._blocks(message.parts, where, first=not written and message.role == "user")
            if message.role == "system":
                tops += self._system(blocks, where, late=bool(written))
                continue
            if not blocks:
                self._writer.drop(where, "the service does not accept a message without content")
                continue
            role = "assistant" if message.role == "assistant" else "user"
            if not written or written[-1]["role"] != role:
                written.append({"role": role, "content": blocks})
                continue
            written[-1]["content"] += blocks
            if message.role != "tool":
                why = "the service requires user and assistant to alternate: joined with the previous message"
                self._writer.note(where, "emulated", wire="messages", why=why)
        return tops, written

    def _system(self, blocks: list[dict[str, Any]], where: str, *, late: bool) -> list[dict[str, Any]]:
        if not self._accepts_system:
            self._writer.refuse(where, "the model does not accept system messages")
            return []
        if late:
            why = "the service accepts system messages only at the beginning"
            if not self._emulate:
                self._writer.refuse(where, why)
            self._writer.note(where, "emulated", wire="system", why=f"{why}: it was moved there")
        return blocks

    def _blocks(self, parts: Sequence[Part], where: str, *, first: bool = False) -> list[dict[str, Any]]:
        if len(parts) == 1:
            part = parts[0]
            # Fast path: most messages are one text, which is not worth three generators.
            if isinstance(part, Text) and part.provider_data is None and part.cache is None:
                # Nova accepts blank text, and requires a first message of the user.
                blank_too = first and part.text and self._family == "nova"
                return (
                    [{"text": part.text}] if blank_too or part.text.strip() else self._left_out(part, where)
                )
        blocks: list[dict[str, Any]] = []
        for part in parts:
            blocks += self._part(part, where)
            # The mark of a part that is left out stands behind the part before it, if there is one.
            if blocks and _MARK not in blocks[-1]:
                blocks += self._cache.build(getattr(part, "cache", None), where)
        return blocks

    def _part(self, part: Part, where: str) -> Iterator[dict[str, Any]]:
        if isinstance(part, Text):
            yield from self._text(part, where)
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
        elif part.provider != "bedrock":
            self._writer.drop(
                where, f"it was produced by {part.provider} and cannot be sent to another provider"
            )
        elif "type" in part.data:
            self._writer.drop(where, "a raw part of a native body, which Converse does not accept")
        else:
            yield dict(part.data)

    def _text(self, part: Text, where: str) -> Iterator[dict[str, Any]]:
        for provider in part.provider_data or ():
            if provider != "bedrock":
                self._writer.drop(
                    f"{where}.provider_data",
                    f"it was produced by {provider} and cannot be sent to another provider",
                )
        cited = ((part.provider_data or {}).get("bedrock") or {}).get("citationsContent")
        if cited:
            content = {"content": [{"text": part.text}]} if part.text.strip() else {}
            yield {"citationsContent": {**content, "citations": cited}}
        elif part.text.strip():
            yield {"text": part.text}
        else:
            self._left_out(part, where)

    def _left_out(self, part: Text, where: str) -> list[dict[str, Any]]:
        self._writer.drop(where, _BLANK, part.text)
        return []

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
            part.media_type
            or _guess_media_type(kind, part.url)
            or ("image/png" if kind == "image" else "audio/wav")
        )
        if part.media_type is None:
            why = f"the service requires the format of an {kind}"
            self._writer.note(f"{where}.media_type", "defaulted", wire=f"{kind}.format", value=media, why=why)
        form = _FORMATS.get(media, media.rpartition("/")[2].partition("+")[0])
        return {kind: {"format": form, "source": source}}

    def _source(self, part: Image | Audio | Document, where: str) -> dict[str, Any] | None:
        """Build a source of bytes, or of a place in S3; the service fetches nothing from elsewhere."""
        if part.data is not None:
            return {"bytes": base64.b64encode(part.data).decode()}
        url = part.url or ""
        if url.startswith("s3://"):
            return {"s3Location": {"uri": url}}
        self._writer.refuse(
            where, "the service fetches nothing from the web; pass bytes, or an s3:// address"
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
        """Return the name that the service requires, without characters that it rejects."""
        self._documents += 1
        if part.name is None:
            name = f"Document {self._documents}"
            why = "the service requires a name for every document"
            self._writer.note(f"{where}.name", "defaulted", wire="document.name", value=name, why=why)
            return name
        name = _SPACES.sub(" ", _BAD_IN_NAME.sub(" ", part.name)).strip() or f"Document {self._documents}"
        if name != part.name:
            why = "the service accepts letters, digits, single spaces, - and brackets in a document's name"
            self._writer.note(f"{where}.name", "clamped", wire="document.name", value=name, why=why)
        return name

    def _thinking(self, part: Thinking, where: str) -> Iterator[dict[str, Any]]:
        """Build thinking for sending back, unchanged, if this family of models produced it; otherwise leave it out."""
        data = part.data or {}
        if part.provider != "bedrock" or not self._is_of_family(part):
            why = f"it was produced by {part.model or 'another model'} at {part.provider} and cannot be sent to another"
            self._writer.drop(f"{where}.thinking", why)
        elif "redactedContent" in data:
            yield {"reasoningContent": {"redactedContent": data["redactedContent"]}}
        elif "data" in data:
            why = "thinking that InvokeModel redacted cannot be sent to Converse"
            self._writer.drop(f"{where}.thinking", why)
        else:
            text = {"text": part.text}
            if "signature" in data:
                text["signature"] = data["signature"]
            yield {"reasoningContent": {"reasoningText": text}}

    def _is_of_family(self, part: Thinking) -> bool:
        return part.model is None or row_of(part.model)["family"].partition("-")[0] == self._family

    def _call(self, call: ToolCall, where: str) -> dict[str, Any]:
        arguments = call.arguments
        if call.arguments_raw is not None:
            arguments = {"INVALID_JSON": call.arguments_raw}
            why = "the service requires a JSON object, which the arguments are not"
            self._writer.note(f"{where}.arguments", "emulated", wire="toolUse.input", why=why)
        for provider in call.provider_data or ():
            self._writer.drop(
                f"{where}.provider_data",
                f"it was produced by {provider} and cannot be sent to another provider",
            )
        return {
            "toolUse": {"toolUseId": self._id(call.id, where), "name": call.name, "input": dict(arguments)}
        }

    def _id(self, name: str, where: str) -> str:
        """Return an id that the service accepts, the same for a call and its result."""
        if _TOOL_ID.fullmatch(name):
            return name
        if name not in self._ids:
            made = self._ids[name] = f"jackfield_{len(self._ids)}"
            why = "the service accepts ids of up to 64 letters, digits and _.:-"
            self._writer.note(f"{where}.id", "emulated", wire="toolUseId", value=made, why=why)
        return self._ids[name]

    def _result(self, result: ToolResult, where: str) -> dict[str, Any]:
        parts = (Text(result.content),) if isinstance(result.content, str) else result.content
        content: list[dict[str, Any]] = []
        for part in parts:
            if isinstance(part, Text):
                if part.text.strip():
                    content.append({"text": part.text})
                elif part.text:
                    self._left_out(part, where)
            elif (block := self._media(part, where)) is not None:
                content.append(block)
        wire: dict[str, Any] = {"toolUseId": self._id(result.tool_call_id, where), "content": content}
        if result.is_error:
            wire["status"] = "error"
        return {"toolResult": wire}


def _guess_media_type(kind: str, url: str | None) -> str | None:
    """Guess a media type from the extension in a URL."""
    ending = (url or "").rpartition("/")[2].rpartition(".")[2].lower()
    return f"{kind}/{ending}" if "." in (url or "").rpartition("/")[2] else None
