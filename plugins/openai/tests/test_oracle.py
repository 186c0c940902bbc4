"""The official SDK as oracle: it sends what we send, and it reads what our fake service answers.

Both clients talk to one loopback server; the answers are made up from the documented formats.
"""

from __future__ import annotations

import copy

import pytest
from openai_clients import SENT, both
from openai_oracle import CHATS, RESPONSE, SCHEMA, STREAM, TOOL, USER, WHOLE
from oracles import difference

from jackfield import Image, Message, Text, ToolCall, ToolResult
from jackfield.testing import Answer


@pytest.mark.parametrize("name", CHATS)
async def test_chat_requests_are_equal(name, monkeypatch):
    ours, theirs = CHATS[name]
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat("openai:gpt-4o", "Why?", **ours)
        await client.chat.completions.create(model="gpt-4o", messages=USER, **theirs)
        assert difference(*server.requests, *SENT) == {}


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "high", "xhigh"])
async def test_reasoning_requests_are_equal(effort, monkeypatch):
    model = "gpt-5" if effort == "minimal" else "gpt-5.5"
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat(f"openai:{model}", "Why?", reasoning=effort, max_tokens=9)
        await client.chat.completions.create(
            model=model, messages=USER, reasoning_effort=effort, max_completion_tokens=9
        )
        assert difference(*server.requests, *SENT) == {}


async def test_a_conversation_with_tools_and_pictures_is_equal(monkeypatch):
    messages = [
        Message("user", (Text("Look"), Image(url="https://pictures.example/a.png", detail="low"), Image(data=b"x", media_type="image/png"))),
        Message("assistant", (Text("I look."), ToolCall("call_1", "add", {"a": 1}), ToolCall("call_2", "add", {}))),
        Message("tool", (ToolResult("call_1", "1"), ToolResult("call_2", "ü"))),
    ]  # fmt: skip
    theirs = [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {
                    "type": "image_url",
                    "image_url": {"url": "https://pictures.example/a.png", "detail": "low"},
                },
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}},
            ],
        },
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}},
                {"id": "call_2", "type": "function", "function": {"name": "add", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "1"},
        {"role": "tool", "tool_call_id": "call_2", "content": "ü"},
    ]
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat("openai:gpt-4o", messages, system="Be brief.")
        await client.chat.completions.create(model="gpt-4o", messages=theirs)
        assert difference(*server.requests, *SENT) == {}


async def test_streams_are_asked_for_alike_and_read_alike(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.sse(STREAM, done=True), Answer.sse(STREAM, done=True))
        async with mesh.stream_chat("openai:gpt-4o", "Why?") as stream:
            async for _ in stream:
                pass
        theirs = await client.chat.completions.create(
            model="gpt-4o", messages=USER, stream=True, stream_options={"include_usage": True}
        )
        chunks = [piece async for piece in theirs]
        assert difference(*server.requests, *SENT) == {}
        said = "".join(piece.choices[0].delta.content or "" for piece in chunks if piece.choices)
        assert stream.response.text == said == "Because ä."
        assert stream.response.usage.input_tokens == chunks[-1].usage.prompt_tokens == 9
        assert stream.response.complete


async def test_whole_answers_are_read_alike(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        ours = await mesh.chat("openai:gpt-4o", "Why?")
        theirs = await client.chat.completions.create(model="gpt-4o", messages=USER)
        assert ours.text == theirs.choices[0].message.content
        assert ours.usage.output_tokens == theirs.usage.completion_tokens
        assert (ours.id, ours.model) == (theirs.id, theirs.model)


async def test_completions_are_asked_for_and_read_alike(monkeypatch):
    answer = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [{"index": 0, "text": " b", "finish_reason": "length", "logprobs": None}]}  # fmt: skip
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(answer), Answer.json(answer))
        ours = await mesh.complete(
            "openai:gpt-3.5-turbo-instruct", "a", max_tokens=1, suffix="c", logprobs=True, top_logprobs=2
        )
        theirs = await client.completions.create(
            model="gpt-3.5-turbo-instruct", prompt="a", max_tokens=1, suffix="c", logprobs=2
        )
        assert difference(*server.requests, *SENT) == {}
        assert ours.text == theirs.choices[0].text == " b"
        assert ours.finish_reason == theirs.choices[0].finish_reason == "length"


async def test_embeddings_are_asked_for_and_read_alike(monkeypatch):
    # Two vectors, out of order, as little-endian float32: [0.5, -1.0] and [2.0, 0.25].
    entries = [
        {"object": "embedding", "index": 1, "embedding": "AAAAQAAAgD4="},
        {"object": "embedding", "index": 0, "embedding": "AAAAPwAAgL8="},
    ]
    answer = {
        "object": "list",
        "model": "m",
        "data": entries,
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(answer), Answer.json(answer))
        ours = await mesh.embed("openai:text-embedding-3-small", ["a", "b"], dimensions=2)
        theirs = await client.embeddings.create(
            model="text-embedding-3-small", input=["a", "b"], dimensions=2
        )
        assert difference(*server.requests, *SENT) == {}
        by_index = {entry.index: entry.embedding for entry in theirs.data}
        assert ours.lists() == [by_index[0], by_index[1]] == [[0.5, -1.0], [2.0, 0.25]]


async def test_responses_are_asked_for_and_read_alike(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(RESPONSE), Answer.json(RESPONSE))
        ours = await mesh.chat(
            "openai:gpt-5.2-pro",
            "Why?",
            system="Be brief.",
            max_tokens=50,
            reasoning={"effort": "high", "summary": "auto"},
            tools=[TOOL],
            tool_choice="add",
            response_format=SCHEMA,
        )
        flat = {"type": "function", **TOOL["function"]}
        theirs = await client.responses.create(
            model="gpt-5.2-pro",
            input=[{"role": "user", "content": "Why?"}],
            instructions="Be brief.",
            max_output_tokens=50,
            reasoning={"effort": "high", "summary": "auto"},
            tools=[flat],
            tool_choice={"type": "function", "name": "add"},
            text={"format": {"type": "json_schema", "name": "city", "schema": SCHEMA, "strict": True}},
        )
        assert difference(*server.requests, *SENT) == {}
        assert ours.text == theirs.output_text == "Because."
        assert ours.usage.input_tokens == theirs.usage.input_tokens


async def test_tokens_are_counted_alike(monkeypatch):
    answer = {"object": "response.input_tokens", "input_tokens": 11}
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(answer), Answer.json(answer))
        ours = await mesh.count_tokens("openai:gpt-5.2", "Why?")
        theirs = await client.responses.input_tokens.count(
            model="gpt-5.2", input=[{"role": "user", "content": "Why?"}]
        )
        assert difference(*server.requests, *SENT) == {}
        assert ours.input_tokens == theirs.input_tokens == 11
        assert ours.exact


async def test_models_are_listed_alike(monkeypatch):
    answer = {
        "object": "list",
        "data": [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "system"}],
    }
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(answer), Answer.json(answer))
        ours = await mesh.models("openai", refresh=True)
        theirs = [model.id async for model in client.models.list()]
        asked, theirs_asked = server.requests
        assert (
            (asked.method, asked.path_qs)
            == (theirs_asked.method, theirs_asked.path_qs)
            == ("GET", "/v1/models")
        )
        assert [card.id for card in ours] == theirs == ["gpt-4o"]


# -- the oracles can fail ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken", [{"temperature": 0.25}, {"stop": "a"}, {"n": 1}, {"extra_headers": {"OpenAI-Project": "other"}}]
)
async def test_the_request_oracle_fails_on_another_request(broken, monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat("openai:gpt-4o", "Why?")
        await client.chat.completions.create(model="gpt-4o", messages=USER, **broken)
        assert difference(*server.requests, *SENT) != {}


async def test_the_reading_oracle_fails_on_another_answer(monkeypatch):
    other = copy.deepcopy(WHOLE)
    other["choices"][0]["message"]["content"] = "No."
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(other))
        ours = await mesh.chat("openai:gpt-4o", "Why?")
        theirs = await client.chat.completions.create(model="gpt-4o", messages=USER)
        assert ours.text != theirs.choices[0].message.content
