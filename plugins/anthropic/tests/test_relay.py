"""Relays of Anthropic's messages. The events were written from Anthropic's reference."""

import pytest

from jackfield import Mesh
from jackfield.plugin import ModelRef, RelayRequest, relay
from jackfield.testing import Answer, RecordingServer
from jackfield_anthropic import AnthropicSettings, jackfield_relay

BODY = b'{"model": "claude-team", "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "hi"}]}'
EVENTS = [
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",',
    b'"model":"claude-opus-4-8","content":[],"usage":{"input_tokens":9,"output_tokens":1}}}\n\n',
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"thinking",',
    b'"thinking":"","signature":""}}\n\nevent: ping\ndata: {"type": "ping"}\n\n',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta",',
    b'"signature":"c2ln"}}\n\nevent: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
]
HEADERS = {
    "x-api-key": "sk-gateway",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "a-1,b-2",
    "x-codex-x": "no",
}


@pytest.fixture
async def served(monkeypatch):
    monkeypatch.setenv("KEY", "sk-upstream")
    async with RecordingServer() as server:
        yield server


def mesh_at(server, **connection):
    claude = {"provider": "anthropic", "base_url": server.url, "api_key": "env:KEY", **connection}
    return Mesh.from_config({"connections": {"claude": claude}})


async def test_messages_go_through_byte_for_byte(served):
    served.answer(Answer.stream(EVENTS, "text/event-stream"))
    asked = RelayRequest(surface="anthropic.messages", kind="chat", headers=HEADERS, body=BODY, stream=True)
    async with mesh_at(served) as mesh:
        answer = await relay(mesh, "claude:claude-opus-4-8", asked)
        assert b"".join([piece async for piece in answer]) == b"".join(EVENTS)
    sent = served.requests[0]
    assert sent.body == BODY.replace(b"claude-team", b"claude-opus-4-8")
    assert sent.headers["x-api-key"] == "sk-upstream"
    assert sent.headers["anthropic-beta"] == "a-1,b-2"
    assert "x-codex-x" not in {name.lower() for name in sent.headers}
    reply = answer.response
    assert (reply.complete, reply.finish_reason, reply.usage.output_tokens) == (True, "stop", 7)


async def test_another_surface_is_translated(served):
    asked = RelayRequest(surface="openai.chat", kind="chat", headers=HEADERS, body=BODY, stream=True)
    async with mesh_at(served) as mesh:
        assert await relay(mesh, "claude:claude-opus-4-8", asked) is None
    assert served.requests == []


async def test_another_version_of_the_api_is_translated(served):
    newer = {**HEADERS, "anthropic-version": "2026-10-21"}
    asked = RelayRequest(surface="anthropic.messages", kind="chat", headers=newer, body=BODY, stream=True)
    async with mesh_at(served) as mesh:
        assert await relay(mesh, "claude:claude-opus-4-8", asked) is None
    served.answer(Answer.stream(EVENTS, "text/event-stream"))
    async with mesh_at(served, api_version="2026-10-21") as mesh:
        answer = await relay(mesh, "claude:claude-opus-4-8", asked)
        assert b"".join([piece async for piece in answer]) == b"".join(EVENTS)


@pytest.mark.parametrize(
    ("version", "settings", "told"),
    [
        ("2026-10-21", {}, "2026-10-21"),
        ("2023-06-01", {"api_version": "2026-10-21"}, "2023-06-01"),
        ("2023-06-01", {}, None),
        ("2030-01-01", {}, "translated"),
        ("2026-10-21", {"base_url": "https://claude.example"}, "translated"),
    ],
)
def test_the_clients_version_goes_to_anthropic_itself(version, settings, told):
    model = ModelRef("claude-opus-4-8", settings=AnthropicSettings(**settings))
    wire = jackfield_relay(model, "anthropic.messages", {"Anthropic-Version": version}, BODY)
    assert ("translated" if wire is None else wire.headers.get("anthropic-version")) == told
