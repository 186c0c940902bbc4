"""Messages: the conversation of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Document, Image, Message, Part, RawPart, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import Role

from ._envelopes import Envelopes, apply_to_calls, put_back
from ._fields import Fields, Report
from ._parts import base64_of

__all__ = ["FAMILY", "Conversation", "cache_of"]

FAMILY: Final = "anthropic"
"""The id of the provider whose API this is."""

_BILLING: Final = "x-anthropic-billing-header:"
_ROLES: Final[Mapping[str, Role]] = {"user": "user", "assistant": "assistant", "system": "system"}
_DEFAULT_LIFETIME: Final = "5m"
_INVALID: Final = "INVALID_JSON"


def cache_of(fields: Fields) -> str | None:
    """Take the mark of the end of a cacheable prefix."""
    mark = fields.inner("cache_control")
    if mark is None:
        return None
    mark.word("type", ("ephemeral",))
    mark.forget("scope")
    lifetime = mark.text("ttl") or _DEFAULT_LIFETIME
    mark.end()
    return lifetime


class Conversation:
    """Reads messages.

    Attributes:
        settings: The settings that stand in messages, in order.
        referenced: The names of deferred tools that results have loaded.
    """

    def __init__(self, report: Report, envelopes: Envelopes) -> None:
        self.report = report
        self.envelopes = envelopes
        self.settings: list[Fields] = []
        self.referenced: set[str] = set()

    def system(self, fields: Fields) -> list[Message]:
        """Read the system prompt, whose blocks are the parts of one message."""
        system = fields.peek("system")
        if isinstance(system, str):
            fields.forget("system")
            return [Message("system", system)] if system else []
        parts: list[Part] = []
        for number, wire in enumerate(fields.items("system") or ()):
            block = Fields(wire, f"system.{number}", self.report)
            if str(block.peek("text")).startswith(_BILLING):
                why = "it is for Anthropic's billing, and would change what other services can cache"
                self.report.drop(block.where, why)
                continue
            parts.append(self.text(block))
        return [Message("system", tuple(parts))] if parts else []

    def messages(self, fields: Fields) -> list[Message]:
        """Read one message. Results of tools among other blocks become a turn of their own."""
        said = fields.required("role", fields.text("role"))
        role = _ROLES.get(said)
        if role is None:
            raise fields.wrong("role", f'Unexpected role "{said}". Allowed roles are "user" or "assistant".')
        config = fields.inner("output_config")
        if config is not None:
            self.settings.append(config)
        content = fields.required("content", fields.take("content"))
        fields.end()
        if isinstance(content, str):
            return [Message(role, content)]
        if not isinstance(content, list):
            raise fields.wrong("content", "must be a string or an array of blocks", "invalid_type")
        blocks = [Fields(wire, f"{fields.where}.content.{n}", self.report) for n, wire in enumerate(content)]
        if role == "assistant":
            return [Message("assistant", tuple(self.assistant(blocks)))]
        return self.turns(role, [self.block(block) for block in blocks])

    def turns(self, role: Role, parts: list[Part]) -> list[Message]:
        turns: list[Message] = []
        for part in parts:
            wanted: Role = "tool" if isinstance(part, ToolResult) else role
            if turns and turns[-1].role == wanted:
                turns[-1] = Message(wanted, (*turns[-1].parts, part))
            else:
                turns.append(Message(wanted, (part,)))
        return turns or [Message(role, ())]

    def assistant(self, blocks: list[Fields]) -> list[Any]:
        parts: list[Any] = []
        data: dict[str, Mapping[str, Any]] = {}
        for block in blocks:
            kind = block.peek("type")
            if kind == "thinking":
                self.thinking(block, parts, data)
            elif kind == "redacted_thinking":
                self.hidden(block, parts, data)
            elif kind == "tool_use":
                parts.append(self.call(block))
            elif kind in ("text", "image", "document"):
                parts.append(self.block(block))
            else:
                parts.append(self.raw(block))
        return apply_to_calls(parts, data)

    def thinking(self, fields: Fields, parts: list[Any], data: dict[str, Mapping[str, Any]]) -> None:
        fields.forget("type")
        text, signature = fields.text("thinking") or "", fields.text("signature") or ""
        fields.end()
        sealed = self.envelopes.open(signature)
        if sealed is not None:
            put_back(sealed, text, parts, data)
        elif not signature:
            self.report.drop(fields.where, "it has no signature, so that no service would accept it")
        elif Envelopes.is_one(signature):
            self.report.drop(fields.where, "its signature was not sealed here")
        else:
            parts.append(Thinking(text, FAMILY, None, {"signature": signature}))

    def hidden(self, fields: Fields, parts: list[Any], data: dict[str, Mapping[str, Any]]) -> None:
        fields.forget("type")
        value = fields.required("data", fields.text("data"))
        fields.end()
        sealed = self.envelopes.open(value)
        if sealed is not None:
            put_back(sealed, "", parts, data)
        elif Envelopes.is_one(value):
            self.report.drop(fields.where, "it was not sealed here")
        else:
            parts.append(Thinking("", FAMILY, None, {"data": value}))

    def call(self, fields: Fields) -> ToolCall:
        fields.forget("type")
        identity = fields.required("id", fields.text("id"))
        name = fields.required("name", fields.text("name"))
        arguments, raw = fields.mapping("input") or {}, None
        if arguments.keys() == {_INVALID} and isinstance(arguments[_INVALID], str):
            arguments, raw = (
                {},
                arguments[_INVALID],
            )  # as an answer shows them; see the guide to fine-grained streaming
        self.drop_mark(fields)
        own = dict(fields.left())
        return ToolCall(identity, name, arguments, raw, {FAMILY: own} if own else None)

    def drop_mark(self, fields: Fields) -> None:
        mark = fields.take("cache_control")
        if mark is not None:
            self.report.drop(fields.place("cache_control"), "a mesh has no such mark of a tool call", mark)

    def raw(self, fields: Fields) -> RawPart:
        self.report.keep_for(FAMILY, fields.where, fields.raw)
        return RawPart(FAMILY, dict(fields.raw))

    def block(self, fields: Fields) -> Part:
        kind = fields.required("type", fields.peek("type"))
        if kind == "text":
            return self.text(fields)
        if kind == "image":
            return self.image(fields)
        if kind == "document":
            return self.document(fields)
        if kind == "tool_result":
            return self.result(fields)
        return self.raw(fields)

    def text(self, fields: Fields) -> Text:
        fields.word("type", ("text",))
        text = fields.required("text", fields.text("text"))
        cache = cache_of(fields)
        citations = fields.items("citations")
        fields.end()
        return Text(text, cache, False, {FAMILY: {"citations": citations}} if citations else None)

    def source(self, fields: Fields, known: tuple[str, ...]) -> tuple[str, Fields]:
        source = fields.required("source", fields.inner("source"))
        return source.required("type", source.word("type", known)), source

    def image(self, fields: Fields) -> Part:
        kind, source = self.source(fields, ("base64", "url", "file"))
        if kind == "file":
            return self.raw(fields)
        fields.forget("type")
        cache = cache_of(fields)
        if kind == "url":
            image = Image(url=source.required("url", source.text("url")), cache=cache)
        else:
            media = source.required("media_type", source.text("media_type"))
            data = source.required("data", source.text("data"))
            image = Image(base64_of(source, "data", data), None, media, None, cache)
        source.end()
        fields.end()
        return image

    def document(self, fields: Fields) -> Part:
        kind, source = self.source(fields, ("base64", "text", "content", "url", "file"))
        if kind in ("content", "file"):
            return self.raw(fields)
        fields.forget("type")
        cited = fields.inner("citations")
        common: dict[str, Any] = {
            "name": fields.text("title"),
            "cache": cache_of(fields),
            "citations": cited is not None and bool(cited.flag("enabled")),
        }
        context = fields.take("context")
        if context is not None:
            self.report.keep_for(FAMILY, fields.place("context"), context)
        source_data = source.text("url" if kind == "url" else "data")
        data = source.required("url" if kind == "url" else "data", source_data)
        media = source.text("media_type")
        source.end()
        fields.end()
        if kind == "url":
            return Document(url=data, **common)
        if kind == "text":
            return Document(text=data, **common)
        return Document(data=base64_of(source, "data", data), media_type=media, **common)

    def result(self, fields: Fields) -> ToolResult:
        fields.forget("type")
        identity = fields.required("tool_use_id", fields.text("tool_use_id"))
        failed, cache = fields.flag("is_error") or False, cache_of(fields)
        content: Any = fields.take("content")
        if isinstance(content, list):
            where = fields.place("content")
            parts = [self.inside(Fields(wire, f"{where}.{n}", self.report)) for n, wire in enumerate(content)]
            content = tuple(parts)
        elif content is not None and not isinstance(content, str):
            raise fields.wrong("content", "must be a string or an array of blocks", "invalid_type")
        fields.end()
        return ToolResult(identity, content or "", failed, None, cache)

    def inside(self, fields: Fields) -> Any:
        """Read a block in the result of a tool."""
        kind = fields.required("type", fields.peek("type"))
        if kind == "tool_reference":
            name = fields.required("tool_name", fields.text("tool_name"))
            self.referenced.add(name)
            self.report.emulate(
                fields.where, "a reference to a tool became text, and the tool is offered", name
            )
            return Text(f"The tool {name} is available now.")
        if kind == "search_result":
            return self.search_result(fields)
        return self.block(fields)

    def search_result(self, fields: Fields) -> Document:
        texts = []
        for number, wire in enumerate(fields.items("content") or ()):
            block = Fields(wire, f"{fields.where}.content.{number}", self.report)
            texts.append(self.text(block).text)
        source, title, cited = fields.text("source"), fields.text("title"), fields.inner("citations")
        cites = cited is not None and bool(cited.flag("enabled"))
        cache = cache_of(fields)
        fields.forget("type")
        fields.end()
        self.report.emulate(fields.where, "a search result became a document", source)
        text = "\n\n".join([*([source] if source else []), *texts])
        return Document(text=text, name=title or source, citations=cites, cache=cache)
