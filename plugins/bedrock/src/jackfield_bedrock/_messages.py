"""Build the messages of Converse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jackfield import Audio, Document, Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import UNSET, ParameterWriter, choose_lifetime

from ._files import Files
from ._models import row_of
from ._names import bare_id

__all__ = ["CachePoints", "Conversation"]

_TOOL_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_MARK: Final = "cachePoint"
# Recorded 2024-2026: "The text field in the ContentBlock object … is blank", "… must contain non-whitespace text".
_BRIDGE: Final = "OK."
_BESIDE: Final = "See the document."
_NO_RESULT: Final = "The tool failed and returned nothing."
_MOST_DOCUMENTS: Final = 5
"""Of one message. Source: AWS's service model in botocore 1.44.5 (2026-11)."""
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
        documents: The model takes documents.
    """

    def __init__(
        self,
        model: str,
        writer: ParameterWriter,
        cache: CachePoints,
        *,
        emulate: bool,
        system: bool,
        documents: bool = True,
    ) -> None:
        self._family = row_of(model)["family"].partition("-")[0]
        self._is_mistral = bare_id(model).startswith("mistral.")
        self._files = Files(writer, documents=documents)
        self._writer = writer
        self._cache = cache
        self._emulate = emulate
        self._accepts_system = system
        self._ids: dict[str, str] = {}

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
            parts: Sequence[Part] = message.parts
            if message.role in ("system", "assistant"):
                parts = self._without_files(parts, where, message.role)
            blocks = self._blocks(parts, where, first=not written and message.role == "user")
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
        return tops, self._finish(written)

    def _without_files(self, parts: Sequence[Part], where: str, role: str) -> Sequence[Part]:
        """Return parts without files, which only turns of the user may have."""
        if not any(isinstance(part, Image | Audio | Document) for part in parts):
            return parts
        report = self._writer.drop if role == "assistant" else self._writer.refuse
        for part in parts:
            if isinstance(part, Image | Audio | Document):
                report(where, "the service accepts files only in turns of the user")
        return [part for part in parts if not isinstance(part, Image | Audio | Document)]

    def _finish(self, written: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Apply the rules for whole turns: which one is first, what stands beside documents and behind tool results."""
        finished: list[dict[str, Any]] = []
        if written and written[0]["role"] == "assistant":
            why = "the service requires a conversation to begin with a turn of the user"
            self._emulate_or_refuse("messages", why, _BRIDGE)
            finished.append({"role": "user", "content": [{"text": _BRIDGE}]})
        for turn in written:
            if turn["role"] == "user":
                self._check_documents(turn["content"])
            finished += self._bridged(turn)
        return finished

    def _check_documents(self, blocks: list[dict[str, Any]]) -> None:
        count = sum("document" in block for block in blocks)
        if count > _MOST_DOCUMENTS:
            why = f"the service accepts {_MOST_DOCUMENTS} documents in a message, and joins adjacent messages of the user"
            self._writer.refuse("messages", why, count)
            excess = [block for block in blocks if "document" in block][_MOST_DOCUMENTS:]
            blocks[:] = [block for block in blocks if not any(block is one for one in excess)]
        if count and not any("text" in block for block in blocks):
            self._emulate_or_refuse("messages", "the service requires text beside a document", _BESIDE)
            blocks.append({"text": _BESIDE})

    def _bridged(self, turn: dict[str, Any]) -> list[dict[str, Any]]:
        """Put an assistant's turn between tool results and what the user says after them, as Mistral's models require.

        Source: mistral-common, validation of roles (2025): "Unexpected role 'user' after role 'tool'".
        """
        blocks = turn["content"]
        first = next((index for index, block in enumerate(blocks) if "toolResult" in block), len(blocks))
        if not self._is_mistral or all("toolResult" in block for block in blocks[first:]):
            return [turn]
        why = "the model accepts no turn of the user straight after a tool's result"
        self._emulate_or_refuse("messages", why, _BRIDGE)
        results = [block for block in blocks if "toolResult" in block]
        rest = [block for block in blocks if "toolResult" not in block]
        return [
            {"role": "user", "content": results},
            {"role": "assistant", "content": [{"text": _BRIDGE}]},
            {"role": "user", "content": rest},
        ]

    def _emulate_or_refuse(self, where: str, why: str, text: str) -> None:
        if not self._emulate:
            self._writer.refuse(where, f"{why}; emulate is off")
        self._writer.note(where, "emulated", wire="messages", value=text, why=f"{why}: text was added")

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
            block = self._files.build(part, where)
            if block is not None:
                yield block
        elif isinstance(part, Thinking):
            yield from self._thinking(part, where)
        elif isinstance(part, ToolCall):
            yield self._call(part, where)
        elif isinstance(part, ToolResult):
            yield from self._result(part, where)
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

    def _result(self, result: ToolResult, where: str) -> Iterator[dict[str, Any]]:
        """Build a tool's result, and behind it the documents that the model accepts only beside it.

        Nova answers "extraneous key [toolResult] is not permitted" to documents in results (recorded in 2026).
        """
        parts = (Text(result.content),) if isinstance(result.content, str) else result.content
        content: list[dict[str, Any]] = []
        beside: list[dict[str, Any]] = []
        for part in parts:
            if isinstance(part, Text):
                if part.text.strip():
                    content.append({"text": part.text})
                elif part.text:
                    self._left_out(part, where)
            elif (block := self._files.build(part, where)) is not None:
                outside = "document" in block and self._family == "nova"
                (beside if outside else content).append(block)
        if beside:
            why = "the model accepts no documents in results of tools"
            if not self._emulate:
                self._writer.refuse(where, f"{why}; emulate is off")
            self._writer.note(where, "emulated", wire="messages", why=f"{why}: they stand beside it")
        wire: dict[str, Any] = {"toolUseId": self._id(result.tool_call_id, where), "content": content}
        if result.is_error:
            wire["status"] = "error"
            if not content:  # "The content field … cannot be empty when status value is error" (2026)
                self._writer.note(
                    where, "defaulted", value=_NO_RESULT, why="the service requires text in an error"
                )
                content.append({"text": _NO_RESULT})
        yield {"toolResult": wire}
        yield from beside
