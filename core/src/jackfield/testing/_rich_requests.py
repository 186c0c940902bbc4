"""Requests that ask for much, for checks of translation and purity; made anew each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield._types.content import Message, Text, Tool, ToolCall, ToolResult
from jackfield._types.options import Continuation, Reasoning
from jackfield._types.requests import ChatRequest, CountRequest, EmbedRequest, Request, RerankRequest

from ._case import CaseKind, plain_request

__all__ = ["PNG", "TELLTALE", "TOOL", "conversation", "option_values", "rich_request", "with_options"]

PNG: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "place": {"type": "string", "description": "A town, or Straße & №"},
        "days": {"type": "integer", "enum": [1, 3, 7]},
        "near": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
    },
    "required": ["place"],
}


def schema() -> dict[str, Any]:
    """Return a JSON schema with nesting, an enum and letters beyond ASCII."""
    import copy

    return copy.deepcopy(dict(SCHEMA))


def TOOL() -> Tool:  # noqa: N802 -- a constant that must be new each time
    """Return a tool."""
    return Tool("jackfield_weather", "Says what the weather will be.", schema())


TELLTALE: Final[Mapping[str, Any]] = {
    "max_tokens": 37,
    "temperature": 0.375,
    "top_p": 0.625,
    "top_k": 23,
    "stop": ("JACKFIELD-STOP",),
    "seed": 424243,
    "presence_penalty": 0.3125,
    "frequency_penalty": 0.4375,
    "user": "jackfield-conformance-user",
    "system": "jackfield-conformance-system",
    "top_logprobs": 3,
    "suffix": "jackfield-conformance-suffix",
}
"""Values that can be found again in a body."""


def option_values() -> dict[str, Any]:
    """Return a plain value for every option of a chat."""
    return {
        **TELLTALE,
        "logit_bias": {"11": -5},
        "logprobs": True,
        "n": 2,
        "tools": (TOOL(),),
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "response_format": schema(),
        "reasoning": Reasoning(effort="low"),
        "store": True,
        "continue_from": Continuation(id="jackfield-conformance-answer", stored=True),
        "background": True,
    }


BATCH_VALUES: Final[Mapping[str, Mapping[str, Any]]] = {
    "embedding": {
        "dimensions": 256,
        "input_type": "query",
        "truncate": "end",
        "user": "jackfield-conformance-user",
    },
    "rerank": {"top_n": 1, "truncate": "end"},
}


def values_for(kind: CaseKind) -> dict[str, Any]:
    """Return a plain value for every option that a kind of request knows."""
    return dict(BATCH_VALUES[kind]) if kind in BATCH_VALUES else option_values()


def with_options(request: Request, **options: Any) -> Request:
    """Return a request with options."""
    if isinstance(request, EmbedRequest | RerankRequest):
        return attrs.evolve(request, **options)
    return attrs.evolve(request, options=attrs.evolve(request.options, **options))


# What cannot stand together: a suffix is a completion's, and log probabilities want both of theirs.
_NEEDS: Final[Mapping[str, Mapping[str, Any]]] = {"top_logprobs": {"logprobs": True}}


def asking(kind: CaseKind, name: str, value: Any, **more: Any) -> Request:
    """Return a plain request with one option, and the options that this one requires."""
    needs: dict[str, Any] = dict(_NEEDS.get(name, {}))
    if name in {"tool_choice", "parallel_tool_calls"}:
        needs["tools"] = (TOOL(),)
    return with_options(plain_request(kind), **{**needs, name: value, **more})


def conversation(*, text: str = "What will the weather be?") -> tuple[Message, ...]:
    """Return a conversation with a tool call and its result."""
    return (
        Message("user", text),
        Message("assistant", (ToolCall("call_9a", "jackfield_weather", {"place": "Åre", "days": 3}),)),
        Message("tool", (ToolResult("call_9a", "jackfield-snow-tomorrow", name="jackfield_weather"),)),
        Message("user", (Text("And the day after?"),)),
    )


def rich_request(kind: CaseKind) -> Request:
    """Return a request with every option; impossible ones are dropped."""
    values = values_for(kind)
    if kind != "completion":
        values.pop("suffix", None)
    request = with_options(plain_request(kind), **values, unsupported="drop", extra={"nobody": {"x": [1]}})
    if isinstance(request, ChatRequest | CountRequest):
        return attrs.evolve(request, messages=conversation())
    return request
