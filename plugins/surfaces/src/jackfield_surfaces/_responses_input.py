"""Responses: the items of a request's input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from jackfield import Document, Message, Part, RawPart, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import Role, parse_arguments

from ._envelopes import Envelopes, apply_to_calls, put_back
from ._failures import SurfaceError
from ._fields import Fields, Report
from ._parts import audio_of, cache_of, document_of, image_of
from ._tool_forms import ToolForms

__all__ = ["MARK", "InputReader"]

MARK: Final = "jf"
"""What follows the prefix of the ids that this surface gives to items: `msg_jf...`."""

_FAMILY: Final = "openai"
_ROLES: Final[Mapping[str, Role]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
}
_TEXTS: Final = ("input_text", "output_text", "text", "summary_text")
_PASSED: Final = "internal_chat_message_metadata_passthrough"


class _Late:
    """A call whose tool may be declared by a later item."""

    __slots__ = ("build",)

    def __init__(self, build: Callable[[], ToolCall]) -> None:
        self.build = build


class InputReader:
    """Reads items.

    Attributes:
        tools: Tools that items declare.
        updates: Settings that items change, in order.
    """

    def __init__(self, report: Report, envelopes: Envelopes, forms: ToolForms) -> None:
        self.tools: list[Fields] = []
        self.updates: list[Fields] = []
        self._report = report
        self._envelopes = envelopes
        self._forms = forms
        self._turns: list[tuple[Role, list[Any]]] = []
        self._data: dict[str, Mapping[str, Any]] = {}
        self._readers: dict[str, Callable[[Fields], None]] = {
            "message": self._message,
            "function_call": self._function_call,
            "custom_tool_call": self._custom_call,
            "function_call_output": self._output,
            "custom_tool_call_output": self._output,
            "reasoning": self._reasoning,
            "item_reference": self._reference,
            "additional_tools": self._additional_tools,
            "configuration_update": self._update,
            "compaction_trigger": self._trigger,
        }

    def read(self, items: list[Any]) -> list[Message]:
        """Read all items; what an assistant said and called between two turns of others is one turn."""
        for number, wire in enumerate(items):
            fields = Fields(wire, f"input[{number}]", self._report)
            kind = fields.peek("type")
            if kind is None:
                kind = "message" if fields.peek("role") is not None else "item_reference"
            fields.forget("type")
            self._readers.get(str(kind), self._raw)(fields)
        return [Message(role, tuple(parts)) for role, parts in self._turns]

    def name_calls(self, messages: list[Message]) -> list[Message]:
        """Return the messages with the calls of tools that later items have declared."""
        return [
            message
            if message.role != "assistant"
            else Message("assistant", tuple(self._built(message.parts)))
            for message in messages
        ]

    def _built(self, parts: tuple[Any, ...]) -> list[Any]:
        built = [part.build() if isinstance(part, _Late) else part for part in parts]
        return apply_to_calls(built, self._data)

    def _add(self, role: Role, *parts: Any) -> None:
        if self._turns and self._turns[-1][0] == role and role in ("assistant", "tool"):
            self._turns[-1][1].extend(parts)
        else:
            self._turns.append((role, list(parts)))

    def _message(self, fields: Fields) -> None:
        said = fields.required("role", fields.text("role"))
        role = _ROLES.get(said)
        if role is None:
            raise fields.wrong("role", f"must be one of {', '.join(_ROLES)}, got {said!r}")
        fields.forget("id", "status", _PASSED)
        phase = fields.text("phase")
        content = fields.required("content", fields.take("content"))
        fields.end()
        if isinstance(content, str):
            parts: list[Part] = [Text(content)]
        elif isinstance(content, list):
            where = fields.place("content")
            parts = [
                self._part(Fields(wire, f"{where}[{n}]", self._report)) for n, wire in enumerate(content)
            ]
        else:
            raise fields.wrong("content", "must be a string or an array of parts", "invalid_type")
        if phase is not None:
            data = {_FAMILY: {"phase": phase}}
            parts = [Text(p.text, p.cache, p.refusal, data) if isinstance(p, Text) else p for p in parts]
            self._report.keep_for(_FAMILY, fields.place("phase"), phase, changes=False)
        self._add(role, *parts)

    def _part(self, fields: Fields) -> Part:
        kind = fields.required("type", fields.text("type"))
        cache = cache_of(fields)
        if kind in _TEXTS:
            fields.forget("annotations", "logprobs")  # what the model cited is in its text
            part: Part = Text(fields.required("text", fields.text("text")), cache)
        elif kind == "refusal":
            part = Text(fields.required("refusal", fields.text("refusal")), refusal=True)
        elif kind == "input_image":
            part = self._image(fields, cache)
        elif kind == "input_file":
            part = self._file(fields, cache)
        elif kind == "input_audio":
            part = audio_of(fields.required("input_audio", fields.inner("input_audio")))
        else:
            raise fields.wrong("type", f"is not served: {kind!r}")
        fields.end()
        return part

    def _image(self, fields: Fields, cache: str | None) -> Part:
        if fields.peek("file_id") is not None:
            return self._stored(fields, "input_image")
        url, detail = fields.text("image_url"), fields.text("detail")
        return image_of(fields, "image_url", fields.required("image_url", url), detail, cache)

    def _file(self, fields: Fields, cache: str | None) -> Part:
        if fields.peek("file_id") is not None:
            return self._stored(fields, "input_file")
        url, name, data = fields.text("file_url"), fields.text("filename"), fields.text("file_data")
        detail = fields.text("detail")
        if detail is not None:
            self._report.keep_for(_FAMILY, fields.place("detail"), detail, changes=False)
        if url is not None:
            return Document(url=url, name=name, cache=cache)
        return document_of(fields, "file_data", fields.required("file_data", data), name, cache)

    def _stored(self, fields: Fields, kind: str) -> RawPart:
        """Keep a file that is stored with OpenAI for OpenAI."""
        self._report.keep_for(_FAMILY, fields.place("file_id"), fields.peek("file_id"))
        wire = {"type": kind, **dict(fields.left())}
        return RawPart(_FAMILY, wire)

    def _function_call(self, fields: Fields) -> None:
        identity = fields.required("call_id", fields.text("call_id"))
        name = fields.required("name", fields.text("name"))
        namespace, own = fields.text("namespace"), self._own_of(fields)
        arguments, raw = parse_arguments(fields.text("arguments") or "")
        fields.end()
        forms = self._forms

        def build() -> ToolCall:
            return ToolCall(identity, forms.name_of(name, namespace), arguments, raw, own)

        self._add("assistant", _Late(build))

    def _custom_call(self, fields: Fields) -> None:
        identity = fields.required("call_id", fields.text("call_id"))
        name = fields.required("name", fields.text("name"))
        namespace, text = fields.text("namespace"), fields.text("input") or ""
        self._own_of(fields)
        fields.end()
        self._add("assistant", _Late(lambda: self._forms.call_of(name, identity, text, namespace)))

    def _own_of(self, fields: Fields) -> Mapping[str, Any] | None:
        """Return the id of an item if OpenAI gave it; those of this surface mean nothing to a service."""
        identity = fields.text("id")
        fields.forget("status", _PASSED)
        caller = fields.take("caller")
        if caller is not None:
            self._report.drop(fields.place("caller"), "only tools that OpenAI runs call others", caller)
        if identity is None or identity.partition("_")[2].startswith(MARK) or not identity.startswith("fc_"):
            return None
        return {_FAMILY: {"id": identity}}

    def _output(self, fields: Fields) -> None:
        identity = fields.required("call_id", fields.text("call_id"))
        fields.forget("id", "status", "name", _PASSED)
        caller = fields.take("caller")
        if caller is not None:
            self._report.drop(fields.place("caller"), "only tools that OpenAI runs call others", caller)
        output: Any = fields.take("output")
        fields.end()
        if isinstance(output, list):
            where = fields.place("output")
            output = tuple(self._part(Fields(w, f"{where}[{n}]", self._report)) for n, w in enumerate(output))
        elif output is not None and not isinstance(output, str):
            raise fields.wrong("output", "must be a string or an array of parts", "invalid_type")
        self._add("tool", ToolResult(identity, output or ""))

    def _reasoning(self, fields: Fields) -> None:
        whole = {
            "type": "reasoning",
            **{k: v for k, v in fields.raw.items() if k not in ("type", "status", _PASSED)},
        }
        identity, sealed_text = fields.text("id") or "", fields.text("encrypted_content")
        pieces = [*(fields.items("summary") or ()), *(fields.items("content") or ())]
        fields.forget("status", _PASSED)
        fields.end()
        text = "\n\n".join(str(piece.get("text") or "") for piece in pieces if isinstance(piece, Mapping))
        parts: list[Any] = []
        sealed = None if sealed_text is None else self._envelopes.open(sealed_text)
        if sealed is not None:
            put_back(sealed, text, self._last_parts(sealed.kind, parts), self._data)
            self._add("assistant", *parts)
        elif sealed_text is not None and Envelopes.is_one(sealed_text):
            self._report.drop(fields.where, "its encrypted content was not sealed here")
        elif sealed_text is None and identity.startswith(f"rs_{MARK}"):
            self._report.drop(
                fields.where, "its provider gave nothing to recognise it by, so nobody would accept it"
            )
        else:
            self._add("assistant", Thinking(text, _FAMILY, None, {"item": whole}))

    def _last_parts(self, kind: str, parts: list[Any]) -> list[Any]:
        """Return the list in which what an envelope holds has its place: the data of a text belongs to the one before."""
        if kind == "text" and self._turns and self._turns[-1][0] == "assistant":
            return self._turns[-1][1]
        return parts

    def _reference(self, fields: Fields) -> None:
        identity = fields.text("id")
        raise SurfaceError(
            f"Item with id '{identity}' not found ({fields.where}): no item is stored. Send items as they are (`store: false`).",
            parameter=fields.where,
            kind="item_not_found",
        )

    def _additional_tools(self, fields: Fields) -> None:
        fields.forget("id", "role", "status")
        where = fields.place("tools")
        tools = [
            Fields(wire, f"{where}[{n}]", self._report) for n, wire in enumerate(fields.items("tools") or ())
        ]
        fields.end()
        self.tools += tools
        if tools:
            self._report.emulate(fields.where, "the tools are offered from the beginning")

    def _update(self, fields: Fields) -> None:
        fields.forget("id", "status")
        self.updates.append(fields)
        self._report.emulate(fields.where, "the settings hold for the whole call")

    def _trigger(self, fields: Fields) -> None:
        raise SurfaceError(
            f"{fields.where} asks for a compaction, which is not served here",
            parameter=fields.where,
            kind="unsupported_parameter",
        )

    def _raw(self, fields: Fields) -> None:
        self._report.keep_for(_FAMILY, fields.where, fields.raw)
        self._add("assistant", RawPart(_FAMILY, dict(fields.raw)))
