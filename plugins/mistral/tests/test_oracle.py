"""The official SDK as oracle: it sends what we send, and it reads what our fake service answers.

Both clients talk to one loopback server; the answers are made up from the documented formats.
"""

from __future__ import annotations

import copy
from contextlib import asynccontextmanager

import oracles
import pytest
from mistralai.client import Mistral

from jackfield import Audio, Document, Image, Mesh, Message, Text, Thinking, ToolCall, ToolResult
from jackfield.testing import Answer, RecordingServer

MODEL = "mistral-small-2603"
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
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 2,
    "total_tokens": 11,
    "prompt_tokens_details": {"cached_tokens": 4},
    "service_tier": "standard",
}
WHOLE = {
    "id": "a1",
    "object": "chat.completion",
    "created": 1,
    "model": MODEL,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Because.", "tool_calls": None},
            "finish_reason": "stop",
        }
    ],
    "usage": USAGE,
}
CALL = {
    "id": "Ab3De6Gh9",
    "type": "function",
    "function": {"name": "add", "arguments": '{"name": "Oslo"}'},
    "index": 0,
}
THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}], "closed": True}


def chunk(delta, finish=None, usage=None):
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    value = {"id": "a1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": choices}
    return value if usage is None else {**value, "usage": usage}


STREAM = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": [THOUGHT]}),
    chunk({"content": "Be"}),
    chunk({"content": "cause ä."}),
    chunk({"content": "", "tool_calls": [CALL]}, "tool_calls", USAGE),
]


@asynccontextmanager
async def both(monkeypatch):
    """A loopback service, our mesh and the SDK, configured alike."""
    monkeypatch.setenv("MISTRAL_API_KEY", "made-up-key")
    async with RecordingServer() as server:
        connection = {"provider": "mistral", "base_url": server.url, "api_key": "env:MISTRAL_API_KEY"}
        client = Mistral(api_key="made-up-key", server_url=server.url)
        async with Mesh.from_config({"connections": {"mistral": connection}}) as mesh, client:
            yield server, mesh, client


def difference(ours, theirs):
    said = dict(theirs.json or {})
    if said.get("stream") is False:  # the SDK sends the default, we do not
        del said["stream"]
    return oracles.difference(ours, theirs, said=said or None)


USER = [{"role": "user", "content": "Why?"}]
NAMED = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA, "strict": True}}
SAMPLING = {
    "temperature": 0.5,
    "top_p": 0.9,
    "frequency_penalty": 1.5,
    "presence_penalty": -1.0,
    "n": 2,
    "top_k": 40,
}
EXTRA = {
    "safe_prompt": True,
    "prompt_cache_key": "k",
    "metadata": {"a": "b"},
    "service_tier": "standard_only",
}

# What our caller writes, and what the SDK's caller writes for the same.
CHATS = {
    "nothing": ({}, {}),
    "zero": ({"temperature": 0.0, "seed": 0, "max_tokens": 0}, {"temperature": 0.0, "random_seed": 0, "max_tokens": 0}),
    "sampling": (SAMPLING, SAMPLING),
    "stop": ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
    "no stop": ({"stop": []}, {"stop": []}),
    "logprobs": ({"logprobs": True, "top_logprobs": 0}, {"logprobs": True, "top_logprobs": 0}),
    "tools": (
        {"tools": [TOOL], "tool_choice": "add", "parallel_tool_calls": False},
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "add"}}, "parallel_tool_calls": False},
    ),
    "required": ({"tools": [TOOL], "tool_choice": "required"}, {"tools": [TOOL], "tool_choice": "required"}),
    "auto": ({"tools": [TOOL], "tool_choice": "auto"}, {"tools": [TOOL], "tool_choice": "auto"}),
    "none": ({"tools": [TOOL], "tool_choice": "none"}, {}),
    "json": ({"response_format": "json"}, {"response_format": {"type": "json_object"}}),
    "schema": ({"response_format": SCHEMA}, {"response_format": NAMED}),
    "effort": ({"reasoning": "high"}, {"reasoning_effort": "high"}),
    "no effort": ({"reasoning": "none"}, {"reasoning_effort": "none"}),
    "extra": ({"extra": {"mistral": EXTRA}}, EXTRA),
}  # fmt: skip


@pytest.mark.parametrize("name", CHATS)
async def test_chat_requests_are_equal(name, monkeypatch):
    ours, theirs = CHATS[name]
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat(f"mistral:{MODEL}", "Why?", **ours)
        await client.chat.complete_async(model=MODEL, messages=USER, **theirs)
        assert difference(*server.requests) == {}


async def test_a_conversation_with_every_kind_of_part_is_equal(monkeypatch):
    messages = [
        Message("user", (Text("Look"), Image(url="https://pictures.example/a.png", detail="low"), Image(data=b"x", media_type="image/png"))),
        Message("user", (Text("Read"), Document(url="https://papers.example/a.pdf", name="a.pdf"), Document(data=b"%PDF"))),
        Message("user", (Text("Hear"), Audio(data=b"RIFF", media_type="audio/wav"))),
        Message("assistant", (Thinking("Hm.", "mistral", MODEL, {"part": "thinking", "beside": {"closed": True}}), Text("I look."))),
        Message("assistant", (ToolCall("Ab3De6Gh9", "add", {"a": 1}), ToolCall("Zb3De6Gh9", "add", {}))),
        Message("tool", (ToolResult("Ab3De6Gh9", "1", name="add"), ToolResult("Zb3De6Gh9", "ü"))),
    ]  # fmt: skip
    call = {"type": "function", "index": 0}  # the SDK tells an index that the service does not need
    theirs = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "Look"},
            {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}},
        ]},
        {"role": "user", "content": [
            {"type": "text", "text": "Read"},
            {"type": "document_url", "document_url": "https://papers.example/a.pdf", "document_name": "a.pdf"},
            {"type": "document_url", "document_url": "data:application/pdf;base64,JVBERg=="},
        ]},
        {"role": "user", "content": [{"type": "text", "text": "Hear"}, {"type": "input_audio", "input_audio": "UklGRg=="}]},
        {"role": "assistant", "content": [THOUGHT, {"type": "text", "text": "I look."}]},
        {"role": "assistant", "content": "", "tool_calls": [
            {**call, "id": "Ab3De6Gh9", "function": {"name": "add", "arguments": '{"a":1}'}},
            {**call, "id": "Zb3De6Gh9", "function": {"name": "add", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "Ab3De6Gh9", "content": "1", "name": "add"},
        {"role": "tool", "tool_call_id": "Zb3De6Gh9", "content": "ü"},
    ]  # fmt: skip
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat("mistral:voxtral-unknown", messages, system="Be brief.")
        await client.chat.complete_async(model="voxtral-unknown", messages=theirs)
        mine, said = server.requests
        found = difference(mine, said)
        body = copy.deepcopy(found.pop("body", (mine.json, said.json))[1])
        body.pop("stream", None)
        for message in body["messages"]:
            message.pop("prefix", None)  # the SDK tells the default
            for one in message.get("tool_calls") or ():
                one.pop("index")
        assert found == {}
        assert body == mine.json


async def test_an_answer_that_is_continued_is_equal(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat(f"mistral:{MODEL}", [*USER, {"role": "assistant", "content": "Be"}])
        prefix = {"role": "assistant", "content": "Be", "prefix": True}
        await client.chat.complete_async(model=MODEL, messages=[*USER, prefix])
        assert difference(*server.requests) == {}


async def test_streams_are_asked_for_alike_and_read_alike(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.sse(STREAM, done=True), Answer.sse(STREAM, done=True))
        async with mesh.stream_chat(f"mistral:{MODEL}", "Why?") as stream:
            async for _ in stream:
                pass
        chunks = [event.data async for event in await client.chat.stream_async(model=MODEL, messages=USER)]
        assert difference(*server.requests) == {}
        reply = stream.response
        deltas = [piece.choices[0].delta for piece in chunks]
        said = "".join(delta.content for delta in deltas if isinstance(delta.content, str))
        (thought,) = (delta.content[0] for delta in deltas if isinstance(delta.content, list))
        (call,) = deltas[-1].tool_calls
        assert reply.text == said == "Because ä."
        assert reply.thinking == thought.thinking[0].text == "Hm."
        assert (reply.tool_calls[0].id, reply.tool_calls[0].name) == (call.id, call.function.name)
        assert reply.usage.input_tokens == chunks[-1].usage.prompt_tokens == 9
        assert reply.finish_reason == chunks[-1].choices[0].finish_reason == "tool_calls"
        assert reply.complete


async def test_whole_answers_are_read_alike(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        ours = await mesh.chat(f"mistral:{MODEL}", "Why?")
        theirs = await client.chat.complete_async(model=MODEL, messages=USER)
        assert ours.text == theirs.choices[0].message.content
        assert ours.usage.output_tokens == theirs.usage.completion_tokens
        assert (ours.id, ours.model) == (theirs.id, theirs.model)


async def test_fill_in_the_middle_is_asked_for_and_read_alike(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        options = {"max_tokens": 5, "suffix": "}", "temperature": 0.0, "top_p": 1.0, "stop": ["\n"]}
        ours = await mesh.complete("mistral:codestral-2508", "def a", seed=3, **options)
        theirs = await client.fim.complete_async(
            model="codestral-2508", prompt="def a", random_seed=3, **options
        )
        assert difference(*server.requests) == {}
        assert ours.text == theirs.choices[0].message.content == "Because."


async def test_embeddings_are_asked_for_and_read_alike(monkeypatch):
    entries = [{"object": "embedding", "index": i, "embedding": [0.5, float(i)]} for i in (1, 0)]
    answer = {"id": "e", "object": "list", "model": "m", "data": entries, "usage": {"prompt_tokens": 2, "total_tokens": 2, "completion_tokens": 0}}  # fmt: skip
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(answer), Answer.json(answer))
        extra = {"mistral": {"output_dtype": "float"}}
        ours = await mesh.embed("mistral:codestral-embed-2505", ["a", "b"], dimensions=2, extra=extra)
        theirs = await client.embeddings.create_async(
            model="codestral-embed-2505", inputs=["a", "b"], output_dimension=2, output_dtype="float"
        )
        assert difference(*server.requests) == {}
        by_index = {entry.index: entry.embedding for entry in theirs.data}
        assert ours.lists() == [by_index[0], by_index[1]] == [[0.5, 0.0], [0.5, 1.0]]


async def test_models_are_listed_alike(monkeypatch):
    entry = {"id": "mistral-small-2603", "object": "model", "created": 1, "owned_by": "mistralai", "type": "base",
             "capabilities": {"completion_chat": True, "vision": True}, "max_context_length": 262144}  # fmt: skip
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(
            Answer.json({"object": "list", "data": [entry]}), Answer.json({"object": "list", "data": [entry]})
        )
        ours = await mesh.models("mistral", refresh=True)
        theirs = (await client.models.list_async()).data
        asked, theirs_asked = server.requests
        assert (
            (asked.method, asked.path_qs)
            == (theirs_asked.method, theirs_asked.path_qs)
            == ("GET", "/v1/models")
        )
        assert [card.id for card in ours] == [card.id for card in theirs]
        assert ours[0].limits.context_window == theirs[0].max_context_length


# -- the oracles can fail ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [{"temperature": 0.25}, {"stop": "a"}, {"n": 1}, {"safe_prompt": False}])
async def test_the_request_oracle_fails_on_another_request(broken, monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat(f"mistral:{MODEL}", "Why?")
        await client.chat.complete_async(model=MODEL, messages=USER, **broken)
        assert difference(*server.requests) != {}


async def test_the_reading_oracle_fails_on_another_answer(monkeypatch):
    other = copy.deepcopy(WHOLE)
    other["choices"][0]["message"]["content"] = "No."
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(other))
        ours = await mesh.chat(f"mistral:{MODEL}", "Why?")
        theirs = await client.chat.complete_async(model=MODEL, messages=USER)
        assert ours.text != theirs.choices[0].message.content
