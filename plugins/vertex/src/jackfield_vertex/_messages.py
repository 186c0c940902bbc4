"""Write a conversation as Gemini's contents."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jackfield import Audio, Document, Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import UNSET, ParameterWriter

__all__ = ["Conversation"]

PROVIDER: Final = "vertex"
_ROLES: Final = {"assistant": "model", "user": "user", "tool": "user"}
_DEFAULT_TYPES: Final = {Image: "image/png", Audio: "audio/wav", Document: "application/pdf"}
# The service requires a type for addresses, too; unless the caller passes it, it is guessed from the address.
_TYPES: Final = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif",
    "heic": "image/heic", "pdf": "application/pdf", "txt": "text/plain", "html": "text/html", "csv": "text/csv",
    "md": "text/markdown", "wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "ogg": "audio/ogg",
    "m4a": "audio/mp4", "mp4": "video/mp4", "mov": "video/mov", "webm": "video/webm", "mpeg": "video/mpeg",
}  # fmt: skip
_EMPTY: Final = "the service rejects empty text"
# The service checks the signatures of calls, and documents this value for calls that another model made. Source: Vertex
# AI, thought signatures (2026).
_UNSIGNED: Final = "skip_thought_signature_validator"
_CACHE: Final = "the service caches prefixes by itself; extra.vertex.cachedContent names a cache of your own"


class Conversation:
    """Write one conversation; what the service does not support is dropped and reported.

    Args:
        writer: Reports what became of each part.
        emulate: Whether a later system message may be moved to the top.
        signed: The model requires a signature of the first call of each turn.
    """

    def __init__(self, writer: ParameterWriter, *, emulate: bool, signed: bool = False) -> None:
        self._writer = writer
        self._emulate = emulate
        self._signed = signed
        self._alone = False
        self._calls: dict[str, tuple[int, ToolCall]] = {}
        self._orders: dict[int, int] = {}  # by the identity of a result on the wire: the number of its call

    def write(
        self, system: Any, messages: Sequence[Message]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Write the conversation.

        Args:
            system: The option, or `UNSET`.
            messages: The conversation.

        Returns:
            The parts of the system instruction, and the contents. Consecutive turns of one role are merged, and tool
            results are in the order of the calls, as the service requires.
        """
        top: list[dict[str, Any]] = []
        if system is not UNSET:
            if system:
                self._writer.note("system", "renamed", wire="systemInstruction", value=system)
                top.append({"text": system})
            else:
                self._writer.drop("system", _EMPTY, system)
        contents: list[dict[str, Any]] = []
        self._alone = len(messages) == 1 and len(messages[0].parts) == 1  # without it nothing would be asked
        before: str | None = None
        for index, message in enumerate(messages):
            where = f"messages[{index}]"
            if message.name is not None:
                self._writer.drop(f"{where}.name", "participants have no names here", message.name)
            parts = [wire for part in self._register_calls(message) for wire in self._part(part, where)]
            if message.role == "system":
                self._to_top(parts, top, where, first=not contents)
                continue
            if not parts:
                self._writer.drop(where, "the service accepts no message without content")
                continue
            if self._signed and message.role == "assistant" and message.role != before:
                self._sign(parts, where)
            if message.role == before:
                contents[-1]["parts"] += parts
            else:
                contents.append({"role": _ROLES[message.role], "parts": parts})
            before = message.role
            if before == "tool":
                self._sort_results(contents[-1]["parts"], where)
        return top, contents

    def _sign(self, parts: list[dict[str, Any]], where: str) -> None:
        """Add to calls of another model what lets them through; of calls in one turn, the first one is checked."""
        call = next((part for part in parts if "functionCall" in part), None)
        if call is not None and "thoughtSignature" not in call:
            call["thoughtSignature"] = _UNSIGNED
            why = "the model requires a signature of calls, and another one made this call"
            self._writer.note(
                f"{where}.thoughtSignature", "emulated", wire="thoughtSignature", value=_UNSIGNED, why=why
            )

    def _to_top(
        self, parts: list[dict[str, Any]], top: list[dict[str, Any]], where: str, *, first: bool
    ) -> None:
        if not first:
            why = "the service has one system instruction, at the top"
            if not self._emulate:
                self._writer.refuse(where, why)
            self._writer.note(where, "emulated", wire="systemInstruction", why=f"{why}: it was moved there")
        top += parts

    def _register_calls(self, message: Message) -> Iterator[Part]:
        for number, part in enumerate(message.parts):
            if isinstance(part, ToolCall):
                self._calls[part.id] = (number, part)
            yield part

    def _sort_results(self, parts: list[dict[str, Any]], where: str) -> None:
        """Put results into the order of their calls: calls may have no id, so only the order tells them apart."""
        orders = [self._orders.get(id(part)) for part in parts]
        known = [order for order in orders if order is not None]
        if known == sorted(known) or len(known) != len(parts):
            return
        parts.sort(key=lambda part: self._orders[id(part)])
        self._writer.note(where, "emulated", why="the service requires results in the order of the calls")

    def _part(self, part: Part, where: str) -> Iterator[dict[str, Any]]:
        cache = getattr(part, "cache", None)
        if cache is not None:
            self._writer.drop(f"{where}.cache", _CACHE, cache)
        if isinstance(part, Text):
            wire = {"text": part.text, **self._own(part.provider_data, where)}
            if (
                wire == {"text": ""} and not self._alone
            ):  # one with a signature is the service's own, and is sent back
                self._writer.drop(where, _EMPTY, "")
            else:
                yield wire
        elif isinstance(part, Document) and part.text == "":
            self._writer.drop(where, _EMPTY, "")
        elif isinstance(part, Image | Audio | Document):
            yield self._file(part, where)
        elif isinstance(part, Thinking):
            yield from self._thinking(part, where)
        elif isinstance(part, ToolCall):
            yield self._call(part, where)
        elif isinstance(part, ToolResult):
            yield from self._result(part, where)
        elif part.provider == PROVIDER:
            yield dict(part.data)
        else:
            self._writer.drop(where, f"it was produced by {part.provider} and cannot be sent elsewhere")

    def _own(self, data: Mapping[str, Any] | None, where: str) -> dict[str, Any]:
        """Return the data that this service attached to a part; other data is dropped and reported."""
        found: dict[str, Any] = {}
        for provider, value in (data or {}).items():
            if provider == PROVIDER:
                found = dict(value)
            else:
                self._writer.drop(f"{where}.provider_data", f"it was produced by {provider}")
        return found

    def _file(self, part: Image | Audio | Document, where: str) -> dict[str, Any]:
        for name in ("detail", "name", "citations"):
            value = getattr(part, name, None)
            if value:
                self._writer.drop(f"{where}.{name}", "the service has no such setting of a part", value)
        if isinstance(part, Document) and part.text is not None:
            return {"text": part.text}
        url = part.url
        if url is not None and url.startswith("data:"):
            head, _, data = url[5:].partition(",")
            return {"inlineData": {"mimeType": head.partition(";")[0], "data": data}}
        kind = part.media_type or self._guess_type(part, where)
        if url is not None:
            return {"fileData": {"mimeType": kind, "fileUri": url}}
        return {"inlineData": {"mimeType": kind, "data": base64.b64encode(part.data or b"").decode()}}

    def _guess_type(self, part: Image | Audio | Document, where: str) -> str:
        ending = (part.url or "").partition("?")[0].rpartition(".")[2].lower()
        kind = _TYPES.get(ending, _DEFAULT_TYPES[type(part)])
        why = "the service requires the type of a file"
        self._writer.note(f"{where}.media_type", "defaulted", wire="mimeType", value=kind, why=why)
        return kind

    def _thinking(self, part: Thinking, where: str) -> Iterator[dict[str, Any]]:
        """Send thinking back unchanged, or drop it."""
        data = part.data or {}
        if part.provider != PROVIDER or "signature" in data or "data" in data:
            maker = part.provider if part.provider != PROVIDER else "anthropic"
            self._writer.drop(f"{where}.thinking", f"it was produced by {maker} and cannot be sent elsewhere")
            return
        if part.text or data:
            yield {"text": part.text, "thought": True, **data}

    def _call(self, call: ToolCall, where: str) -> dict[str, Any]:
        arguments: Any = call.arguments
        if call.arguments_raw is not None:
            arguments = {"INVALID_JSON": call.arguments_raw}
            why = "the service requires an object, and the arguments are not one"
            self._writer.note(f"{where}.arguments", "emulated", wire="args", why=why)
        own = self._own(call.provider_data, where)
        name = own.pop("id", None)
        wire = {"name": call.name, "args": arguments}
        return {"functionCall": wire if name is None else {**wire, "id": name}, **own}

    def _result(self, result: ToolResult, where: str) -> Iterator[dict[str, Any]]:
        order, call = self._calls.get(result.tool_call_id, (None, None))
        name = result.name if call is None else call.name
        if name is None:
            why = "the service requires the tool's name, and no call has this id; pass ToolResult a name"
            self._writer.refuse(f"{where}.tool_call_id", why, result.tool_call_id)
            return
        response = {"error" if result.is_error else "result": result.text}
        wire: dict[str, Any] = {"name": name, "response": response}
        own = {} if call is None else (call.provider_data or {}).get(PROVIDER, {})
        if "id" in own:
            wire["id"] = own["id"]
        if not isinstance(result.content, str):
            files = [self._file(part, where) for part in result.content if not isinstance(part, Text)]
            if files:
                wire["parts"] = files
        written = {"functionResponse": wire}
        if order is not None:
            self._orders[id(written)] = order
        yield written
