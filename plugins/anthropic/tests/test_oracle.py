"""The official SDK as oracle: it sends what we send, and it reads what our fake service answers.

Both clients talk to one loopback server; the answers are made up from the documented formats. The SDK speaks the API
version 2026-10-21; for 2023-06-01 it is told so in a header.
"""

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
    WIRE_TOOL,
    send_both,
)

from jackfield import Mesh
from jackfield.testing import Answer, RecordingServer

NEW, OLD = "2026-10-21", "2023-06-01"


@asynccontextmanager
async def both(monkeypatch, version=NEW):
    """A loopback service, our mesh and the SDK, configured alike."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-made-up")
    async with RecordingServer() as server:
        connection = {
            "provider": "anthropic",
            "base_url": server.url,
            "api_key": "env:ANTHROPIC_API_KEY",
            "api_version": version,
        }
        headers = {} if version == NEW else {"anthropic-version": version}
        client = anthropic.AsyncAnthropic(
            base_url=server.url, api_key="sk-ant-made-up", max_retries=0, default_headers=headers
        )
        async with Mesh.from_config({"connections": {"claude": connection}}) as mesh, client:
            yield server, mesh, client


def difference(ours, theirs, version=NEW):
    headers = ["anthropic-version", "anthropic-beta", "content-type"]
    if version == NEW:  # the SDK that spoke the old one sent the key in another header
        headers += ["authorization", "x-api-key"]
    return oracles.difference(ours, theirs, headers=headers)


async def sent(monkeypatch, version, ours, theirs, **more):
    """Send with both clients and give the requests and what each read."""
    async with both(monkeypatch, version) as (server, mesh, client):
        return await send_both(server, mesh, client, "claude", ours, theirs, **more)


@pytest.mark.parametrize("version", [NEW, OLD])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", CHATS)
async def test_requests_equal_the_sdks(monkeypatch, case, stream, version):
    ours, theirs = CHATS[case]
    first, second, _, _ = await sent(monkeypatch, version, ours, theirs, stream=stream)
    assert not difference(first, second, version)


@pytest.mark.parametrize("case", OTHERS)
async def test_requests_to_other_models_equal_the_sdks(monkeypatch, case):
    model, ours, theirs = OTHERS[case]
    first, second, _, _ = await sent(monkeypatch, NEW, ours, theirs, model=model)
    assert not difference(first, second)


@pytest.mark.parametrize("case", SAMPLING)
async def test_sampling_of_the_old_version_equals_the_sdks(monkeypatch, case):
    ours, theirs = SAMPLING[case]
    first, second, _, _ = await sent(monkeypatch, OLD, ours, theirs)
    assert not difference(first, second, OLD)


@pytest.mark.parametrize("version", [NEW, OLD])
@pytest.mark.parametrize("case", CONVERSATIONS)
async def test_conversations_equal_the_sdks(monkeypatch, case, version):
    messages, theirs = CONVERSATIONS[case]
    first, second, _, _ = await sent(monkeypatch, version, {}, theirs, conversation=messages)
    assert not difference(first, second, version)


async def test_the_comparison_can_fail(monkeypatch):
    first, second, _, _ = await sent(monkeypatch, NEW, {"stop": "a"}, {"stop_sequences": ["b"]})
    assert set(difference(first, second)) == {"body"}
    first, second, _, _ = await sent(
        monkeypatch, NEW, {}, {"extra_headers": {"anthropic-beta": "a", "anthropic-version": OLD}}
    )
    assert set(difference(first, second)) == {"anthropic-beta", "anthropic-version"}


@pytest.mark.parametrize("version", [NEW, OLD])
async def test_counts_equal_the_sdks(monkeypatch, version):
    answer = Answer.json({"input_tokens": 14})
    async with both(monkeypatch, version) as (server, mesh, client):
        server.answer(answer, answer)
        count = await mesh.count_tokens(f"claude:{MODEL}", "Why?", system="Be brief.", tools=[TOOL])
        read = await client.messages.count_tokens(
            model=MODEL, messages=USER, system="Be brief.", tools=[WIRE_TOOL]
        )
        first, second = server.requests
    assert not difference(first, second, version)
    assert (count.input_tokens, count.exact, count.source) == (read.input_tokens, True, "service")


async def test_listings_equal_the_sdks(monkeypatch):
    def page(*names, more):
        data = [
            {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
            for name in names
        ]
        return Answer.json({"data": data, "has_more": more, "first_id": names[0], "last_id": names[-1]})

    pages = (page("claude-a", "claude-b", more=True), page("claude-c", more=False))
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(*pages, *pages)
        cards = await mesh.models("claude")
        theirs = [model.id async for model in client.models.list(limit=1000)]
        requests = server.requests
    assert [card.id for card in cards] == theirs == ["claude-a", "claude-b", "claude-c"]
    for first, second in zip(requests[:2], requests[2:], strict=True):
        assert sorted(first.path_qs.split("?")[1].split("&")) == sorted(
            second.path_qs.split("?")[1].split("&")
        )
        assert first.headers["authorization"] == second.headers["authorization"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_the_sdk_reads_our_fakes_as_we_do(monkeypatch, stream):
    _, _, reply, read = await sent(monkeypatch, NEW, {}, {}, stream=stream)
    if stream:
        text = "".join(
            e.delta.text for e in read if e.type == "content_block_delta" and e.delta.type == "text_delta"
        )
        usage = read[0].message.usage
        (stop,) = [event.delta.stop_reason for event in read if event.type == "message_delta"]
    else:
        text, usage, stop = read.content[1].text, read.usage, read.stop_reason
    assert reply.text == text == "Because ä."
    assert reply.finish_reason == "tool_calls"
    assert stop == "tool_use"
    assert reply.usage.input_tokens == (
        usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
    )
    assert reply.thinking == "Hm."
    (call,) = reply.tool_calls
    assert (call.id, call.name, call.arguments) == ("toolu_1", "add", {"name": "x"})
