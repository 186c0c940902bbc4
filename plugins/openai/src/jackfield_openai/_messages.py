"""Build the messages of chat completions."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jackfield import Audio, Document, Image, Message, Part, RawPart, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import Capabilities, ParameterWriter, choose_lifetime

from ._dialect import Dialect

__all__ = [
    "arguments_text",
    "audio_format",
    "build_messages",
    "data_url",
    "document_url",
    "make_breakpoint",
    "own_data",
]

_AUDIO_FORMATS: Final[Mapping[str, str]] = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav"}


def build_messages(
    dialect: Dialect, messages: Sequence[Message], writer: ParameterWriter, capabilities: Capabilities
) -> list[dict[str, Any]]:
    """Build messages of the form `{"role", "content"}`.

    A tool turn becomes one message per result. What the service does not accept (another provider's thinking
    and raw parts) is left out and reported.
    """
    chat: _ChatMessages | None = None
    wires: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        text = _only_text(message)  # fast path: nearly all turns are one text
        if text is None:
            chat = chat or _ChatMessages(dialect, writer, capabilities)
            wires += chat.message(index, message)
        else:
            role = dialect.system_role if message.role == "system" else message.role
            wires.append({"role": role, "content": text})
    return wires


def _only_text(message: Message) -> str | None:
    """Return the text of a turn that is one plain text and nothing else, as nearly all are; None for others."""
    if len(message.parts) != 1 or message.name is not None or message.role == "tool":
        return None
    part = message.parts[0]
    if type(part) is not Text or part.cache is not None or part.refusal or part.provider_data is not None:
        return None
    return part.text


class _ChatMessages:
    def __init__(self, dialect: Dialect, writer: ParameterWriter, capabilities: Capabilities) -> None:
        self.dialect = dialect
        self.writer = writer
        self.marks = capabilities.feature("prompt_cache").value is True

    def message(self, index: int, message: Message) -> Iterator[dict[str, Any]]:
        where = f"messages[{index}]"
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        for result in results:
            yield self.result(result, where)
        if message.role == "assistant":
            yield self.assistant(message, where)
        elif message.role == "tool":
            if len(results) < len(message.parts):
                self.writer.drop(where, "a tool turn may contain only tool results")
        elif len(results) < len(message.parts) or not results:
            role = self.dialect.system_role if message.role == "system" else message.role
            wire: dict[str, Any] = {"role": role, "content": self.content(message.parts, where)}
            if message.name is not None:
                wire["name"] = message.name
            yield wire

    def assistant(self, message: Message, where: str) -> dict[str, Any]:
        content: list[Part] = []
        calls: list[dict[str, Any]] = []
        wire: dict[str, Any] = {"role": "assistant", "content": None}
        for part in message.parts:
            if isinstance(part, ToolCall):
                calls.append(self.call(part))
            elif (
                isinstance(part, Thinking)
                and "part" in (part.data or {})
                and part.provider in self.dialect.ids
            ):
                content.append(_thinking_part(part))
            elif isinstance(part, Thinking):
                self.put_thinking(part, wire, where)
            elif isinstance(part, Text) and part.refusal:
                wire["refusal"] = wire.get("refusal", "") + part.text
            elif isinstance(part, RawPart) and part.provider in self.dialect.ids and "audio" in part.data:
                wire["audio"] = {"id": part.data["audio"].get("id")}
            else:
                content.append(part)
                beside = own_data(self.dialect, part).get("extra_content") if isinstance(part, Text) else None
                if beside:
                    wire["extra_content"] = beside
        if content:
            wire["content"] = self.content(content, where)
        if calls:
            wire["tool_calls"] = calls
        if message.name is not None:
            wire["name"] = message.name
        return wire

    def put_thinking(self, part: Thinking, wire: dict[str, Any], where: str) -> None:
        """Put thinking back into the fields that it was read from, or leave it out."""
        data = part.data or {}
        if part.provider not in self.dialect.ids:
            why = f"it was produced by {part.provider} and cannot be sent to another provider"
            self.writer.drop(f"{where}.thinking", why)
            return
        field, details = data.get("field"), data.get("reasoning_details")
        if field is None and details is None:
            self.writer.drop(f"{where}.thinking", "chat completions do not accept thinking", part.data)
            return
        if field is not None and part.text:
            wire[field] = wire.get(field, "") + part.text
        if details is not None:
            wire["reasoning_details"] = [*wire.get("reasoning_details", ()), *details]

    def call(self, call: ToolCall) -> dict[str, Any]:
        if own_data(self.dialect, call).get("type") == "custom":
            return {
                "id": call.id,
                "type": "custom",
                "custom": {"name": call.name, "input": call.arguments_raw or ""},
            }
        own = own_data(self.dialect, call)
        function = {"name": call.name, "arguments": arguments_text(call), **own.get("function", {})}
        return {"id": call.id, "type": "function", "function": function, **own.get("fields", {})}

    def result(self, result: ToolResult, where: str) -> dict[str, Any]:
        if result.is_error:
            self.writer.drop(
                f"{where}.is_error", "a tool message has no field for it; its content says what failed"
            )
        content = result.content if isinstance(result.content, str) else self.content(result.content, where)
        wire = {"role": "tool", "tool_call_id": result.tool_call_id, "content": content}
        if result.name is not None:
            wire["name"] = result.name
        return wire

    def content(self, parts: Sequence[Part], where: str) -> str | list[dict[str, Any]]:
        """Build a content; a single plain text becomes a string, which every server accepts."""
        kept = (part for part in parts if not isinstance(part, ToolResult))
        wires = [wire for part in kept if (wire := self.part(part, where)) is not None]
        if len(wires) == 1 and wires[0].keys() == {"type", "text"}:
            text: str = wires[0]["text"]
            return text
        return wires or ""

    def part(self, part: Part, where: str) -> dict[str, Any] | None:
        if isinstance(part, Text):
            return self.mark(part.cache, {"type": "text", "text": part.text}, where)
        if isinstance(part, Image):
            url = part.url if part.url is not None else data_url(part.data, part.media_type or "image/png")
            image = {"url": url} if part.detail is None else {"url": url, "detail": part.detail}
            return self.mark(part.cache, {"type": "image_url", "image_url": image}, where)
        if isinstance(part, Audio):
            return self.audio(part, where)
        if isinstance(part, Document):
            return self.document(part, where)
        if isinstance(part, RawPart) and part.provider in self.dialect.ids:
            return dict(part.data)
        self.writer.drop(where, f"chat completions do not accept a {type(part).__name__} here", part)
        return None

    def audio(self, part: Audio, where: str) -> dict[str, Any] | None:
        if part.data is None:
            self.writer.refuse(where, "chat completions accept audio as data, not as a URL", part.url)
            return None
        audio = {"data": base64.b64encode(part.data).decode(), "format": audio_format(part.media_type)}
        return {"type": "input_audio", "input_audio": audio}

    def document(self, part: Document, where: str) -> dict[str, Any] | None:
        if part.citations:
            self.writer.drop(f"{where}.citations", "the service does not support citations of documents")
        if part.text is not None:
            self.writer.note(where, "emulated", why="the document's text was sent as a text part")
            return self.mark(part.cache, {"type": "text", "text": part.text}, where)
        if part.data is None:
            self.writer.refuse(where, "chat completions accept a document as data, not as a URL", part.url)
            return None
        file = {"filename": self.file_name(part, where), "file_data": document_url(part)}
        return self.mark(part.cache, {"type": "file", "file": file}, where)

    def file_name(self, part: Document, where: str) -> str:
        if part.name is not None:
            return part.name
        name, why = "document.pdf", "the service requires a file name"
        self.writer.note(f"{where}.name", "defaulted", wire="filename", value=name, why=why)
        return name

    def mark(self, cache: str | None, wire: dict[str, Any], where: str) -> dict[str, Any]:
        if cache is not None:
            if self.marks:
                wire[self.dialect.cache_mark] = (
                    make_breakpoint(cache, self.writer, where)
                    if self.dialect.cache_mark == "prompt_cache_breakpoint"
                    else _make_ephemeral(cache, self.writer, where)
                )
            else:
                why = "the model does not support marks of cacheable prefixes (it caches long prefixes by itself)"
                self.writer.drop(f"{where}.cache", why, cache)
        return wire


def own_data(dialect: Dialect, part: Text | ToolCall) -> Mapping[str, Any]:
    """Return the data that this service attached to a part."""
    data = part.provider_data or {}
    return next((data[provider] for provider in dialect.ids if provider in data), {})


def _thinking_part(part: Thinking) -> RawPart:
    """Build the content part from which thinking was read (Databricks: reasoning; Mistral: thinking)."""
    rest = dict(part.data or {})
    kind, beside = rest.pop("part"), rest.pop("beside", {})
    field, piece = ("thinking", "text") if kind == "thinking" else ("summary", "summary_text")
    text = {} if "piece" in rest and not part.text else {"text": part.text}
    piece = rest.pop("piece", piece)
    return RawPart(part.provider or "", {"type": kind, field: [{"type": piece, **text, **rest}], **beside})


def make_breakpoint(cache: str, writer: ParameterWriter, where: str) -> dict[str, str]:
    """Build OpenAI's mark. Source: OpenAI's Python SDK 3.54.0: `ttl` is "30m" or "12h"."""
    ttl = choose_lifetime(writer, cache, ("30m", "12h"), where=where, wire="prompt_cache_breakpoint.ttl")
    return {"mode": "explicit", "ttl": ttl}


def _make_ephemeral(cache: str, writer: ParameterWriter, where: str) -> dict[str, str]:
    """Build Anthropic's mark; services that resell Claude document only a lifetime of five minutes."""
    choose_lifetime(writer, cache, ("5m",), where=where, wire="cache_control")
    return {"type": "ephemeral"}


def data_url(data: bytes | None, media_type: str) -> str:
    """Encode bytes as a `data:` URL."""
    return f"data:{media_type};base64,{base64.b64encode(data or b'').decode()}"


def document_url(part: Document) -> str:
    """Encode a document's bytes as a `data:` URL."""
    return data_url(part.data, part.media_type or "application/pdf")


def audio_format(media_type: str | None) -> str:
    """Return the service's name of an audio format: the media type's subtype, or "wav" if there is no type."""
    subtype = (media_type or "audio/wav").partition("/")[2].partition(";")[0]
    return _AUDIO_FORMATS.get(subtype, subtype)


def arguments_text(call: ToolCall) -> str:
    """Return a call's arguments as JSON text; arguments that could not be parsed are unchanged."""
    import orjson

    return call.arguments_raw if call.arguments_raw is not None else orjson.dumps(call.arguments).decode()
