"""The official SDK as oracle: it sends what we send, and it reads what our fake workspace answers.

The Databricks SDK drives the native route and fetches tokens; on the compatible routes it hands out OpenAI's
client with `{host}/serving-endpoints` as its address, which is made here in the same way (the SDK's own helper
is deprecated, and written for an older client). Answers are made up from the documented formats.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from oracles import difference

from jackfield import Mesh
from jackfield.testing import Answer, RecordingServer

# Absent where the plugins are tested at their lowest versions.
WorkspaceClient = pytest.importorskip("databricks.sdk").WorkspaceClient
serving = pytest.importorskip("databricks.sdk.service.serving")
AsyncOpenAI = pytest.importorskip("openai").AsyncOpenAI

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
WHOLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "meta-llama-3.3-70b-instruct-121024",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Because."}, "finish_reason": "stop"}
    ],
    "usage": USAGE,
}
TEXT = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1,
    "model": "mpt-7b-instruct",
    "choices": [{"index": 0, "text": " there was", "finish_reason": "length"}],
    "usage": USAGE,
}
VECTORS = {
    "object": "list",
    "model": "bge-large-en-v1.5",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}],
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}
SCHEMA = {
    "type": "object",
    "title": "city",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "add", "description": "Add.", "parameters": SCHEMA}}
LLAMA, CLAUDE = "databricks-meta-llama-3-3-70b-instruct", "databricks-claude-sonnet-4-5"
GPT = "databricks-gpt-5-2"
USER = [{"role": "user", "content": "Why?"}]


@asynccontextmanager
async def both(monkeypatch, models=None):
    """A loopback workspace, our mesh, OpenAI's client as the SDK hands it out, and the SDK."""
    for name in ("DATABRICKS_HOST", "DATABRICKS_CLIENT_ID", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-made-up")
    async with RecordingServer() as server:
        # The SDK asks who the host is.
        server.route("GET", "/.well-known/databricks-config", Answer.json({"workspace_id": "1"}))
        connection = {"provider": "databricks", "host": server.url, "token": "env:DATABRICKS_TOKEN"}
        if models is not None:
            connection["models"] = models
        client = AsyncOpenAI(
            base_url=f"{server.url}/serving-endpoints", api_key="dapi-made-up", max_retries=0
        )
        sdk = await asyncio.to_thread(WorkspaceClient, host=server.url, token="dapi-made-up")
        server.requests.clear()
        async with Mesh.from_config({"connections": {"db": connection}}) as mesh, client:
            yield server, mesh, client, sdk


# Model, what our caller writes, and what the SDK's caller writes for the same.
CHATS = {
    "nothing": (LLAMA, {}, {}),
    "zero": (LLAMA, {"temperature": 0}, {"temperature": 0}),
    "sampling": (
        LLAMA,
        {"temperature": 0.5, "top_p": 0.9, "top_k": 5, "n": 2},
        {"temperature": 0.5, "top_p": 0.9, "n": 2, "extra_body": {"top_k": 5}},
    ),
    "max_tokens": (LLAMA, {"max_tokens": 5}, {"max_tokens": 5}),
    "stop": (LLAMA, {"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
    "logprobs": (LLAMA, {"logprobs": True, "top_logprobs": 0}, {"logprobs": True, "top_logprobs": 0}),
    "tools": (
        CLAUDE,
        {"tools": [TOOL], "tool_choice": "add"},
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "add"}}},
    ),
    "required": (LLAMA, {"tools": [TOOL], "tool_choice": "required"}, {"tools": [TOOL], "tool_choice": "required"}),
    "json": (LLAMA, {"response_format": "json"}, {"response_format": {"type": "json_object"}}),
    "schema": (
        GPT,
        {"response_format": SCHEMA},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "city", "schema": SCHEMA, "strict": True},
            }
        },
    ),
    "thinking": (
        CLAUDE,
        {"reasoning": {"budget_tokens": 1024}, "max_tokens": 2048},
        {"max_tokens": 2048, "extra_body": {"thinking": {"type": "enabled", "budget_tokens": 1024}}},
    ),
    "effort": (GPT, {"reasoning": "low"}, {"reasoning_effort": "low"}),
    "effort of gpt-oss": ("databricks-gpt-oss-20b", {"reasoning": "high"}, {"reasoning_effort": "high"}),
    "seed of a model that may know it": (GPT, {"seed": 0}, {"seed": 0}),
    "extra": (
        LLAMA,
        {"extra": {"databricks": {"usage_context": {"team": "a"}, "client_request_id": "r"}}},
        {"extra_body": {"usage_context": {"team": "a"}, "client_request_id": "r"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHATS)
async def test_chat_requests_are_equal(name, monkeypatch):
    model, ours, theirs = CHATS[name]
    async with both(monkeypatch) as (server, mesh, client, _):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        reply = await mesh.chat(f"db:{model}", "Why?", **ours)
        read = await client.chat.completions.create(model=model, messages=USER, **theirs)
        assert difference(*server.requests) == {}
        assert reply.text == read.choices[0].message.content == "Because."
        assert reply.usage.input_tokens == read.usage.prompt_tokens


@pytest.mark.parametrize("model", [LLAMA, CLAUDE])
async def test_streams_are_asked_for_alike_and_read_alike(model, monkeypatch):
    chunks = [
        {**WHOLE, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": raw}], "usage": usage}
        for delta, raw, usage in (
            ({"role": "assistant", "content": "Be"}, None, {**USAGE, "completion_tokens": None, "total_tokens": None}),
            ({"role": "assistant", "content": "cause ä."}, None, {**USAGE, "completion_tokens": 1, "total_tokens": 10}),
            ({"role": "assistant", "content": ""}, "stop", USAGE),
        )
    ]  # fmt: skip
    asked = {} if model == CLAUDE else {"stream_options": {"include_usage": True}}
    async with both(monkeypatch) as (server, mesh, client, _):
        server.answer(Answer.sse(chunks, done=True), Answer.sse(chunks, done=True))
        async with mesh.stream_chat(f"db:{model}", "Why?") as stream:
            async for _event in stream:
                pass
        pieces = await client.chat.completions.create(model=model, messages=USER, stream=True, **asked)
        read = [piece async for piece in pieces]
        assert difference(*server.requests) == {}
    said = "".join(piece.choices[0].delta.content for piece in read)
    assert stream.response.text == said == "Because ä."
    assert stream.response.usage.output_tokens == read[-1].usage.completion_tokens == 2


async def test_embeddings_and_completions_are_asked_for_alike(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client, _):
        server.answer(*[Answer.json(VECTORS)] * 2, *[Answer.json(TEXT)] * 2)
        vectors = await mesh.embed(
            "db:databricks-bge-large-en", ["a"], extra={"databricks": {"encoding_format": "float"}}
        )
        theirs = await client.embeddings.create(
            model="databricks-bge-large-en", input=["a"], encoding_format="float"
        )
        text = await mesh.complete("db:databricks-mpt-7b-instruct", "Once", max_tokens=3, top_k=4)
        their_text = await client.completions.create(
            model="databricks-mpt-7b-instruct", prompt="Once", max_tokens=3, extra_body={"top_k": 4}
        )
        assert difference(*server.requests[:2]) == difference(*server.requests[2:]) == {}
    assert list(vectors.embeddings[0]) == theirs.data[0].embedding
    assert text.text == their_text.choices[0].text == " there was"


NATIVE = [{"id": "mine", "underlying": f"databricks:{LLAMA}", "route": "invocations"},
          {"id": "vectors", "underlying": "databricks:databricks-gte-large-en", "route": "invocations"},
          {"id": "old", "underlying": "databricks:databricks-mpt-30b-instruct", "route": "invocations"}]  # fmt: skip


async def test_the_native_route_is_the_sdks(monkeypatch):
    """One address for all kinds of request; the body decides."""
    async with both(monkeypatch, NATIVE) as (server, mesh, _, sdk):
        query = sdk.serving_endpoints.query
        server.answer(*[Answer.json(WHOLE)] * 2, *[Answer.json(VECTORS)] * 2, *[Answer.json(TEXT)] * 2)
        ours = await mesh.chat("db:mine", "Why?", max_tokens=5, temperature=0.5, stop=["a"], n=1)
        messages = [serving.ChatMessage(role=serving.ChatMessageRole.USER, content="Why?")]
        theirs = await asyncio.to_thread(
            query, "mine", messages=messages, max_tokens=5, temperature=0.5, stop=["a"], n=1
        )
        await mesh.embed("db:vectors", ["a", "b"][:1])
        vectors = await asyncio.to_thread(query, "vectors", input=["a"])
        await mesh.complete("db:old", "Once", max_tokens=3)
        text = await asyncio.to_thread(query, "old", prompt="Once", max_tokens=3)
        pairs = zip(server.requests[::2], server.requests[1::2], strict=True)
        assert [difference(*pair) for pair in pairs] == [{}, {}, {}]
        assert {r.path for r in server.requests} == {f"/serving-endpoints/{n}/invocations" for n in ("mine", "vectors", "old")}  # fmt: skip
    assert ours.text == theirs.choices[0].message.content
    assert vectors.data[0].embedding == [0.5, -1.0]
    assert text.choices[0].text == " there was"


async def test_endpoints_are_listed_as_the_sdk_lists_them(monkeypatch):
    answer = {
        "endpoints": [
            {"name": LLAMA, "task": "llm/v1/chat", "state": {"ready": "READY"}},
            {
                "name": "ours",
                "task": "llm/v1/embeddings",
                "config": {"served_entities": [{"external_model": {"provider": "openai", "name": "text-embedding-3-small"}}]},
            },
            {"name": "churn"},
        ]
    }  # fmt: skip
    async with both(monkeypatch) as (server, mesh, _, sdk):
        server.answer(Answer.json(answer), Answer.json(answer))
        cards = await mesh.models("db", refresh=True)
        theirs = await asyncio.to_thread(lambda: [endpoint.name for endpoint in sdk.serving_endpoints.list()])
        ours, asked = server.requests
        assert (ours.method, ours.path_qs) == (asked.method, asked.path_qs)
    assert [card.id for card in cards] == theirs == [LLAMA, "ours", "churn"]
    assert [sorted(card.kinds) for card in cards] == [["chat"], ["embedding"], []]


async def test_a_principals_token_is_fetched_as_the_sdk_fetches_it(monkeypatch):
    monkeypatch.delenv("DATABRICKS_TOKEN", raising=False)
    monkeypatch.setenv("DB_SECRET", "made-up secret/+")
    token = {"access_token": "made-up-token", "token_type": "Bearer", "expires_in": 3600}
    async with RecordingServer() as server:
        server.route("POST", "/oidc/v1/token", Answer.json(token))
        about = {"oidc_endpoint": f"{server.url}/oidc", "workspace_id": "1"}
        server.route("GET", "/.well-known/databricks-config", Answer.json(about))
        server.route("GET", "/oidc/.well-known/oauth-authorization-server",
                     Answer.json({"authorization_endpoint": f"{server.url}/oidc/v1/authorize", "token_endpoint": f"{server.url}/oidc/v1/token"}))  # fmt: skip
        server.route("POST", "/serving-endpoints/*", Answer.json(WHOLE))
        identity = {"kind": "databricks", "client_id": "principal", "client_secret": "env:DB_SECRET"}
        connection = {"provider": "databricks", "host": server.url, "credentials": "sp"}
        config = {"credentials": {"sp": identity}, "connections": {"db": connection}}
        async with Mesh.from_config(config) as mesh:
            await mesh.chat(f"db:{LLAMA}", "Why?")

        def ask():
            sdk = WorkspaceClient(
                host=server.url,
                client_id="principal",
                client_secret="made-up secret/+",
                auth_type="oauth-m2m",
            )
            messages = [serving.ChatMessage(role=serving.ChatMessageRole.USER, content="Why?")]
            return sdk.serving_endpoints.query("mine", messages=messages)

        await asyncio.to_thread(ask)
        ours, theirs = (request for request in server.requests if request.path == "/oidc/v1/token")
        chats = [request for request in server.requests if request.path.startswith("/serving-endpoints")]
    assert sorted(ours.body.split(b"&")) == sorted(theirs.body.split(b"&"))
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert [chat.headers["authorization"] for chat in chats] == ["Bearer made-up-token"] * 2
    assert ours.headers["authorization"] == theirs.headers["authorization"]


# -- the oracles can fail ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [{"temperature": 0.25}, {"stop": "a"}, {"extra_body": {"top_k": 1}}])
async def test_the_request_oracle_fails_on_another_request(broken, monkeypatch):
    async with both(monkeypatch) as (server, mesh, client, _):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat(f"db:{LLAMA}", "Why?")
        await client.chat.completions.create(model=LLAMA, messages=USER, **broken)
        assert difference(*server.requests) != {}
