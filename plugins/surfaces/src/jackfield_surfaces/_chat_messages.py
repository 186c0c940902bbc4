"""Chat completions: the messages of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield import Message, Part, RawPart, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import Role, parse_arguments

from ._envelopes import Envelopes, apply_to_calls, put_back
from ._fields import Fields, Report
from ._parts import audio_of, cache_of, document_of, image_of
from ._tool_forms import ToolForms

__all__ = ["FAMILY", "ChatMessages", "join_results"]

FAMILY: Final = "openai"
"""The id of the provider whose API this is."""

_ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}


def join_results(messages: list[Message]) -> list[Message]:
    """Join neighbouring results of tools into one turn."""
    joined: list[Message] = []
    for message in messages:
        if joined and message.role == "tool" and joined[-1].role == "tool":
            joined[-1] = Message("tool", (*joined[-1].parts, *message.parts))
        else:
            joined.append(message)
    return joined


class ChatMessages:
    """Reads the messages of chat completions."""

    def __init__(self, report: Report, envelopes: Envelopes, forms: ToolForms) -> None:
        self.report = report
        self.envelopes = envelopes
        self.forms = forms

    def message(self, fields: Fields) -> Message:
        said = fields.required("role", fields.text("role"))
        role = _ROLES.get(said)
        if role is None:
            known = ", ".join(_ROLES)
            raise fields.wrong("role", f"must be one of {known}, got {said!r}")
        if role == "tool":
            return self.result(fields)
        name = fields.text("name")
        if role == "assistant":
            return self.assistant(fields, name)
        content = fields.peek("content")
        parts = self.content(fields, role)
        fields.required("content", content)
        fields.end()
        return Message(role, tuple(parts), name)

    def result(self, fields: Fields) -> Message:
        identity = fields.required("tool_call_id", fields.text("tool_call_id"))
        name = fields.text("name")
        cache = cache_of(fields)
        content: Any = fields.peek("content")
        if content is None or isinstance(content, str):
            fields.forget("content")
            content = content or ""
        else:
            content = tuple(self.content(fields, "tool"))
        fields.end()
        return Message("tool", (ToolResult(identity, content, name=name, cache=cache),))

    def assistant(self, fields: Fields, name: str | None) -> Message:
        parts: list[Any] = []
        data: dict[str, Mapping[str, Any]] = {}
        self.thinking(fields, parts, data)
        raws = [part for part in parts if isinstance(part, RawPart)]
        parts = [part for part in parts if not isinstance(part, RawPart)]
        said = self.content(fields, "assistant")
        late = [part for part in said if not isinstance(part, Text)]
        parts += [part for part in said if isinstance(part, Text)]
        refusal = fields.text("refusal")
        if refusal:
            parts.append(Text(refusal, refusal=True))
        self.apply_to_text(parts, fields)
        parts += [*late, *raws]
        for number, wire in enumerate(fields.items("tool_calls") or ()):
            where = fields.place(f"tool_calls[{number}]")
            parts.append(self.call(Fields(wire, where, self.report), data))
        self.audio(fields, parts)
        fields.forget("annotations")  # what the answer cited is in its text
        function = fields.take("function_call")
        if function:
            raise fields.wrong("function_call", "is not served; use tool_calls", "unsupported_parameter")
        fields.end()
        return Message("assistant", tuple(apply_to_calls(parts, data)), name)

    def audio(self, fields: Fields, parts: list[Any]) -> None:
        audio = fields.mapping("audio")
        if audio is not None:
            parts.append(RawPart(FAMILY, {"type": "audio", "audio": audio}))
            self.report.keep_for(FAMILY, fields.place("audio"), audio)

    def thinking(self, fields: Fields, parts: list[Any], data: dict[str, Mapping[str, Any]]) -> None:
        """Read the thinking of a turn, and what was sealed beside it."""
        text = fields.text("reasoning_content")
        other = fields.text("reasoning")
        text = text if text is not None else other
        self.texts: list[Mapping[str, Any]] = []
        foreign: list[Any] = []
        for entry in fields.items("reasoning_details") or ():
            told = entry.get("data") if isinstance(entry, dict) else None
            sealed = self.envelopes.open(told) if isinstance(told, str) else None
            if sealed is None:
                if isinstance(told, str) and Envelopes.is_one(told):
                    self.report.drop(fields.place("reasoning_details"), "it was not sealed here")
                else:
                    foreign.append(entry)
                continue
            if sealed.kind == "text":
                self.texts.append(sealed.data)
                continue
            told_length = entry.get("text_length")
            length = max(told_length, 0) if isinstance(told_length, int) else 0
            shown, text = (text or "")[:length], (text or "")[length:]
            put_back(sealed, shown, parts, data)
        if foreign:
            parts.append(Thinking(text or "", FAMILY, None, {"reasoning_details": foreign}))
            self.report.keep_for(FAMILY, fields.place("reasoning_details"), foreign, changes=False)
        elif text:
            parts.append(Thinking(text))

    def apply_to_text(self, parts: list[Any], fields: Fields) -> None:
        """Put sealed data back to the text that it belongs to."""
        texts = [number for number, part in enumerate(parts) if isinstance(part, Text)]
        for number, data in zip(texts[-len(self.texts) :] if self.texts else (), self.texts, strict=False):
            parts[number] = attrs.evolve(parts[number], provider_data=data)
        if len(self.texts) > len(texts):
            self.report.drop(fields.place("reasoning_details"), "the text that it belongs to is not there")

    def call(self, fields: Fields, data: dict[str, Mapping[str, Any]]) -> ToolCall:
        identity = fields.required("id", fields.text("id"))
        kind = fields.word("type", ("function", "custom")) or "function"
        inner = fields.required(kind, fields.inner(kind))
        name = inner.required("name", inner.text("name"))
        own = self.own_of(fields, identity, data)
        fields.forget("index")
        fields.end()
        if kind == "custom":
            text = inner.text("input") or ""
            inner.end()
            return self.forms.call_of(name, identity, text)
        arguments, raw = parse_arguments(inner.text("arguments") or "")
        inner.end()
        return ToolCall(identity, name, arguments, raw, own)

    def own_of(
        self, fields: Fields, identity: str, data: dict[str, Mapping[str, Any]]
    ) -> Mapping[str, Any] | None:
        """Read what a service wants back beside a call."""
        extra = dict(fields.mapping("extra_content") or {})
        if not extra:
            return None
        told = extra.pop("jackfield", None)
        sealed = self.envelopes.open(told) if isinstance(told, str) else None
        if sealed is not None:
            data[identity] = sealed.data
        elif told is not None:
            self.report.drop(fields.place("extra_content"), "it was not sealed here")
        if not extra:
            return None
        self.report.keep_for(FAMILY, fields.place("extra_content"), extra, changes=False)
        return {FAMILY: {"fields": {"extra_content": extra}}}

    def content(self, fields: Fields, role: Role) -> list[Part]:
        content = fields.take("content")
        if content is None:
            return []
        if isinstance(content, str):
            return [Text(content)] if content or role != "assistant" else []
        if not isinstance(content, list):
            raise fields.wrong("content", "must be a string or an array of parts", "invalid_type")
        where = fields.place("content")
        return [self.part(Fields(part, f"{where}[{n}]", self.report)) for n, part in enumerate(content)]

    def part(self, fields: Fields) -> Part:
        kind = fields.required("type", fields.text("type"))
        cache = cache_of(fields)
        if kind == "text":
            part: Part = Text(fields.required("text", fields.text("text")), cache)
        elif kind == "refusal":
            part = Text(fields.required("refusal", fields.text("refusal")), refusal=True)
        elif kind == "image_url":
            part = self.image(fields, cache)
        elif kind == "input_audio":
            part = audio_of(fields.required("input_audio", fields.inner("input_audio")))
        elif kind == "file":
            part = self.file(fields, cache)
        else:
            raise fields.wrong("type", f"is not served: {kind!r}")
        fields.end()
        return part

    def image(self, fields: Fields, cache: str | None) -> Part:
        url, detail, place = fields.peek("image_url"), None, fields
        if isinstance(url, str):
            fields.forget("image_url")
        else:
            place = fields.required("image_url", fields.inner("image_url"))
            url, detail = place.required("url", place.text("url")), place.text("detail")
            place.end()
        return image_of(place, "url", url, detail, cache)

    def file(self, fields: Fields, cache: str | None) -> Part:
        file = fields.required("file", fields.inner("file"))
        if file.peek("file_id") is not None:
            self.report.keep_for(FAMILY, file.place("file_id"), file.peek("file_id"))
            return RawPart(FAMILY, {"type": "file", "file": dict(file.raw)})
        data = file.required("file_data", file.text("file_data"))
        name = file.text("filename")
        file.end()
        return document_of(file, "file_data", data, name, cache)
