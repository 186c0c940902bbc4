"""Requests and answers with which the official SDK is compared with us, for services of Anthropic's dialect.

The answers are made up from the documented formats.
"""

from __future__ import annotations

import copy

from jackfield import Document, Image, Message, RawPart, Text, Thinking, Tool, ToolCall, ToolResult
from jackfield.testing import Answer

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
TOOL = Tool("add", "Add.", SCHEMA)
WIRE_TOOL = {"name": "add", "description": "Add.", "input_schema": SCHEMA}
USAGE = {
    "input_tokens": 9,
    "cache_read_input_tokens": 3,
    "cache_creation_input_tokens": 2,
    "output_tokens": 2,
    "service_tier": "standard",
}
WHOLE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "text", "text": "Because ä."},
        {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"name": "x"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": USAGE,
}
STREAM = [
    {
        "type": "message_start",
        "message": {**WHOLE, "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}},
    },
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "thinking", "thinking": "", "signature": ""},
    },
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Be"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "cause ä."}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {}},
    },
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ""}},
    {
        "type": "content_block_delta",
        "index": 2,
        "delta": {"type": "input_json_delta", "partial_json": '{"name": '},
    },
    {
        "type": "content_block_delta",
        "index": 2,
        "delta": {"type": "input_json_delta", "partial_json": '"x"}'},
    },
    {"type": "content_block_stop", "index": 2},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    },
    {"type": "message_stop"},
]


def sse(events):
    return Answer.sse((event["type"], event) for event in events)


USER = [{"role": "user", "content": "Why?"}]
MODEL = "claude-haiku-4-5"

# What our caller writes, and what the SDK's caller writes for the same: under both API versions.
CHATS = {
    "max_tokens": ({}, {}),
    "prewarming": ({"max_tokens": 0}, {"max_tokens": 0}),
    "system": ({"system": "Be brief."}, {"system": "Be brief."}),
    "stop": ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
    "one stop": ({"stop": "a"}, {"stop_sequences": ["a"]}),
    "user": ({"user": "u1"}, {"metadata": {"user_id": "u1"}}),
    "tools": ({"tools": [TOOL]}, {"tools": [WIRE_TOOL]}),
    "strict tool": (
        {"tools": [Tool("add", None, SCHEMA, strict=True)]},
        {"tools": [{"name": "add", "input_schema": SCHEMA, "strict": True}]},
    ),
    "cached tool": (
        {"tools": [Tool("add", "Add.", SCHEMA, cache="1h")]},
        {"tools": [{**WIRE_TOOL, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
    ),
    "auto": (
        {"tools": [TOOL], "tool_choice": "auto"},
        {"tools": [WIRE_TOOL], "tool_choice": {"type": "auto"}},
    ),
    "none": (
        {"tools": [TOOL], "tool_choice": "none"},
        {"tools": [WIRE_TOOL], "tool_choice": {"type": "none"}},
    ),
    "required": (
        {"tools": [TOOL], "tool_choice": "required"},
        {"tools": [WIRE_TOOL], "tool_choice": {"type": "any"}},
    ),
    "named": (
        {"tools": [TOOL], "tool_choice": "add", "parallel_tool_calls": False},
        {
            "tools": [WIRE_TOOL],
            "tool_choice": {"type": "tool", "name": "add", "disable_parallel_tool_use": True},
        },
    ),
    "not parallel": (
        {"tools": [TOOL], "parallel_tool_calls": False},
        {"tools": [WIRE_TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    ),
    "schema": (
        {"response_format": SCHEMA},
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    ),
    "budget": (
        {"reasoning": {"budget_tokens": 2048}, "max_tokens": 4096},
        {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 4096},
    ),
    "no thinking": ({"reasoning": "none"}, {"thinking": {"type": "disabled"}}),
    "extra": (
        {"extra": {"anthropic": {"service_tier": "standard_only", "inference_geo": "us"}}},
        {"service_tier": "standard_only", "inference_geo": "us"},
    ),
    "betas": (
        {"extra": {"anthropic": {"betas": ["a-2026-01-01", "b-2026-02-02"]}}},
        {"extra_headers": {"anthropic-beta": "a-2026-01-01,b-2026-02-02"}},
    ),
    "server tool": (
        {
            "tools": [TOOL],
            "extra": {"anthropic": {"tools": [{"type": "web_search_20260318", "name": "web_search"}]}},
        },
        {"tools": [WIRE_TOOL, {"type": "web_search_20260318", "name": "web_search"}]},
    ),
}
# The same for other models: model, ours, theirs.
OTHERS = {
    "effort": ("claude-opus-5", {"reasoning": "high"}, {"output_config": {"effort": "high"}}),
    "effort that switches on": (
        "claude-opus-4-7",
        {"reasoning": "xhigh"},
        {"output_config": {"effort": "xhigh"}, "thinking": {"type": "adaptive"}},
    ),
    "shown thinking": (
        "claude-sonnet-5",
        {"reasoning": {"summary": "auto"}},
        {"thinking": {"type": "adaptive", "display": "summarized"}},
    ),
    "hidden thinking": (
        "claude-sonnet-5",
        {"reasoning": {"effort": "low", "summary": False}},
        {"output_config": {"effort": "low"}, "thinking": {"type": "adaptive", "display": "omitted"}},
    ),
    "effort and schema": (
        "claude-opus-4-5",
        {"reasoning": "low", "response_format": SCHEMA},
        {"output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}},
    ),
}
SAMPLING = {
    "zero": ({"temperature": 0}, {"temperature": 0}),
    "sampling": (
        {"top_p": 0.9, "top_k": 5},
        {"top_p": 0.9, "top_k": 5},
    ),
}
PNG = b"\x89PNG-made-up"
PDF = b"%PDF-made-up"
RESULTS = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
MARK = {"type": "ephemeral", "ttl": "5m"}
CONVERSATIONS = {
    "system message": (
        [Message("system", (Text("Be brief.", cache="5m"),)), Message("user", "Why?")],
        {
            "system": [{"type": "text", "text": "Be brief.", "cache_control": MARK}],
            "messages": USER,
        },
    ),
    "images": (
        [
            Message(
                "user",
                (
                    Text("What?"),
                    Image(data=PNG, media_type="image/png"),
                    Image(url="https://example.com/a.png"),
                ),
            )
        ],
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What?"},
                        {
                            "type": "image",
                            "source": {
                                "type": "base64",
                                "media_type": "image/png",
                                "data": "iVBORy1tYWRlLXVw",
                            },
                        },
                        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                    ],
                }
            ]
        },
    ),
    "documents": (
        [
            Message(
                "user",
                (
                    Document(data=PDF, media_type="application/pdf", name="A", citations=True),
                    Document(text="Plain.", cache="5m"),
                    Document(url="https://example.com/a.pdf"),
                ),
            )
        ],
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "document",
                            "source": {
                                "type": "base64",
                                "media_type": "application/pdf",
                                "data": "JVBERi1tYWRlLXVw",
                            },
                            "title": "A",
                            "citations": {"enabled": True},
                        },
                        {
                            "type": "document",
                            "source": {"type": "text", "media_type": "text/plain", "data": "Plain."},
                            "cache_control": MARK,
                        },
                        {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
                    ],
                }
            ]
        },
    ),
    "tool round": (
        [
            Message("user", "Add."),
            Message(
                "assistant",
                (
                    Thinking("Hm.", "anthropic", MODEL, {"signature": "c2ln"}),
                    Thinking("", "anthropic", MODEL, {"data": "c2VjcmV0"}),
                    Text("I add."),
                    ToolCall("toolu_1", "add", {"name": "x"}),
                    ToolCall("toolu_2", "add", {}),
                ),
            ),
            ToolResult("toolu_1", "3"),
            ToolResult("toolu_2", (Text("no"),), is_error=True),
        ],
        {
            "messages": [
                {"role": "user", "content": "Add."},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                        {"type": "redacted_thinking", "data": "c2VjcmV0"},
                        {"type": "text", "text": "I add."},
                        {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"name": "x"}},
                        {"type": "tool_use", "id": "toolu_2", "name": "add", "input": {}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "3"},
                        {
                            "type": "tool_result",
                            "tool_use_id": "toolu_2",
                            "content": [{"type": "text", "text": "no"}],
                            "is_error": True,
                        },
                    ],
                },
            ]
        },
    ),
    "paused turn": (
        [Message("user", "Search."), Message("assistant", (RawPart("anthropic", RESULTS),))],
        {"messages": [{"role": "user", "content": "Search."}, {"role": "assistant", "content": [RESULTS]}]},
    ),
}


async def send_both(
    server, mesh, client, connection, ours, theirs, *, model=MODEL, conversation=USER, stream=False
):
    """Send with our mesh and with the SDK, and give both requests, our reply, and what the SDK read.

    Args:
        server: The loopback service.
        mesh: Our mesh.
        client: The SDK's asynchronous client.
        connection: The name of our connection.
        ours: The options of our call.
        theirs: The arguments of the SDK's.
        model: The model of both.
        conversation: The messages of our call.
        stream: Both are streamed.
    """
    answer = sse(STREAM) if stream else Answer.json(WHOLE)
    server.answer(answer, answer)
    given = {"max_tokens": 100, **ours}
    if stream:
        async with mesh.stream_chat(f"{connection}:{model}", conversation, **given) as events:
            async for _ in events:
                pass
        reply = events.response
    else:
        reply = await mesh.chat(f"{connection}:{model}", conversation, **given)
    arguments = {"model": model, "max_tokens": 100, "messages": USER, **copy.deepcopy(theirs)}
    sampling = {name: arguments.pop(name) for name in ("temperature", "top_p", "top_k") if name in arguments}
    if stream:
        arguments["stream"] = True
    read = await client.messages.create(**arguments, extra_body=sampling or None)
    pieces = [event async for event in read] if stream else read
    first, second = server.requests
    return first, second, reply, pieces
