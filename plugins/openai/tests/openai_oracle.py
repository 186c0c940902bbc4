"""Requests and answers with which an official SDK is compared with us, for services of OpenAI's dialect.

The answers are made up from the documented formats.
"""

from __future__ import annotations

SCHEMA = {
    "type": "object",
    "title": "city",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


TOOL = {
    "type": "function",
    "function": {"name": "add", "description": "Add.", "parameters": SCHEMA, "strict": True},
}


WHOLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Because.", "refusal": None},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}


RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "gpt-5.2-pro",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Because.", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 11,
    },
}


def chunk(delta=None, finish=None, usage=None):
    choices = (
        [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]
    )
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": choices,
        "usage": usage,
    }


STREAM = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Be"}),
    chunk({"content": "cause ä."}),
    chunk({}, "stop"),
    chunk(usage=WHOLE["usage"]),
]


USER = [{"role": "user", "content": "Why?"}]


# What our caller writes, and what the SDK's caller writes for the same.
CHATS = {
    "nothing": ({}, {}),
    "zero": (
        {"temperature": 0, "seed": 0, "presence_penalty": 0},
        {"temperature": 0, "seed": 0, "presence_penalty": 0},
    ),
    "sampling": (
        {
            "temperature": 0.5,
            "top_p": 0.9,
            "frequency_penalty": 1.5,
            "presence_penalty": -1,
            "seed": 7,
            "n": 2,
        },
        {
            "temperature": 0.5,
            "top_p": 0.9,
            "frequency_penalty": 1.5,
            "presence_penalty": -1,
            "seed": 7,
            "n": 2,
        },
    ),
    "max_tokens": ({"max_tokens": 5}, {"max_completion_tokens": 5}),
    "stop": ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
    "no stop": ({"stop": []}, {"stop": []}),
    "logprobs": ({"logprobs": True, "top_logprobs": 0}, {"logprobs": True, "top_logprobs": 0}),
    "bias": ({"logit_bias": {50256: -100}}, {"logit_bias": {"50256": -100}}),
    "user": ({"user": ""}, {"user": ""}),
    "tools": (
        {"tools": [TOOL], "tool_choice": "add", "parallel_tool_calls": False},
        {
            "tools": [TOOL],
            "tool_choice": {"type": "function", "function": {"name": "add"}},
            "parallel_tool_calls": False,
        },
    ),
    "no tools": ({"tools": [], "tool_choice": "none"}, {}),
    "required": ({"tools": [TOOL], "tool_choice": "required"}, {"tools": [TOOL], "tool_choice": "required"}),
    "json": ({"response_format": "json"}, {"response_format": {"type": "json_object"}}),
    "schema": (
        {"response_format": SCHEMA},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "city", "schema": SCHEMA, "strict": True},
            }
        },
    ),
    "extra": (
        {"extra": {"openai": {"metadata": {"a": "b"}, "store": False, "service_tier": "flex"}}},
        {"metadata": {"a": "b"}, "store": False, "service_tier": "flex"},
    ),
}
