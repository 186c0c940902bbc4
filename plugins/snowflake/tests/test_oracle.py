"""Oracles: OpenAI's and Anthropic's SDK send what we send and read what our fake answers; a schema for Snowflake's own form.

Snowflake documents OpenAI's client with `https://HOST/api/v2/cortex/v1` as its address, and Anthropic's with `/api/v2/cortex`.
No client of Snowflake's own goes with the other SDKs (snowflake-ml-python pins pandas, numpy and packaging), so the schema of
`inference:complete` is written by us from the documented one (docs.snowflake.com, Cortex REST API; snowflake.core 1.14.0).
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest
from oracles import difference

from jackfield import Image, Mesh, Message, Secret, Text, Tool, ToolCall, ToolResult
from jackfield.testing import Answer, RecordingServer

AsyncOpenAI = pytest.importorskip("openai").AsyncOpenAI
AsyncAnthropic = pytest.importorskip("anthropic").AsyncAnthropic
jsonschema = pytest.importorskip("jsonschema")

LLAMA, CLAUDE, GPT = "llama3.1-8b", "claude-sonnet-4-6", "openai-gpt-4.1"
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
SCHEMA = {
    "type": "object",
    "title": "city",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "add", "description": "Add.", "parameters": SCHEMA}}
USER = [{"role": "user", "content": "Why?"}]
CALL = {"id": "toolu_1", "type": "function", "function": {"name": "add", "arguments": '{"name":"Åre"}'}}
TURNS = [
    {"role": "system", "content": "Be brief."},
    *USER,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "toolu_1", "content": "3"},
]
PNG = "data:image/png;base64,eA=="
SEEN = [
    {
        "role": "user",
        "content": [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": PNG}}],
    }
]


def whole(**message):
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "Because.", **message},
        "finish_reason": "",
    }
    return {
        "id": "",
        "object": "chat.completion",
        "created": 0,
        "model": "m-1",
        "choices": [choice],
        "usage": USAGE,
    }


def chunks(*deltas):
    base = {"id": "", "object": "chat.completion.chunk", "created": 0, "model": "m-1"}
    made = [{**base, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    made.append({**base, "choices": [], "usage": USAGE})
    return [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in made] + [b"data: [DONE]\n\n"]


@asynccontextmanager
async def both(route="openai"):
    """A loopback account, our mesh, and the two clients as Snowflake documents them."""
    async with RecordingServer() as server:
        connection = {
            "provider": "snowflake",
            "base_url": server.url,
            "token": Secret("t0ken"),
            "route": route,
        }
        client = AsyncOpenAI(base_url=f"{server.url}/api/v2/cortex/v1", api_key="t0ken", max_retries=0)
        claude = AsyncAnthropic(
            base_url=f"{server.url}/api/v2/cortex",
            auth_token="t0ken",
            max_retries=0,
            default_headers={"anthropic-version": "2023-06-01"},  # the one that Snowflake documents
        )
        async with Mesh.from_config({"connections": {"s": connection}}) as mesh, client, claude:
            yield server, mesh, client, claude


# Model, conversation, what our caller writes, and what the SDK's caller writes for the same.
CHATS = {
    "nothing": (LLAMA, USER, {}, {}),
    "zero": (LLAMA, USER, {"temperature": 0}, {"temperature": 0}),
    "sampling": (LLAMA, USER, {"temperature": 0.5, "top_p": 0.9, "n": 2}, {"temperature": 0.5, "top_p": 0.9, "n": 2}),
    "top_k": (LLAMA, USER, {"top_k": 5}, {"extra_body": {"top_k": 5}}),
    "max_tokens": (LLAMA, USER, {"max_tokens": 5}, {"max_completion_tokens": 5}),
    "stop": (LLAMA, USER, {"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
    "seed": (LLAMA, USER, {"seed": 0}, {"seed": 0}),
    "penalties": (LLAMA, USER, {"presence_penalty": 0, "frequency_penalty": 1}, {"presence_penalty": 0, "frequency_penalty": 1}),
    "logprobs": (LLAMA, USER, {"logprobs": True, "top_logprobs": 0}, {"logprobs": True, "top_logprobs": 0}),
    "user": (LLAMA, USER, {"user": "u"}, {"user": "u"}),
    "turns": (CLAUDE, TURNS, {"tools": [TOOL]}, {"tools": [TOOL]}),
    "image": (CLAUDE, SEEN, {}, {}),
    "tool": (CLAUDE, USER, {"tools": [TOOL], "tool_choice": "add"},
             {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "add"}}}),
    "required": (GPT, USER, {"tools": [TOOL], "tool_choice": "required"}, {"tools": [TOOL], "tool_choice": "required"}),
    "no parallel calls": (GPT, USER, {"tools": [TOOL], "parallel_tool_calls": False}, {"tools": [TOOL], "parallel_tool_calls": False}),
    "json": (GPT, USER, {"response_format": "json"}, {"response_format": {"type": "json_object"}}),
    "schema": (GPT, USER, {"response_format": SCHEMA},
               {"response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA, "strict": True}}}),
    "effort": (GPT, USER, {"reasoning": "low"}, {"reasoning_effort": "low"}),
    "effort of Claude": (CLAUDE, USER, {"reasoning": "low"}, {"extra_body": {"reasoning": {"effort": "low"}}}),
}  # fmt: skip


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize("stream", [False, True])
async def test_our_request_is_the_sdks(name, stream):
    model, messages, ours, theirs = CHATS[name]
    async with both() as (server, mesh, client, _):
        server.route(
            "POST",
            "*",
            Answer.stream(chunks({"content": "Hi"}), "text/event-stream") if stream else Answer.json(whole()),
        )
        if stream:
            async with mesh.stream_chat(f"s:{model}", messages, **ours) as events:
                async for _ in events:
                    pass
            async for _ in await client.chat.completions.create(
                model=model, messages=messages, stream=True, stream_options={"include_usage": True}, **theirs
            ):
                pass
        else:
            await mesh.chat(f"s:{model}", messages, **ours)
            await client.chat.completions.create(model=model, messages=messages, **theirs)
        assert difference(*server.requests, "anthropic-version") == {}
        assert (
            server.requests[0].headers["x-snowflake-authorization-token-type"] == "PROGRAMMATIC_ACCESS_TOKEN"
        )


async def test_the_comparison_can_fail():
    async with both() as (server, mesh, client, _):
        server.route("POST", "*", Answer.json(whole()))
        await mesh.chat(f"s:{LLAMA}", "Why?", temperature=0)
        await client.chat.completions.create(model=LLAMA, messages=USER)
        assert difference(*server.requests, "anthropic-version").keys() == {"body"}


async def test_the_sdk_reads_our_fakes_as_we_do():
    halves = [
        {"content": "Becau"},
        {"content": "se."},
        {"tool_calls": [{"index": 0, **CALL, "function": {"name": "add", "arguments": '{"name"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ':"Åre"}'}}]},
    ]
    async with both() as (server, mesh, client, _):
        server.answer(Answer.json(whole(tool_calls=[CALL])), Answer.json(whole(tool_calls=[CALL])))
        ours = await mesh.chat(f"s:{CLAUDE}", "Why?")
        theirs = await client.chat.completions.create(model=CLAUDE, messages=USER)
        message = theirs.choices[0].message
        assert (ours.text, ours.model, ours.finish_reason) == (message.content, theirs.model, "tool_calls")
        assert json.loads(message.tool_calls[0].function.arguments) == ours.tool_calls[0].arguments
        server.answer(
            Answer.stream(chunks(*halves), "text/event-stream"),
            Answer.stream(chunks(*halves), "text/event-stream"),
        )
        async with mesh.stream_chat(f"s:{CLAUDE}", "Why?") as stream:
            async for _ in stream:
                pass
        text = arguments = ""
        async for chunk in await client.chat.completions.create(model=CLAUDE, messages=USER, stream=True):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                arguments += "".join(call.function.arguments for call in choice.delta.tool_calls or ())
        assert (stream.response.text, dict(stream.response.tool_calls[0].arguments)) == (
            text,
            json.loads(arguments),
        )


# -- Anthropic's form ------------------------------------------------------------------------------------------------

CLAUDES = {
    "nothing": ({}, {}),
    "zero": ({"temperature": 0}, {"extra_body": {"temperature": 0}}),
    "system": ({"system": "Be brief."}, {"system": "Be brief."}),
    "stop": ({"stop": ["a"]}, {"stop_sequences": ["a"]}),
    "tool": (
        {"tools": [TOOL], "tool_choice": "add"},
        {"tools": [{"name": "add", "description": "Add.", "input_schema": SCHEMA}], "tool_choice": {"type": "tool", "name": "add"}},
    ),
}  # fmt: skip
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": CLAUDE, "stop_reason": "end_turn", "stop_sequence": None,
           "content": [{"type": "text", "text": "Because."}], "usage": {"input_tokens": 9, "output_tokens": 2}}  # fmt: skip


@pytest.mark.parametrize("name", CLAUDES)
async def test_our_request_for_messages_is_the_sdks(name):
    ours, theirs = CLAUDES[name]
    async with both("messages") as (server, mesh, _, claude):
        server.route("POST", "*", Answer.json(MESSAGE))
        reply = await mesh.chat(f"s:{CLAUDE}", "Why?", max_tokens=9, **ours)
        read = await claude.messages.create(model=CLAUDE, messages=USER, max_tokens=9, **theirs)
        assert difference(*server.requests, "anthropic-version") == {}
        assert reply.text == read.content[0].text


# -- Snowflake's own form --------------------------------------------------------------------------------------------

CONTENT = {
    "oneOf": [
        {"type": "object", "properties": {"type": {"const": "text"}, "text": {"type": "string"}, "cache_control": {"type": "object"}},
         "required": ["type", "text"], "additionalProperties": False},
        {"type": "object", "required": ["type", "details"], "additionalProperties": False, "properties": {
            "type": {"const": "image"}, "cache_control": {"type": "object"}, "details": {
                "type": "object", "properties": {"type": {"const": "base64"}, "content": {"type": "string"}, "content_type": {"type": "string"}},
                "required": ["type", "content", "content_type"], "additionalProperties": False}}},
        {"type": "object", "required": ["type", "tool_use"], "additionalProperties": False, "properties": {
            "type": {"const": "tool_use"}, "tool_use": {
                "type": "object", "properties": {"tool_use_id": {"type": "string"}, "name": {"type": "string"}, "input": {"type": "object"}},
                "required": ["tool_use_id", "name", "input"], "additionalProperties": False}}},
        {"type": "object", "required": ["type", "tool_results"], "additionalProperties": False, "properties": {
            "type": {"const": "tool_results"}, "tool_results": {
                "type": "object", "required": ["tool_use_id", "content"], "additionalProperties": False, "properties": {
                    "tool_use_id": {"type": "string"}, "name": {"type": "string"}, "status": {"type": "string"},
                    "content": {"type": "array", "items": {"type": "object", "required": ["type"]}}}}}},
    ]
}  # fmt: skip
COMPLETE = {
    "type": "object",
    "required": ["model", "messages"],
    "additionalProperties": False,
    "properties": {
        "model": {"type": "string"},
        "messages": {"type": "array", "minItems": 1, "items": {
            "type": "object", "additionalProperties": False,
            "properties": {"role": {"enum": ["system", "user", "assistant"]}, "content": {"type": "string"},
                           "content_list": {"type": "array", "items": CONTENT}},
            "anyOf": [{"required": ["content"]}, {"required": ["content_list"]}]}},
        "stream": {"type": "boolean"},
        "max_tokens": {"type": "integer"},
        "max_output_tokens": {"type": "integer"},
        "temperature": {"type": "number"},
        "top_p": {"type": "number"},
        "tools": {"type": "array", "items": {
            "type": "object", "required": ["tool_spec"], "additionalProperties": False, "properties": {"tool_spec": {
                "type": "object", "required": ["type", "name", "input_schema"], "additionalProperties": False, "properties": {
                    "type": {"const": "generic"}, "name": {"type": "string"}, "description": {"type": "string"}, "input_schema": {"type": "object"}}}}}},
        "tool_choice": {"type": "object", "required": ["type"], "additionalProperties": False, "properties": {
            "type": {"enum": ["auto", "required", "tool"]}, "name": {"type": "array", "items": {"type": "string"}}}},
        "response_format": {"type": "object", "required": ["type", "schema"], "additionalProperties": False, "properties": {
            "type": {"const": "json"}, "schema": {"type": "object"}}},
        "guardrails": {"type": "object", "required": ["enabled"], "additionalProperties": False, "properties": {
            "enabled": {"type": "boolean"}, "response_when_unsafe": {"type": "string"}}},
        "anthropic": {"type": "object"},
        "openai": {"type": "object"},
        "provisioned_throughput_id": {"type": "string"},
    },
}  # fmt: skip
TALK = [
    Message("system", "Be brief."),
    Message("user", (Text("What?", cache="5m"), Image(data=b"x", media_type="image/png"))),
    Message("assistant", (Text("I add."), ToolCall("toolu_1", "add", {"name": "Åre"}))),
    ToolResult("toolu_1", "3"),
]
ADD = Tool("add", "Add.", SCHEMA)
COMPLETES = {
    "nothing": (LLAMA, "Why?", {}),
    "empty": (LLAMA, "", {}),
    "sampling": (LLAMA, "Why?", {"temperature": 0, "top_p": 0.5, "max_tokens": 7}),
    "talk": (CLAUDE, TALK, {"tools": [ADD]}),
    "tool": (CLAUDE, "Why?", {"tools": [ADD], "tool_choice": "add"}),
    "no tool": (CLAUDE, "Why?", {"tools": [ADD], "tool_choice": "none"}),
    "required": (GPT, "Why?", {"tools": [ADD], "tool_choice": "required"}),
    "schema": (GPT, "Why?", {"response_format": SCHEMA}),
    "json": (GPT, "Why?", {"response_format": "json"}),
    "effort": (GPT, "Why?", {"reasoning": "low"}),
    "budget": (CLAUDE, "Why?", {"reasoning": {"budget_tokens": 1024}}),
    "guard": (
        LLAMA,
        "Why?",
        {"extra": {"snowflake": {"guardrails": {"enabled": True, "response_when_unsafe": "No."}}}},
    ),
}


@pytest.mark.parametrize("name", COMPLETES)
async def test_our_own_form_is_the_documented_one(name):
    model, messages, options = COMPLETES[name]
    async with both("complete") as (server, mesh, _, _):
        server.answer(Answer.json({"choices": [{"message": {"content": "Hi"}}], "usage": USAGE}))
        reply = await mesh.chat(f"s:{model}", messages, **options)
        (request,) = server.requests
        jsonschema.validate(request.json, COMPLETE)
        assert request.json["stream"] is False, "the service streams unless it is told not to"
        assert request.path_qs == "/api/v2/cortex/inference:complete"
        assert (reply.text, reply.finish_reason) == ("Hi", "stop")


@pytest.mark.parametrize(
    "broken",
    [
        {"messages": []},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"messages": [{"role": "user", "content_list": [{"type": "tool_result", "tool_result": {}}]}]},
        {"stop": ["a"]},
        {"tool_choice": {"type": "none"}},
        {"tools": [{"type": "function", "function": {"name": "add"}}]},
        {"response_format": {"type": "json_schema"}},
    ],
)
def test_the_schema_refuses_a_broken_request(broken):
    good = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": False}
    jsonschema.validate(good, COMPLETE)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**good, **broken}, COMPLETE)
