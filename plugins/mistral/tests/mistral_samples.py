"""Answers written by us from the documented formats: API description of 2026-08-21 and Python SDK 3.7.0."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SKY = "The sky scätters blue 🌤 light."
USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 5,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4},
    "service_tier": "standard",
}
MODEL = "mistral-small-2603"


def answer(
    message: Mapping[str, Any], finish: str = "stop", usage: Any = USAGE, **more: Any
) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "a1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice], "usage": usage, **more}  # fmt: skip


def chunk(delta: Mapping[str, Any], finish: str | None = None, usage: Any = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    value = {"id": "a1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [choice]}
    return value if usage is None else {**value, "usage": usage}


def chunks(*deltas: Mapping[str, Any], finish: str = "stop", usage: Any = USAGE) -> list[dict[str, Any]]:
    *first, last = deltas
    begun = [chunk({"role": "assistant", "content": ""}), *map(chunk, first)]
    return [*begun, chunk(last, finish, usage)]


def sse(values: list[dict[str, Any]], *, done: bool = True) -> bytes:
    pieces = [b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n" for value in values]
    return b"".join(pieces) + (b"data: [DONE]\n\n" if done else b"")


def whole(*arguments: Any, **more: Any) -> bytes:
    return json.dumps(answer(*arguments, **more)).encode()


def streamed(*deltas: Mapping[str, Any], **more: Any) -> bytes:
    return sse(chunks(*deltas, **more))


ADD = {"id": "Ab3De6Gh9", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
NOW = {"id": "Zb3De6Gh9", "function": {"name": "now", "arguments": "{}"}}
# As a third party's model, hosted by Mistral, calls tools.
FOREIGN = [
    {"index": 0, "id": "call_f3a9c2d17b", "function": {"name": "add", "arguments": ""}},
    {"index": 0, "function": {"name": "", "arguments": '{"a": 1,'}},
    {"index": 0, "function": {"name": "", "arguments": ' "b": 2}'}},
    {"index": 1, "id": "call_0b17e6aa52", "function": {"name": "now", "arguments": ""}},
    {"index": 1, "function": {"name": "", "arguments": "{}"}},
]
THOUGHT = {
    "type": "thinking",
    "thinking": [{"type": "text", "text": "Hm."}],
    "signature": "c2ln",
    "closed": True,
}
REFERENCE = {"type": "reference", "reference_ids": [1, "b"]}
STREAMS = {
    "text": streamed({"content": SKY[:9]}, {"content": SKY[9:]}, {"content": ""}),
    "calls": streamed({"content": "", "tool_calls": [ADD, NOW]}, finish="tool_calls"),
    "foreign calls": streamed(
        *({"tool_calls": [piece]} for piece in FOREIGN), {"content": ""}, finish="tool_calls"
    ),
    "thinking": streamed(
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "H"}]}]},
        {"content": [{**THOUGHT, "thinking": [{"type": "text", "text": "m."}]}]},
        {"content": [{"type": "text", "text": "Blue"}, REFERENCE]},
        {"content": "."},
    ),
}
