"""The official SDK as oracle: it sends what we send, and it reads what our fake service answers.

`AsyncAzureOpenAI` for the dated API, `AsyncOpenAI` for the v1 API, as Microsoft's pages have it (2026).
"""

from __future__ import annotations

import copy
from contextlib import asynccontextmanager

import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI
from openai_oracle import CHATS, RESPONSE, SCHEMA, STREAM, TOOL, USER, WHOLE
from oracles import difference

from jackfield import Mesh
from jackfield.testing import Answer, RecordingServer

DATED = "2024-10-21"
MODELS = [
    {"id": "chat-prod", "underlying": "gpt-4o", "kind": "chat"},
    {"id": "thinker", "underlying": "gpt-5.5"},
    {"id": "instruct", "underlying": "gpt-35-turbo-instruct", "kind": "completion"},
    {"id": "vectors", "underlying": "text-embedding-3-small", "kind": "embedding"},
    {"id": "pro", "underlying": "gpt-5.2-pro"},
]
# How our connection is written, and how the SDK is made, for each way to prove identity and each API.
WAYS = {
    "dated, key": ({"api_version": DATED}, {"api_version": DATED, "api_key": "made-up"}),
    "dated, token": (
        {"api_version": DATED, "credentials": "entra"},
        {"api_version": DATED, "azure_ad_token": "made-up-token"},
    ),
    "v1, token": ({"credentials": "entra"}, {"api_key": "made-up-token"}),
    "v1, key as bearer": ({"key_header": "Authorization"}, {"api_key": "made-up"}),
}
SENT = ("api-key", "authorization", "ocp-apim-subscription-key")


@asynccontextmanager
async def both(monkeypatch, way="dated, key"):
    """A loopback service, our mesh and the SDK, configured alike."""
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "made-up")
    monkeypatch.setenv("ENTRA", "made-up-token")
    ours, theirs = WAYS[way]
    async with RecordingServer() as server:
        key = {"api_key": "env:AZURE_OPENAI_API_KEY"}
        connection = {"provider": "azure-openai", "endpoint": server.url, "models": MODELS, **key, **ours}
        if way.startswith("dated"):
            monkeypatch.delenv("AZURE_OPENAI_API_KEY")  # the SDK takes no two identities
            client = AsyncAzureOpenAI(azure_endpoint=server.url, max_retries=0, **theirs)
            monkeypatch.setenv("AZURE_OPENAI_API_KEY", "made-up")
        else:
            client = AsyncOpenAI(base_url=f"{server.url}/openai/v1/", max_retries=0, **theirs)
        config = {
            "connections": {"az": connection},
            "credentials": {"entra": {"kind": "azure", "token": "env:ENTRA"}},
        }
        async with Mesh.from_config(config) as mesh, client:
            yield server, mesh, client


def for_azure(options):
    """Redirect requests for the service to this one."""
    if "extra" not in options:
        return options
    return {**options, "extra": {"azure-openai": options["extra"]["openai"]}}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CHATS)
async def test_chat_requests_are_equal(name, way, monkeypatch):
    ours, theirs = CHATS[name]
    async with both(monkeypatch, way) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat("az:chat-prod", "Why?", **for_azure(ours))
        await client.chat.completions.create(model="chat-prod", messages=USER, **theirs)
        assert difference(*server.requests, *SENT) == {}


@pytest.mark.parametrize("way", WAYS)
async def test_reasoning_requests_are_equal(way, monkeypatch):
    async with both(monkeypatch, way) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat("az:thinker", "Why?", reasoning="xhigh", max_tokens=9)
        await client.chat.completions.create(
            model="thinker", messages=USER, reasoning_effort="xhigh", max_completion_tokens=9
        )
        assert difference(*server.requests, *SENT) == {}


FILTERED = {
    "id": "", "object": "", "created": 0, "model": "", "choices": [],
    "prompt_filter_results": [
        {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
    ],
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
async def test_streams_are_asked_for_alike_and_read_alike(way, monkeypatch):
    events = [FILTERED, *STREAM]
    async with both(monkeypatch, way) as (server, mesh, client):
        server.answer(Answer.sse(events, done=True), Answer.sse(events, done=True))
        async with mesh.stream_chat("az:chat-prod", "Why?") as stream:
            async for _ in stream:
                pass
        theirs = await client.chat.completions.create(
            model="chat-prod", messages=USER, stream=True, stream_options={"include_usage": True}
        )
        chunks = [piece async for piece in theirs]
        assert difference(*server.requests, *SENT) == {}
        said = "".join(piece.choices[0].delta.content or "" for piece in chunks if piece.choices)
        assert stream.response.text == said == "Because ä."
        assert stream.response.usage.input_tokens == chunks[-1].usage.prompt_tokens == 9
        assert stream.response.id == chunks[-1].id


@pytest.mark.parametrize("way", WAYS)
async def test_completions_are_asked_for_and_read_alike(way, monkeypatch):
    answer = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [{"index": 0, "text": " b", "finish_reason": "length", "logprobs": None}]}  # fmt: skip
    async with both(monkeypatch, way) as (server, mesh, client):
        server.answer(Answer.json(answer), Answer.json(answer))
        ours = await mesh.complete("az:instruct", "a", max_tokens=1, logprobs=True, top_logprobs=2)
        theirs = await client.completions.create(model="instruct", prompt="a", max_tokens=1, logprobs=2)
        assert difference(*server.requests, *SENT) == {}
        assert ours.text == theirs.choices[0].text == " b"


@pytest.mark.parametrize("way", WAYS)
async def test_embeddings_are_asked_for_and_read_alike(way, monkeypatch):
    entries = [{"object": "embedding", "index": 0, "embedding": "AAAAPwAAgL8="}]
    answer = {
        "object": "list",
        "model": "m",
        "data": entries,
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
    async with both(monkeypatch, way) as (server, mesh, client):
        server.answer(Answer.json(answer), Answer.json(answer))
        ours = await mesh.embed("az:vectors", ["a"], dimensions=2)
        theirs = await client.embeddings.create(model="vectors", input=["a"], dimensions=2)
        assert difference(*server.requests, *SENT) == {}
        assert ours.lists() == [entry.embedding for entry in theirs.data] == [[0.5, -1.0]]


@pytest.mark.parametrize("way", WAYS)
async def test_responses_are_asked_for_and_read_alike(way, monkeypatch):
    async with both(monkeypatch, way) as (server, mesh, client):
        server.answer(Answer.json(RESPONSE), Answer.json(RESPONSE))
        ours = await mesh.chat(
            "az:pro", "Why?", system="Be brief.", max_tokens=50, tools=[TOOL], response_format=SCHEMA
        )
        theirs = await client.responses.create(
            model="pro",
            input=[{"role": "user", "content": "Why?"}],
            instructions="Be brief.",
            max_output_tokens=50,
            tools=[{"type": "function", **TOOL["function"]}],
            text={"format": {"type": "json_schema", "name": "city", "schema": SCHEMA, "strict": True}},
        )
        assert difference(*server.requests, *SENT) == {}
        assert ours.text == theirs.output_text == "Because."


async def test_a_deployment_of_any_name_is_addressed_alike(monkeypatch):
    async with both(monkeypatch) as (server, _, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        name = "my deployment.v2_x"
        odd = {
            "provider": "azure-openai",
            "endpoint": server.url,
            "api_key": "env:AZURE_OPENAI_API_KEY",
            "api_version": DATED,
            "models": [{"id": name, "underlying": "gpt-4o"}],
        }
        async with Mesh.from_config({"connections": {"az": odd}}) as other:
            await other.chat(f"az:{name}", "Why?")
        await client.chat.completions.create(model=name, messages=USER)
        assert difference(*server.requests, *SENT) == {}


# -- the oracles can fail ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        {"temperature": 0.25},
        {"stop": "a"},
        {"extra_headers": {"api-key": "other"}},
        {"extra_query": {"a": "b"}},
    ],
)
async def test_the_request_oracle_fails_on_another_request(broken, monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat("az:chat-prod", "Why?")
        await client.chat.completions.create(model="chat-prod", messages=USER, **broken)
        assert difference(*server.requests, *SENT) != {}


async def test_the_reading_oracle_fails_on_another_answer(monkeypatch):
    other = copy.deepcopy(WHOLE)
    other["choices"][0]["message"]["content"] = "No."
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(other))
        ours = await mesh.chat("az:chat-prod", "Why?")
        theirs = await client.chat.completions.create(model="chat-prod", messages=USER)
        assert ours.text != theirs.choices[0].message.content
