"""The official SDKs as oracles: `openai` for OpenAI's v1 routes, `azure-ai-inference` for the model-inference route."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from openai import AsyncOpenAI
from openai_oracle import CHATS, STREAM, USER, WHOLE
from oracles import difference

from jackfield import Mesh
from jackfield.testing import Answer, RecordingServer

SENT = ("authorization", "api-key", "extra-parameters")
VERSION = "api-version=2024-05-01-preview"


@asynccontextmanager
async def both(monkeypatch, path="/v1/chat/completions"):
    """A loopback service, our mesh and the SDK, configured alike."""
    monkeypatch.setenv("ENDPOINT_KEY", "made-up")
    async with RecordingServer() as server:
        models = [
            {"id": "chat", "kind": "chat", "rate": {"hour": "1"}, "target_uri": f"{server.url}{path}"},
            {"id": "vectors", "underlying": "embed-v-4-0", "target_uri": f"{server.url}{path}"},
        ]
        connection = {"provider": "azure-llm", "api_key": "env:ENDPOINT_KEY", "models": models}
        client = AsyncOpenAI(base_url=f"{server.url}/v1", api_key="made-up", max_retries=0)
        async with Mesh.from_config({"connections": {"az": connection}}) as mesh, client:
            yield server, mesh, client


def for_azure(options):
    """Redirect requests for the service to this one."""
    if "extra" not in options:
        return options
    return {**options, "extra": {"azure-llm": options["extra"]["openai"]}}


def as_models_take_it(options):
    """Use the limit's name for most models of the catalogue."""
    return {"max_tokens" if name == "max_completion_tokens" else name: v for name, v in options.items()}


@pytest.mark.parametrize("name", CHATS)
async def test_chat_requests_are_equal(name, monkeypatch):
    ours, theirs = CHATS[name]
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat("az:chat", "Why?", **for_azure(ours))
        await client.chat.completions.create(model="chat", messages=USER, **as_models_take_it(theirs))
        assert difference(*server.requests, *SENT) == {}


async def test_streams_are_asked_for_alike_and_read_alike(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.sse(STREAM, done=True), Answer.sse(STREAM, done=True))
        async with mesh.stream_chat("az:chat", "Why?") as stream:
            async for _ in stream:
                pass
        theirs = await client.chat.completions.create(
            model="chat", messages=USER, stream=True, stream_options={"include_usage": True}
        )
        chunks = [piece async for piece in theirs]
        assert difference(*server.requests, *SENT) == {}
        said = "".join(piece.choices[0].delta.content or "" for piece in chunks if piece.choices)
        assert stream.response.text == said == "Because ä."


async def test_embeddings_are_asked_for_and_read_alike(monkeypatch):
    entries = [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}]
    answer = {
        "object": "list",
        "model": "m",
        "data": entries,
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(answer), Answer.json(answer))
        ours = await mesh.embed(
            "az:vectors", ["a"], dimensions=2, extra={"azure-llm": {"encoding_format": "float"}}
        )
        theirs = await client.embeddings.create(
            model="vectors", input=["a"], dimensions=2, encoding_format="float"
        )
        assert difference(*server.requests, *SENT) == {}
        assert ours.lists() == [entry.embedding for entry in theirs.data]


# -- the model-inference route -----------------------------------------------------------------------------------

# What our caller writes, and what the caller of azure-ai-inference writes for the same.
INFERENCE = {
    "nothing": ({}, {}),
    "sampling": (
        {"temperature": 0, "top_p": 0.5, "presence_penalty": 1, "frequency_penalty": -1, "seed": 0},
        {"temperature": 0, "top_p": 0.5, "presence_penalty": 1, "frequency_penalty": -1, "seed": 0},
    ),
    "limits": ({"max_tokens": 5, "stop": ["a"]}, {"max_tokens": 5, "stop": ["a"]}),
    "json": ({"response_format": "json"}, {"response_format": "json_object"}),
    "more": ({"extra": {"azure-llm": {"safe_mode": True}}}, {"model_extras": {"safe_mode": True}}),
    "a field of ours outside the set": ({"top_k": 3}, {"model_extras": {"top_k": 3}}),
}


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize("name", INFERENCE)
async def test_requests_to_the_inference_route_are_equal(name, resource, monkeypatch):
    aio = pytest.importorskip("azure.ai.inference.aio", reason="azure-ai-inference is not installed")
    from azure.core.credentials import AzureKeyCredential

    ours, theirs = INFERENCE[name]
    path = "/models" if resource else f"/chat/completions?{VERSION}"
    async with both(monkeypatch, path) as (server, mesh, _):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat("az:chat", "Why?", **ours)
        sdk = aio.ChatCompletionsClient(
            server.url + ("/models" if resource else ""), AzureKeyCredential("made-up"), retry_total=0
        )
        async with sdk:
            answer = await sdk.complete(
                messages=[{"role": "user", "content": "Why?"}], model="chat", **theirs
            )
        assert answer.choices[0].message.content == "Because."
        mine, other = server.requests
        found = difference(mine, other, *SENT)
        # The SDK sends both headers on loopback; a serverless endpoint reads this one.
        assert found.pop("api-key", (None, "made-up")) == (None, "made-up")
        assert found == {}


async def test_embeddings_of_the_inference_route_are_equal(monkeypatch):
    aio = pytest.importorskip("azure.ai.inference.aio", reason="azure-ai-inference is not installed")
    from azure.core.credentials import AzureKeyCredential

    answer = {"id": "1", "model": "m", "data": [{"index": 0, "embedding": [0.5], "object": "embedding"}],
              "usage": {"prompt_tokens": 2, "total_tokens": 2}}  # fmt: skip
    async with both(monkeypatch, "/models") as (server, mesh, _):
        server.answer(Answer.json(answer), Answer.json(answer))
        await mesh.embed("az:vectors", ["a"], dimensions=1, input_type="document")
        async with aio.EmbeddingsClient(
            f"{server.url}/models", AzureKeyCredential("made-up"), retry_total=0
        ) as sdk:
            await sdk.embed(input=["a"], dimensions=1, input_type="document", model="vectors")
        found = difference(*server.requests, *SENT)
        assert found.pop("api-key", (None, "made-up")) == (None, "made-up")
        assert found == {}


@pytest.mark.parametrize(
    "broken", [{"temperature": 0.25}, {"stop": "a"}, {"extra_headers": {"authorization": "x"}}]
)
async def test_the_request_oracle_fails_on_another_request(broken, monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat("az:chat", "Why?")
        await client.chat.completions.create(model="chat", messages=USER, **broken)
        assert difference(*server.requests, *SENT) != {}
