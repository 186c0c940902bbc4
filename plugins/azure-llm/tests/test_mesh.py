"""Endpoints of Azure through a mesh, against a loopback service: keys, chat, stream, error, cancel."""

from __future__ import annotations

import asyncio

import pytest
from meshes import mesh_for

from jackfield import (
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    Mesh,
    MissingCredentialError,
    OverloadedError,
    UnsupportedError,
)
from jackfield.testing import Answer, RecordingServer

SERVERLESS = "https://name.eastus.models.ai.azure.com"
RESOURCE = "https://name.services.ai.azure.com"
WHOLE = {
    "id": "1",
    "model": "deepseek-r1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "<think>Hm.</think>Hello."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000},
}  # fmt: skip


def piece(content, finish=None):
    delta = {} if content is None else {"content": content}
    return {
        "id": "1",
        "model": "deepseek-r1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


STREAM = [piece("<think>Hm."), piece("</think>Hel"), piece("lo."), piece(None, "stop")]


@pytest.fixture
async def service(monkeypatch):
    monkeypatch.setenv("AZURE_AI_KEY", "shared-key")
    monkeypatch.setenv("R1_KEY", "own-key")
    async with RecordingServer() as server:
        server.route("*", "*", Answer.json(WHOLE))
        yield server


R1 = {"id": "r1", "underlying": "deepseek-r1", "target_uri": f"{SERVERLESS}/v1/chat/completions"}


def mesh(server, *models, **more):
    keys = {"api_key": "env:AZURE_AI_KEY", "models": list(models or (R1,)), **more}
    identities = {"entra": {"kind": "azure", "token": "env:R1_KEY"}}
    return mesh_for("azure-llm", server.url, "az", identities=identities, **keys)


async def test_each_endpoint_has_its_key_and_its_header(service):
    models = [
        {**R1, "api_key": "env:R1_KEY"},
        {"id": "llama", "underlying": "Llama-3.3-70B-Instruct", "target_uri": SERVERLESS},
        {"id": "grok", "underlying": "grok-4", "target_uri": f"{RESOURCE}/openai/v1"},
        {"id": "phi", "underlying": "Phi-4", "target_uri": f"{RESOURCE}/models", "api_key": "env:R1_KEY"},
    ]
    async with mesh(service, *models) as open_mesh:
        for name in ("r1", "llama", "grok", "phi"):
            await open_mesh.chat(f"az:{name}", "Hi")
    sent = [(r.path_qs, r.headers.get("authorization"), r.headers.get("api-key")) for r in service.requests]
    assert sent == [
        ("/v1/chat/completions", "Bearer own-key", None),
        ("/v1/chat/completions", "Bearer shared-key", None),
        ("/openai/v1/chat/completions", None, "shared-key"),
        ("/models/chat/completions?api-version=2024-05-01-preview", None, "own-key"),
    ]


async def test_without_base_url_every_endpoint_is_asked_at_its_own_address(service):
    models = [
        {**R1, "target_uri": f"{service.url}/a/v1"},
        {**R1, "id": "b", "target_uri": f"{service.url}/b/score?x=1"},
    ]
    connection = {"provider": "azure-llm", "models": models, "api_key": "env:AZURE_AI_KEY"}
    async with Mesh.from_config({"connections": {"az": connection}}) as open_mesh:
        await open_mesh.chat("az:r1", "Hi")
        await open_mesh.chat("az:b", "Hi")
    assert [r.path_qs for r in service.requests] == ["/a/v1/chat/completions", "/b/chat/completions?x=1"]


async def test_one_target_uri_serves_a_whole_resource(service):
    models = [{"id": "grok", "underlying": "grok-4"}, {"id": "phi", "underlying": "Phi-4"}]
    async with mesh(service, *models, target_uri=RESOURCE) as open_mesh:
        await open_mesh.chat("az:phi", "Hi")
    assert service.requests[0].path_qs == "/openai/v1/chat/completions"
    assert service.requests[0].json["model"] == "phi"


async def test_the_shared_key_is_needed_only_where_it_is_used(service, monkeypatch):
    monkeypatch.delenv("AZURE_AI_KEY")
    async with mesh(service, {**R1, "api_key": "env:R1_KEY"}) as open_mesh:
        assert (await open_mesh.chat("az:r1", "Hi")).text == "Hello."
    async with mesh(service) as open_mesh:
        with pytest.raises(MissingCredentialError, match="AZURE_AI_KEY"):
            await open_mesh.chat("az:r1", "Hi")


async def test_an_identity_replaces_keys(service):
    async with mesh(
        service, R1, {"id": "grok", "underlying": "grok-4", "target_uri": RESOURCE}, credentials="entra"
    ) as open_mesh:
        await open_mesh.chat("az:r1", "Hi")
        await open_mesh.chat("az:grok", "Hi")
    assert [r.headers.get("authorization") for r in service.requests] == ["Bearer own-key"] * 2


async def test_a_chat_has_thinking_cost_and_a_report(service):
    async with mesh(service) as open_mesh:
        reply = await open_mesh.chat("az:r1", "Hi", max_tokens=5, temperature=0)
        again = await open_mesh.chat(
            "az:r1", [{"role": "user", "content": "Hi"}, reply.message, {"role": "user", "content": "?"}]
        )
    assert (reply.text, reply.thinking) == ("Hello.", "Hm.")
    assert str(reply.cost.amount) == "0.00675"  # 1.35 and 5.4 a million
    assert service.requests[0].json == {"model": "r1", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0, "max_tokens": 5}  # fmt: skip
    assert service.requests[1].json["messages"][1] == {"role": "assistant", "content": "Hello."}
    assert again.parameters["messages[1].thinking"].fate == "dropped"


async def test_a_stream_separates_thinking_and_unknown_usage_is_unknown(service):
    service.answer(Answer.sse(STREAM, done=True))
    async with mesh(service) as open_mesh, open_mesh.stream_chat("az:r1", "Hi") as stream:
        async for _ in stream:
            pass
    reply = stream.response
    assert (reply.text, reply.thinking, reply.complete) == ("Hello.", "Hm.", True)
    assert reply.usage.input_tokens is None
    assert reply.cost.status == "unknown"


async def test_a_rejected_parameter_is_named(service):
    said = {
        "error": "Unprocessable Entity",
        "message": "No.",
        "detail": {"loc": ["body", "top_k"], "input": 3},
    }
    service.answer(Answer.json(said, status=422))
    async with mesh(service) as open_mesh:
        with pytest.raises(InvalidRequestError, match="parameter top_k"):
            await open_mesh.chat("az:r1", "Hi", top_k=3)


async def test_a_cancelled_stream_closes_the_upstream(service):
    service.answer(Answer.sse(STREAM, stall_after=2))
    async with mesh(service) as open_mesh:
        async with open_mesh.stream_chat("az:r1", "Hi") as stream:
            async for event in stream:
                if type(event).__name__ == "TextDelta":
                    break
        await asyncio.wait_for(service.wait_disconnected(), 5)
    assert stream.response.text == "Hel"
    assert not stream.response.complete


@pytest.mark.parametrize(
    ("keys", "body", "header"),
    [
        ({"model_name": ""}, None, None),
        ({"model_name": "azureml"}, "azureml", None),
        ({"deployment": "blue"}, "r1", "blue"),
    ],
)
async def test_declared_keys_change_the_request(keys, body, header, service):
    async with mesh(service, {**R1, **keys}) as open_mesh:
        await open_mesh.chat("az:r1", "Hi")
    assert service.requests[0].json.get("model") == body
    assert service.requests[0].headers.get("azureml-model-deployment") == header


@pytest.mark.parametrize("asked", [True, False])
async def test_a_stream_requests_its_usage_unless_declared_otherwise(asked, service):
    service.answer(Answer.sse(STREAM, done=True))
    async with (
        mesh(service, {**R1, "stream_usage": asked}) as open_mesh,
        open_mesh.stream_chat("az:r1", "Hi") as stream,
    ):
        async for _ in stream:
            pass
    assert ("stream_options" in service.requests[0].json) is asked


async def test_models_of_openai_get_the_limit_under_its_new_name(service):
    async with mesh(service, {"id": "g", "underlying": "gpt-5", "target_uri": RESOURCE}) as open_mesh:
        await open_mesh.chat("az:g", "Hi", max_tokens=5)
    assert service.requests[0].json["max_completion_tokens"] == 5


async def test_a_completion_is_one_user_turn_and_options_of_completions_are_refused(service):
    models = [R1, {"id": "codex", "underlying": "gpt-5-codex", "target_uri": RESOURCE}]
    async with mesh(service, *models) as open_mesh:
        reply = await open_mesh.complete("az:r1", "Hi")
        assert reply.parameters["completion"].fate == "emulated"
        with pytest.raises(UnsupportedError, match="azure-openai"):
            await open_mesh.chat("az:codex", "Hi")
    assert len(service.requests) == 1


async def test_embeddings_are_split_if_the_model_accepts_few_inputs(service):
    def vectors(count):
        data = [{"index": n, "embedding": [1.0]} for n in range(count)]
        return Answer.json(
            {"id": "1", "model": "m", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        )

    service.answer(vectors(96), vectors(4))
    entry = {"id": "e", "underlying": "Cohere-embed-v3-english", "target_uri": f"{RESOURCE}/models"}
    async with mesh(service, entry, max_parallel=1) as open_mesh:
        reply = await open_mesh.embed("az:e", [str(n) for n in range(100)], input_type="query")
    assert len(reply.embeddings) == 100
    assert {len(r.json["input"]) for r in service.requests} == {96, 4}
    assert service.requests[0].json["input_type"] == "query"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"id": "r1", "underlying": "deepseek-r1"}, "no target_uri"),
        (
            {"id": "r1", "underlying": "deepseek-r1", "target_uri": "https://ml.azure.com/x"},
            "page of the portal",
        ),
        ({"id": "r1", "target_uri": SERVERLESS}, "which model is behind it"),
    ],
)
async def test_an_unusable_entry_is_refused_with_a_reason_when_loaded(entry, why, service):
    with pytest.raises(ConfigurationError, match=why):
        mesh(service, entry)


async def test_no_key_is_shown(service):
    service.answer(Answer.json({"error": {"message": "own-key is wrong"}}, status=401))
    async with mesh(service, {**R1, "api_key": "env:R1_KEY"}) as open_mesh:
        plan = open_mesh.explain("az:r1", "Hi")
        with pytest.raises(Exception, match=r"\*\*\*") as told:
            await open_mesh.chat("az:r1", "Hi")
    assert "own-key" not in f"{plan!r} {told.value!r}"


# -- Claude in Foundry -------------------------------------------------------------------------------------------

CLAUDE = {"id": "my-claude", "underlying": "claude-sonnet-4-6"}
MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "Hello."}], "usage": {"input_tokens": 1000, "output_tokens": 1000},
}  # fmt: skip


@pytest.fixture
async def foundry(monkeypatch):
    monkeypatch.setenv("AZURE_AI_KEY", "shared-key")
    monkeypatch.setenv("R1_KEY", "own-key")
    async with RecordingServer() as server:
        server.route("*", "*", Answer.json(MESSAGE))
        yield server


@pytest.mark.parametrize("uri", [RESOURCE, f"{RESOURCE}/openai/v1", f"{RESOURCE}/models", f"{RESOURCE}/anthropic/v1/messages"])  # fmt: skip
async def test_a_claude_of_a_resource_is_called_by_the_messages_api(uri, foundry):
    async with mesh(foundry, CLAUDE, target_uri=uri) as open_mesh:
        reply = await open_mesh.chat("az:my-claude", "Hi", max_tokens=5, temperature=0)
    (sent,) = foundry.requests
    assert sent.path_qs == "/anthropic/v1/messages"
    assert sent.headers["x-api-key"] == "shared-key"
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert "api-key" not in sent.headers
    assert sent.json == {
        "model": "my-claude", "max_tokens": 5, "temperature": 0, "messages": [{"role": "user", "content": "Hi"}],
    }  # fmt: skip
    assert (reply.text, str(reply.cost.amount)) == ("Hello.", "0.018")


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ({**CLAUDE, "route": "chat", "target_uri": RESOURCE}, "/openai/v1/chat/completions"),
        ({**CLAUDE, "target_uri": SERVERLESS}, "/v1/chat/completions"),
        ({"id": "grok", "underlying": "grok-4", "target_uri": RESOURCE}, "/openai/v1/chat/completions"),
    ],
)
async def test_other_models_addresses_and_routes_are_called_by_openais_api(entry, path, service):
    async with mesh(service, entry) as open_mesh:
        await open_mesh.chat(f"az:{entry['id']}", "Hi")
    assert service.requests[0].path_qs == path


async def test_a_declared_route_is_followed_behind_a_gateway(foundry):
    gateway = {**CLAUDE, "route": "messages", "target_uri": "https://gateway.example.com/claude?tenant=a"}
    async with mesh(foundry, {**gateway, "model_name": "", "api_key": "env:R1_KEY"}) as open_mesh:
        await open_mesh.chat("az:my-claude", "Hi")
        await open_mesh.chat("az:my-claude", "Hi", extra={"azure-llm": {"betas": ["b-1"]}})
    first, second = foundry.requests
    assert first.path_qs == "/claude/v1/messages?tenant=a"
    assert first.headers["x-api-key"] == "own-key"
    assert "model" not in first.json
    assert second.headers["anthropic-beta"] == "b-1"


async def test_tokens_are_counted_by_the_resource(foundry):
    foundry.answer(Answer.json({"input_tokens": 3}))
    async with mesh(foundry, CLAUDE, target_uri=RESOURCE) as open_mesh:
        count = await open_mesh.count_tokens("az:my-claude", "Hi")
    assert (count.input_tokens, count.exact) == (3, True)
    assert foundry.requests[0].path_qs == "/anthropic/v1/messages/count_tokens"


async def test_a_model_that_no_table_contains_is_called_by_the_messages_api_of_its_address(foundry):
    entry = {"id": "ours", "kind": "chat", "rate": {"hour": "1"}, "target_uri": f"{RESOURCE}/anthropic"}
    async with mesh(foundry, entry) as open_mesh:
        assert (await open_mesh.chat("az:ours", "Hi", max_tokens=5)).text == "Hello."
    assert foundry.requests[0].path_qs == "/anthropic/v1/messages"


async def test_thinking_of_claude_is_sent_back_in_the_next_turn(foundry):
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    foundry.answer(Answer.json({**MESSAGE, "content": [thought, *MESSAGE["content"]]}))
    async with mesh(foundry, CLAUDE, target_uri=RESOURCE) as open_mesh:
        reply = await open_mesh.chat("az:my-claude", "Hi")
        await open_mesh.chat("az:my-claude", [{"role": "user", "content": "Hi"}, reply.message, {"role": "user", "content": "?"}])  # fmt: skip
    assert foundry.requests[1].json["messages"][1]["content"][0] == thought


async def test_embeddings_are_refused_by_the_messages_api(foundry):
    async with mesh(foundry, {**CLAUDE, "kind": "embedding"}, target_uri=RESOURCE) as open_mesh:
        with pytest.raises(UnsupportedError):
            await open_mesh.embed("az:my-claude", "Hi")
    assert not foundry.requests


async def test_errors_of_claude_and_of_the_resource_are_understood(foundry):
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    denied = {
        "error": {"code": "401", "message": "Access denied due to invalid subscription key: shared-key"}
    }
    foundry.answer(Answer.json(overloaded, status=529), Answer.json(denied, status=401))
    async with mesh(foundry, CLAUDE, target_uri=RESOURCE, retry={"attempts": 1}) as open_mesh:
        with pytest.raises(OverloadedError):
            await open_mesh.chat("az:my-claude", "Hi")
        with pytest.raises(AuthenticationError) as caught:
            await open_mesh.chat("az:my-claude", "Hi")
    assert "shared-key" not in str(caught.value)
