"""Build the messages of chat completions."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jackfield import Audio, Document, Image, Message, Part, RawPart, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import (
    Capabilities,
    ParameterWriter,
    ReportBuilder,
    Role,
    choose_lifetime,
    media_type_of,
    text_of,
    write_json,
)

from ._dialect import Dialect

__all__ = [
    "arguments_text",
    "audio_format",
    "bridge_tools",
    "build_messages",
    "custom_input",
    "data_url",
    "document_text",
    "document_url",
    "make_breakpoint",
    "own_data",
]

_BRIDGE: Final = "OK."
_FOLLOWS: Final = "The result follows as a file."
_NOTHING_LEFT: Final = "nothing of it is left to send, and the service refuses an empty turn"
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
            wires += () if chat is None else chat.files()
            role = dialect.system_role if message.role == "system" else message.role
            wires.append({"role": role, "content": text})
    return wires if chat is None else [*wires, *chat.files()]


def bridge_tools(messages: list[dict[str, Any]], writer: ReportBuilder) -> list[dict[str, Any]]:
    """Put an assistant's turn between the results of tools and a user's turn, which Mistral's models require.

    Source: api.mistral.ai has answered 400, code 3230, "Unexpected role 'user' after role 'tool'", and has accepted it
    for some models (recorded in 2026); chat templates of its models in local servers refuse it.
    """
    bridged: list[dict[str, Any]] = []
    for message in messages:
        if bridged and bridged[-1]["role"] == "tool" and message["role"] not in ("tool", "assistant"):
            bridged.append({"role": "assistant", "content": _BRIDGE})
            why = f"the model requires an assistant's turn between a tool's result and a {message['role']} message"
            writer.note("messages", "emulated", wire="messages", value=_BRIDGE, why=why)
        bridged.append(message)
    return bridged


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
        self.moved: list[dict[str, Any]] = []

    def message(self, index: int, message: Message) -> Iterator[dict[str, Any]]:
        where = f"messages[{index}]"
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        if not results:
            yield from self.files()
        for result in results:
            yield self.result(result, where)
        if len(results) < len(message.parts) and message.role != "tool":
            yield from self.files()
        if message.role == "assistant":
            yield from self.assistant(message, where)
        elif message.role == "tool":
            if len(results) < len(message.parts):
                self.writer.drop(where, "a tool turn may contain only tool results")
        elif len(results) < len(message.parts) or not results:
            role = self.dialect.system_role if message.role == "system" else message.role
            content = self.content(message.parts, where, message.role)
            if message.parts and content == [] and len(results) < len(message.parts):
                self.writer.drop(where, _NOTHING_LEFT)
                return
            wire: dict[str, Any] = {"role": role, "content": content or ""}
            if message.name is not None:
                wire["name"] = message.name
            yield wire

    def assistant(self, message: Message, where: str) -> Iterator[dict[str, Any]]:
        content: list[Part] = []
        calls: list[dict[str, Any]] = []
        wire: dict[str, Any] = {"role": "assistant", "content": None}
        for part in message.parts:
            if isinstance(part, ToolCall):
                calls.append(self.call(part))
                wire |= own_data(self.dialect, part).get("message", {})
            elif isinstance(part, Thinking):
                content += self.put_thinking(part, wire, where)
            elif isinstance(part, Text) and part.refusal:
                wire["refusal"] = wire.get("refusal", "") + part.text
            elif isinstance(part, RawPart) and part.provider in self.dialect.ids and "audio" in part.data:
                wire["audio"] = {"id": part.data["audio"].get("id")}
            else:
                content.append(part)
                if isinstance(part, Text) and part.provider_data is not None:
                    own = own_data(self.dialect, part)
                    wire |= {name: own[name] for name in ("extra_content",) if name in own}
        if content:
            made = self.content(content, where, "assistant")
            wire["content"] = None if made == [] else made
        if calls:
            wire["tool_calls"] = calls
        if len(wire) == 2 and wire["content"] is None:
            # Services refuse a turn without content and calls, and would refuse every later one with it.
            self.writer.drop(where, _NOTHING_LEFT)
            return
        if wire["content"] is None and not wire.keys() & {"tool_calls", "refusal", "audio"}:
            wire["content"] = ""  # thinking alone
        if message.name is not None:
            wire["name"] = message.name
        yield wire

    def put_thinking(self, part: Thinking, wire: dict[str, Any], where: str) -> Sequence[Part]:
        """Put thinking back into the fields that it was read from, or leave it out; return what goes into the content."""
        data = part.data or {}
        if part.provider not in self.dialect.ids:
            why = f"it was produced by {part.provider} and cannot be sent to another provider"
            self.writer.drop(f"{where}.thinking", why)
            return ()
        if "part" in data:
            return (_thinking_part(part),)
        field, details = data.get("field"), data.get("reasoning_details")
        if field is None and details is None:
            self.writer.drop(f"{where}.thinking", "chat completions do not accept thinking", part.data)
            return ()
        if field is not None:
            wire[field] = wire.get(field, "") + part.text
        if details is not None:
            wire["reasoning_details"] = [*wire.get("reasoning_details", ()), *details]
        return ()

    def call(self, call: ToolCall) -> dict[str, Any]:
        if own_data(self.dialect, call).get("type") == "custom":
            return {
                "id": call.id,
                "type": "custom",
                "custom": {"name": call.name, "input": custom_input(call)},
            }
        own = own_data(self.dialect, call)
        function = {"name": call.name, "arguments": arguments_text(call), **own.get("function", {})}
        return {"id": call.id, "type": "function", "function": function, **own.get("fields", {})}

    def result(self, result: ToolResult, where: str) -> dict[str, Any]:
        if result.is_error:
            self.writer.drop(
                f"{where}.is_error", "a tool message has no field for it; its content says what failed"
            )
        content: Any = result.content
        if not isinstance(content, str):
            files = [part for part in content if _is_file(part)]
            texts = [part for part in content if not _is_file(part)] if files else content
            self.move_files(result, files, where)
            content = self.content(texts, where, "tool") or (_FOLLOWS if self.moved else "")
        wire = {"role": "tool", "tool_call_id": result.tool_call_id, "content": content}
        if result.name is not None:
            wire["name"] = result.name
        return wire

    def move_files(self, result: ToolResult, files: Sequence[Part], where: str) -> None:
        """Move files out of a tool's result, for a user's turn after all results.

        OpenAI's reference has only text in tool messages: most servers answer 400, or pass over the file, and the model
        invents what it shows.
        """
        wires = [wire for part in files if (wire := self.part(part, where, "user")) is not None]
        if wires:
            name = f"the tool {result.name}" if result.name else "a tool"
            text = f"Files of the result of {name} (call {result.tool_call_id}):"
            self.moved += [{"type": "text", "text": text}, *wires]
            why = "tool messages have only text, so files were sent in a user's turn after them"
            self.writer.note(where, "emulated", wire="messages", why=why)

    def files(self) -> Iterator[dict[str, Any]]:
        """Yield the turn with the files of the results before, if there are any."""
        if self.moved:
            yield {"role": "user", "content": self.moved}
            self.moved = []

    def content(self, parts: Sequence[Part], where: str, role: Role) -> str | list[dict[str, Any]]:
        """Build a content; a single plain text becomes a string, which every server accepts."""
        kept = (part for part in parts if not isinstance(part, ToolResult))
        wires = [wire for part in kept if (wire := self.part(part, where, role)) is not None]
        if len(wires) == 1 and wires[0].keys() == {"type", "text"}:
            text: str = wires[0]["text"]
            return text
        return wires

    def part(self, part: Part, where: str, role: Role) -> dict[str, Any] | None:
        if isinstance(part, Text):
            return self.mark(part.cache, {"type": "text", "text": part.text}, where)
        if isinstance(part, Document):
            return self.document(part, where, role)
        if role != "user" and isinstance(part, Image | Audio):
            self.refuse_file(part, where, role)
            return None
        if isinstance(part, Image):
            url = part.url if part.url is not None else data_url(part.data, part.media_type or "image/png")
            image = {"url": url} if part.detail is None else {"url": url, "detail": part.detail}
            return self.mark(part.cache, {"type": "image_url", "image_url": image}, where)
        if isinstance(part, Audio):
            return self.audio(part, where)
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

    def refuse_file(self, part: Part, where: str, role: Role) -> None:
        """Refuse a file outside a user's turn: services answer 400, or pass over it, and the model invents what it shows."""
        turn = {"tool": "the result of a tool", "assistant": "an assistant's turn"}.get(
            role, f"a {role} message"
        )
        kind = type(part).__name__
        why = f"chat completions accept an {kind}" if kind[0] in "AI" else f"chat completions accept a {kind}"
        self.writer.refuse(where, f"{why} from the user only, not in {turn}", part)

    def document(self, part: Document, where: str, role: Role) -> dict[str, Any] | None:
        if part.citations:
            self.writer.drop(f"{where}.citations", "the service does not support citations of documents")
        text = document_text(part)
        if text is not None:
            self.writer.note(where, "emulated", why="the document's text was sent as a text part")
            return self.mark(part.cache, {"type": "text", "text": text}, where)
        if role != "user":
            self.refuse_file(part, where, role)
            return None
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


def _is_file(part: object) -> bool:
    """Return whether a part is a file that is not text."""
    return isinstance(part, Image | Audio) or (isinstance(part, Document) and document_text(part) is None)


def document_text(part: Document) -> str | None:
    """Return a document's text, also of a file that is text, because a file of the service is a PDF; None for others."""
    if part.text is not None or part.data is None:
        return part.text
    return text_of(part.data, media_type_of(part.media_type, part.data, part.name))


def document_url(part: Document) -> str:
    """Encode a document's bytes as a `data:` URL."""
    return data_url(part.data, part.media_type or "application/pdf")


def audio_format(media_type: str | None) -> str:
    """Return the service's name of an audio format: the media type's subtype, or "wav" if there is no type."""
    subtype = (media_type or "audio/wav").partition("/")[2].partition(";")[0]
    return _AUDIO_FORMATS.get(subtype, subtype)


def arguments_text(call: ToolCall) -> str:
    """Return a call's arguments as JSON text; arguments that could not be parsed are unchanged."""
    return call.arguments_raw if call.arguments_raw is not None else write_json(call.arguments).decode()


def custom_input(call: ToolCall) -> str:
    """Return what a tool without a schema was given; a text that happens to be a JSON object was parsed."""
    return arguments_text(call) if call.arguments or call.arguments_raw is not None else ""
