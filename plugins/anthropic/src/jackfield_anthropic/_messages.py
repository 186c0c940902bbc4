"""Build the messages of the Messages API."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jackfield import Document, Image, Message, Part, RawPart, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import UNSET, Options, ParameterWriter, choose_lifetime

from ._dialect import Dialect
from ._models import Profile
from ._settings import NEW_VERSION

__all__ = ["Conversation", "cache_mark"]

_TOOL_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
# Recorded 2024-2026: "text content blocks must be non-empty", "… must contain non-whitespace text".
_MARKED: Final = frozenset({"text", "image", "document", "tool_use", "tool_result"})
_BLANK: Final = "the service rejects blank text"


def cache_mark(cache: str, writer: ParameterWriter, where: str) -> dict[str, str]:
    """Build a cache mark. Source: Anthropic's Python SDK 2.12.0: `ttl` is "5m" or "1h"."""
    ttl = choose_lifetime(writer, cache, ("5m", "1h"), where=where, wire="cache_control.ttl")
    return {"type": "ephemeral", "ttl": ttl}


class Conversation:
    """Builds the messages of one conversation; what the service does not accept is left out and reported.

    Args:
        dialect: The service, whose own thinking and raw parts are sent back.
        writer: Collects the report.
        profile: The model's profile.
        version: The API version of the call.
        options: The options of the call.
    """

    def __init__(
        self, dialect: Dialect, writer: ParameterWriter, profile: Profile, version: str, options: Options
    ) -> None:
        self._dialect = dialect
        self._writer = writer
        self._profile = profile
        self._new = version == NEW_VERSION
        self._options = options
        self._ids: dict[str, str] = {}
        self._system: list[dict[str, Any]] = []

    def write(self, system: Any, messages: Sequence[Message]) -> tuple[Any, list[dict[str, Any]]]:
        """Build the system prompt and the messages.

        Args:
            system: The option `system`, or `UNSET`.
            messages: The conversation.

        Returns:
            The system prompt (a string, blocks, or None if there is none) and the messages.
        """
        if system is not UNSET:
            self._put_system(system)
        written: list[dict[str, Any]] = []
        after_tool = False
        for index, message in enumerate(messages):
            where = f"messages[{index}]"
            if message.name is not None:
                self._writer.drop(
                    f"{where}.name", "the service does not accept names of participants", message.name
                )
            if message.role == "system" and not self._keep_in_place(written, where):
                self._system += self._blocks(message.parts, message.role, where)
                continue
            wire = self._message(message, where)
            if wire is None:
                continue
            if message.role == "tool" and after_tool:
                written[-1]["content"] += wire[
                    "content"
                ]  # the service expects all results of a turn in one message
            else:
                written.append(wire)
            after_tool = message.role == "tool"
        return _simplify(self._system) if self._system else None, written

    def _put_system(self, system: str) -> None:
        if not system.strip():
            self._writer.drop("system", _BLANK, system)
            return
        self._writer.note("system", "sent", wire="system", value=system)
        self._system.append({"type": "text", "text": system})

    def _keep_in_place(self, written: Sequence[object], where: str) -> bool:
        """Return whether a system message stays where it is; it is moved to the system prompt otherwise."""
        if not written:
            return False
        if self._profile.mid_system is not False:
            return True
        why = "the model honours system messages only at the beginning"
        if not self._options.emulate:
            self._writer.refuse(where, why)
        self._writer.note(where, "emulated", wire="system", why=f"{why}: it was moved there")
        return False

    def _message(self, message: Message, where: str) -> dict[str, Any] | None:
        blocks = self._blocks(message.parts, message.role, where)
        if not blocks:
            self._writer.drop(where, "the service does not accept a message without content")
            return None
        if message.role == "tool":
            return {"role": "user", "content": blocks}
        results = [block for block in blocks if block.get("type") == "tool_result"]
        if results and blocks[: len(results)] != results:
            self._writer.note(
                where, "emulated", why="the service requires tool results before all other content"
            )
            blocks = [*results, *(block for block in blocks if block.get("type") != "tool_result")]
        return {"role": message.role, "content": _simplify(blocks)}

    def _blocks(self, parts: Sequence[Part], role: str, where: str) -> list[dict[str, Any]]:
        blocks: list[dict[str, Any]] = []
        for part in parts:
            if isinstance(part, Text) and not part.text.strip():
                self._leave_out(part, blocks, where)
            else:
                blocks += self._part(part, role, where)
        return blocks

    def _leave_out(self, part: Text, before: list[dict[str, Any]], where: str) -> None:
        """Leave out a blank text, such as models write before their tool calls; its mark goes to the block before it."""
        self._writer.drop(where, _BLANK, part.text)
        if part.cache is not None and before and before[-1]["type"] in _MARKED:
            before[-1].setdefault("cache_control", cache_mark(part.cache, self._writer, where))

    def _part(self, part: Part, role: str, where: str) -> Iterator[dict[str, Any]]:
        if isinstance(part, Text):
            yield self._with_mark(self._text(part, role, where), part.cache, where)
        elif isinstance(part, Image):
            yield self._with_mark(self._image(part, where), part.cache, where)
        elif isinstance(part, Document):
            if role == "assistant" and self._new:
                why = "the API version 2026-10-21 does not accept documents from the assistant"
                self._writer.refuse(where, why)
            else:
                yield self._with_mark(self._document(part), part.cache, where)
        elif isinstance(part, Thinking):
            yield from self._thinking(part, where)
        elif isinstance(part, ToolCall):
            yield self._call(part, where)
        elif isinstance(part, ToolResult):
            yield self._result(part, role, where)
        elif isinstance(part, RawPart):
            if part.provider in self._dialect.ids:
                yield dict(part.data)
            else:
                self._writer.drop(
                    where, f"it was produced by {part.provider} and cannot be sent to another provider"
                )
        else:
            self._writer.refuse(where, f"the service does not accept a {type(part).__name__}")

    def _with_mark(self, block: dict[str, Any], cache: str | None, where: str) -> dict[str, Any]:
        if cache is not None:
            block["cache_control"] = cache_mark(cache, self._writer, where)
        return block

    def _own(self, data: Mapping[str, Any] | None, where: str) -> Mapping[str, Any]:
        """Return the data that this service attached to a part; that of other providers is dropped and reported."""
        found: Mapping[str, Any] = {}
        for provider, value in (data or {}).items():
            if provider in self._dialect.ids:
                found = value
            else:
                self._writer.drop(
                    f"{where}.provider_data",
                    f"it was produced by {provider} and cannot be sent to another provider",
                )
        return found

    def _text(self, part: Text, role: str, where: str) -> dict[str, Any]:
        block: dict[str, Any] = {"type": "text", "text": part.text}
        own = dict(self._own(part.provider_data, where))
        if self._new and role == "user" and own.pop("citations", None):
            self._writer.drop(
                f"{where}.citations", "the API version 2026-10-21 does not accept citations from the user"
            )
        return {**block, **own}

    def _image(self, part: Image, where: str) -> dict[str, Any]:
        if part.detail is not None:
            self._writer.drop(f"{where}.detail", "the service has no such setting", part.detail)
        if part.url is not None:
            return {"type": "image", "source": {"type": "url", "url": part.url}}
        media_type = part.media_type
        if media_type is None:
            media_type = "image/png"
            why = "the service requires the media type of an image"
            self._writer.note(
                f"{where}.media_type", "defaulted", wire="media_type", value=media_type, why=why
            )
        return {"type": "image", "source": _base64(part.data, media_type)}

    def _document(self, part: Document) -> dict[str, Any]:
        kind = part.media_type or "application/pdf"
        text = part.text
        if part.data is not None and kind.startswith("text/"):
            text = part.data.decode("utf-8-sig", "replace")
        if text is not None:
            source: dict[str, Any] = {"type": "text", "media_type": "text/plain", "data": text}
        elif part.url is not None:
            source = {"type": "url", "url": part.url}
        else:
            source = _base64(part.data, kind)
        block: dict[str, Any] = {"type": "document", "source": source}
        if part.name is not None:
            block["title"] = part.name
        if part.citations:
            block["citations"] = {"enabled": True}
        return block

    def _thinking(self, part: Thinking, where: str) -> Iterator[dict[str, Any]]:
        """Build thinking for sending back, unchanged and with its signature; without a signature it is left out."""
        data = part.data or {}
        if part.provider not in self._dialect.ids:
            why = f"it was produced by {part.provider} and cannot be sent to another provider"
            self._writer.drop(f"{where}.thinking", why)
        elif "data" in data and "signature" not in data:
            yield {"type": "redacted_thinking", **data}
        elif "signature" in data:
            yield {"type": "thinking", "thinking": part.text, **data}
        else:
            self._writer.drop(
                f"{where}.thinking", "the service does not accept thinking without its signature"
            )

    def _call(self, call: ToolCall, where: str) -> dict[str, Any]:
        arguments = call.arguments
        if call.arguments_raw is not None:
            # Source: fine-grained tool streaming guide, 2025: invalid arguments are shown to the model like this.
            arguments = {"INVALID_JSON": call.arguments_raw}
            why = "the service requires a JSON object, which the arguments are not"
            self._writer.note(f"{where}.arguments", "emulated", wire="input", why=why)
        own = self._own(call.provider_data, where)
        name = self._id(call.id, where)
        return {"type": "tool_use", "id": name, "name": call.name, "input": arguments, **own}

    def _result(self, result: ToolResult, role: str, where: str) -> dict[str, Any]:
        content: Any = result.content
        if not isinstance(content, str):
            content = self._blocks(content, role, where)
        elif content.isspace():
            self._writer.drop(where, _BLANK, content)
            content = ""
        block: dict[str, Any] = {
            "type": "tool_result",
            "tool_use_id": self._id(result.tool_call_id, where),
        }
        if content:  # a result without content says that there was none
            block["content"] = content
        if result.is_error:
            block["is_error"] = True
        return self._with_mark(block, result.cache, where)

    def _id(self, original: str, where: str) -> str:
        """Return a tool call's id in the characters that the service accepts: A-Z a-z 0-9 _ and -."""
        if _TOOL_ID.fullmatch(original):
            return original
        if original not in self._ids:
            name = re.sub(r"[^A-Za-z0-9_-]", "_", original) or "call"
            self._ids[original] = f"{name}_{len(self._ids)}"
            why = "the service accepts only letters, digits, _ and - in ids"
            self._writer.note(f"{where}.id", "emulated", wire="id", value=self._ids[original], why=why)
        return self._ids[original]


def _simplify(blocks: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return a single plain text as a string, which means the same; otherwise the blocks."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"} and blocks[0]["type"] == "text":
        text: str = blocks[0]["text"]
        return text
    return blocks


def _base64(data: bytes | None, media_type: str) -> dict[str, Any]:
    encoded = base64.b64encode(data or b"").decode()
    return {"type": "base64", "media_type": media_type, "data": encoded}
