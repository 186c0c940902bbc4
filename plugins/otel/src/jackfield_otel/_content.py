"""Prompts and answers in the form of the conventions, recorded only if the environment asks for them.

Messages as gen_ai.input.messages and gen_ai.output.messages describe them (November 2026): a role and parts, each
with a type. Bytes are never written, only their number.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any, Final

from jackfield import Audio, Document, Image, Part, RawPart, Reply, Text, Thinking, ToolCall, ToolResult
from jackfield.plugin import UNSET, Call, ChatRequest, CompletionRequest, CountRequest, SummarizeRequest

__all__ = ["input_content", "is_requested", "output_content"]

VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_REQUESTING: Final = frozenset({"true", "span_only", "span_and_event"})


def is_requested() -> bool:
    """Return whether the environment asks for content on spans."""
    return os.environ.get(VARIABLE, "").strip().lower() in _REQUESTING


def input_content(call: Call) -> dict[str, str]:
    """Return the attributes that contain what was asked."""
    request = call.request
    if isinstance(request, ChatRequest | CountRequest):
        messages = [{"role": m.role, "parts": _parts(m.parts)} for m in request.messages]
    elif isinstance(request, CompletionRequest | SummarizeRequest):
        text = request.prompt if isinstance(request, CompletionRequest) else request.text
        messages = [{"role": "user", "parts": [_text(text)]}]
    else:
        return {}
    attributes = {"gen_ai.input.messages": _json(messages)}
    system = request.options.system
    if system is not UNSET:
        attributes["gen_ai.system_instructions"] = _json([_text(system)])
    return attributes


def output_content(reply: object) -> dict[str, str]:
    """Return the attributes that contain what was answered."""
    if not isinstance(reply, Reply) or not reply.choices:
        return {}
    messages = [
        {
            "role": "assistant",
            "parts": _parts(choice.message.parts),
            "finish_reason": _FINISH.get(choice.finish_reason or "error", choice.finish_reason or "error"),
        }
        for choice in reply.choices
    ]
    return {"gen_ai.output.messages": _json(messages)}


_FINISH: Final = {"tool_calls": "tool_call"}


def _parts(parts: Iterable[Part]) -> list[dict[str, Any]]:
    return [_part(part) for part in parts]


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return _text(part.text)
    if isinstance(part, Thinking):
        return {"type": "reasoning", "content": part.text}
    if isinstance(part, ToolCall):
        arguments = part.arguments if part.arguments_raw is None else part.arguments_raw
        return {"type": "tool_call", "id": part.id, "name": part.name, "arguments": arguments}
    if isinstance(part, ToolResult):
        return {"type": "tool_call_response", "id": part.tool_call_id, "response": part.text}
    if isinstance(part, RawPart):
        return {"type": "raw", "provider": part.provider}
    if isinstance(part, Document) and part.text is not None:
        return _text(part.text)
    return _medium(part)


def _medium(part: Image | Audio | Document) -> dict[str, Any]:
    medium: dict[str, Any] = {"modality": type(part).__name__.lower(), "mime_type": part.media_type}
    if part.url is not None:
        return {"type": "uri", **medium, "uri": part.url}
    return {"type": "blob", **medium, "bytes": len(part.data or b"")}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "content": text}


def _json(value: Any) -> str:
    # An exporter writes UTF-8, which has no halves of characters; `str` is for a program's own objects in arguments.
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
