"""The official SDK's clients of Claude in Microsoft Foundry as oracle: `AsyncAnthropicFoundry` and `AnthropicFoundry`."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import asynccontextmanager

import anthropic
import oracles
import pytest
from anthropic_oracle import (
    CHATS,
    CONVERSATIONS,
    MODEL,
    OTHERS,
    SAMPLING,
    TOOL,
    USER,
    WHOLE,
    WIRE_TOOL,
    send_both,
)

from jackfield import Mesh
from jackfield.testing import Answer, RecordingServer

NEW, OLD = "2026-10-21", "2023-06-01"
SENT = ("authorization", "x-api-key", "anthropic-version", "anthropic-beta", "content-type")
MODELS = (MODEL, *dict.fromkeys(model for model, _, _ in OTHERS.values()))


@asynccontextmanager
async def both(monkeypatch, version=NEW, client_type=anthropic.AsyncAnthropicFoundry, **identity):
    """A loopback resource, our mesh and the SDK, configured alike."""
    monkeypatch.setenv("FOUNDRY_KEY", "made-up")
    async with RecordingServer() as server:
        connection = {
            "provider": "azure-llm",
            "target_uri": f"{server.url}/anthropic",
            "anthropic_version": version,
            "models": [{"id": name, "underlying": name} for name in MODELS],
        }
        config = {"connections": {"foundry": connection}}
        if identity:
            config["credentials"] = {"entra": {"kind": "azure", "token": "env:FOUNDRY_KEY"}}
            connection["credentials"] = "entra"
        else:
            connection["api_key"] = "env:FOUNDRY_KEY"
            identity = {"api_key": "made-up"}
        headers = {} if version == NEW else {"anthropic-version": version}
        client = client_type(
            base_url=f"{server.url}/anthropic/", max_retries=0, default_headers=headers, **identity
        )
        async with Mesh.from_config(config) as mesh:
            try:
                yield server, mesh, client
            finally:
                closed = client.close()
                if inspect.isawaitable(closed):
                    await closed


def difference(ours, theirs):
    return oracles.difference(ours, theirs, headers=SENT)


@pytest.mark.parametrize("version", [NEW, OLD])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", CHATS)
async def test_requests_equal_the_sdks(monkeypatch, case, stream, version):
    ours, theirs = CHATS[case]
    async with both(monkeypatch, version) as service:
        first, second, _, _ = await send_both(*service, "foundry", ours, theirs, stream=stream)
    assert difference(first, second) == {}
    assert first.path_qs == "/anthropic/v1/messages"


@pytest.mark.parametrize("case", OTHERS)
async def test_requests_to_other_models_equal_the_sdks(monkeypatch, case):
    model, ours, theirs = OTHERS[case]
    async with both(monkeypatch) as service:
        first, second, _, _ = await send_both(*service, "foundry", ours, theirs, model=model)
    assert difference(first, second) == {}


@pytest.mark.parametrize("case", SAMPLING)
async def test_sampling_of_the_old_version_equals_the_sdks(monkeypatch, case):
    ours, theirs = SAMPLING[case]
    async with both(monkeypatch, OLD) as service:
        first, second, _, _ = await send_both(*service, "foundry", ours, theirs)
    assert difference(first, second) == {}


@pytest.mark.parametrize("case", CONVERSATIONS)
async def test_conversations_equal_the_sdks(monkeypatch, case):
    messages, theirs = CONVERSATIONS[case]
    async with both(monkeypatch) as service:
        first, second, _, _ = await send_both(*service, "foundry", {}, theirs, conversation=messages)
    assert difference(first, second) == {}


async def test_the_comparison_can_fail(monkeypatch):
    async with both(monkeypatch) as service:
        first, second, _, _ = await send_both(*service, "foundry", {"stop": "a"}, {"stop_sequences": ["b"]})
    assert set(difference(first, second)) == {"body"}
    broken = {"extra_headers": {"anthropic-version": OLD, "x-api-key": "another"}}
    async with both(monkeypatch) as service:
        first, second, _, _ = await send_both(*service, "foundry", {}, broken)
    assert set(difference(first, second)) == {"anthropic-version", "x-api-key"}


async def test_counts_equal_the_sdks(monkeypatch):
    answer = Answer.json({"input_tokens": 14})
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(answer, answer)
        count = await mesh.count_tokens(f"foundry:{MODEL}", "Why?", system="Be brief.", tools=[TOOL])
        read = await client.messages.count_tokens(
            model=MODEL, messages=USER, system="Be brief.", tools=[WIRE_TOOL]
        )
        assert difference(*server.requests) == {}
    assert (count.input_tokens, count.exact, count.source) == (read.input_tokens, True, "service")


async def test_a_token_of_entra_is_sent_as_the_sdk_sends_it(monkeypatch):
    async with both(monkeypatch, azure_ad_token_provider=lambda: "made-up") as service:
        first, second, _, _ = await send_both(*service, "foundry", {}, {})
    assert difference(first, second) == {}
    assert first.headers["authorization"] == "Bearer made-up"
    assert "x-api-key" not in first.headers


async def test_the_synchronous_client_sends_the_same(monkeypatch):
    async with both(monkeypatch, client_type=anthropic.AnthropicFoundry) as (server, mesh, client):
        server.answer(Answer.json(WHOLE), Answer.json(WHOLE))
        await mesh.chat(f"foundry:{MODEL}", "Why?", max_tokens=100)
        await asyncio.to_thread(client.messages.create, model=MODEL, max_tokens=100, messages=USER)
        assert difference(*server.requests) == {}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_the_sdk_reads_our_fakes_as_we_do(monkeypatch, stream):
    async with both(monkeypatch) as service:
        _, _, reply, read = await send_both(*service, "foundry", {}, {}, stream=stream)
    if stream:
        text = "".join(getattr(getattr(event, "delta", None), "text", None) or "" for event in read)
    else:
        text = read.content[1].text
    assert reply.text == text == "Because ä."
    assert (reply.thinking, reply.finish_reason, reply.usage.input_tokens) == ("Hm.", "tool_calls", 14)
    assert reply.cost.status == "complete"
