"""Anthropic's SDK as oracle for the Messages API of a workspace, configured as Databricks' documentation shows."""

from __future__ import annotations

from contextlib import asynccontextmanager

import oracles
import pytest
from anthropic_oracle import CHATS, CONVERSATIONS, OTHERS, SAMPLING, send_both

from jackfield import Mesh
from jackfield.testing import RecordingServer

anthropic = pytest.importorskip("anthropic")  # absent where the plugins are tested at their lowest versions

VERSION = "2023-06-01"
SENT = ("authorization", "anthropic-version", "anthropic-beta", "content-type")
MODEL = "databricks-claude-haiku-4-5"


@asynccontextmanager
async def both(monkeypatch, prefix="/serving-endpoints"):
    """A loopback workspace, our mesh and the SDK, configured alike."""
    monkeypatch.setenv("DB_TOKEN", "dapi-made-up")
    async with RecordingServer() as server:
        names = [
            MODEL,
            "system.ai.claude-haiku-4-5",
            *(f"databricks-{model}" for model, _, _ in OTHERS.values()),
        ]
        connection = {
            "provider": "databricks",
            "host": server.url,
            "token": "env:DB_TOKEN",
            "models": [{"id": name, "route": "messages"} for name in dict.fromkeys(names)],
        }
        client = anthropic.AsyncAnthropic(
            api_key="unused",
            base_url=f"{server.url}{prefix}/anthropic",
            default_headers={"Authorization": "Bearer dapi-made-up", "anthropic-version": VERSION},
            max_retries=0,
        )
        async with Mesh.from_config({"connections": {"db": connection}}) as mesh, client:
            yield server, mesh, client


def difference(ours, theirs):
    return oracles.difference(ours, theirs, headers=SENT)


def here(options):
    """Rename the provider of an option of one service."""
    return (
        options
        if "extra" not in options
        else {**options, "extra": {"databricks": options["extra"]["anthropic"]}}
    )


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", CHATS)
async def test_requests_equal_the_sdks(monkeypatch, case, stream):
    ours, theirs = CHATS[case]
    async with both(monkeypatch) as service:
        first, second, _, _ = await send_both(*service, "db", here(ours), theirs, model=MODEL, stream=stream)
    assert difference(first, second) == {}
    assert first.path_qs == "/serving-endpoints/anthropic/v1/messages"


@pytest.mark.parametrize("case", OTHERS)
async def test_requests_to_other_models_equal_the_sdks(monkeypatch, case):
    model, ours, theirs = OTHERS[case]
    async with both(monkeypatch) as service:
        first, second, _, _ = await send_both(*service, "db", ours, theirs, model=f"databricks-{model}")
    assert difference(first, second) == {}


@pytest.mark.parametrize("case", SAMPLING)
async def test_sampling_equals_the_sdks(monkeypatch, case):
    ours, theirs = SAMPLING[case]
    async with both(monkeypatch) as service:
        first, second, _, _ = await send_both(*service, "db", ours, theirs, model=MODEL)
    assert difference(first, second) == {}


@pytest.mark.parametrize("case", CONVERSATIONS)
async def test_conversations_equal_the_sdks(monkeypatch, case):
    messages, theirs = CONVERSATIONS[case]
    async with both(monkeypatch) as service:
        first, second, _, _ = await send_both(*service, "db", {}, theirs, model=MODEL, conversation=messages)
    assert difference(first, second) == {}


async def test_a_model_of_the_gateway_is_called_there(monkeypatch):
    async with both(monkeypatch, "/ai-gateway") as service:
        first, second, _, _ = await send_both(*service, "db", {}, {}, model="system.ai.claude-haiku-4-5")
    assert difference(first, second) == {}
    assert first.path_qs == "/ai-gateway/anthropic/v1/messages"


async def test_the_comparison_can_fail(monkeypatch):
    async with both(monkeypatch) as service:
        first, second, _, _ = await send_both(
            *service, "db", {"stop": "a"}, {"stop_sequences": ["b"]}, model=MODEL
        )
    assert set(difference(first, second)) == {"body"}
    broken = {"extra_headers": {"anthropic-version": "2026-10-21", "authorization": "Bearer another"}}
    async with both(monkeypatch) as service:
        first, second, _, _ = await send_both(*service, "db", {}, broken, model=MODEL)
    assert set(difference(first, second)) == {"anthropic-version", "authorization"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_the_sdk_reads_our_fakes_as_we_do(monkeypatch, stream):
    async with both(monkeypatch) as service:
        _, _, reply, read = await send_both(*service, "db", {}, {}, model=MODEL, stream=stream)
    if stream:
        text = "".join(getattr(getattr(event, "delta", None), "text", None) or "" for event in read)
    else:
        text = read.content[1].text
    assert reply.text == text == "Because ä."
    assert (reply.thinking, reply.finish_reason, reply.usage.input_tokens) == ("Hm.", "tool_calls", 14)
