"""Relays of Anthropic's messages to Claude on Vertex AI. The events were written from Anthropic's reference."""

import json

import pytest

from jackfield import Mesh
from jackfield.plugin import RelayRequest, relay
from jackfield.testing import Answer, RecordingServer

BODY = (
    b'{"model": "best",  "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "1.0e2"}]}'
)
EVENTS = [
    b'event: vertex_event\ndata: {"type":"vertex_event","usage_metadata":{}}\n\n',
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_vrtx_1","type":"message","role":"assistant",',
    b'"model":"claude-opus-4-8","content":[],"usage":{"input_tokens":9,"output_tokens":1}}}\n\n',
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ok"}}\n\n',
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
]
HEADERS = {
    "x-api-key": "sk-gateway",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "a-1",
    "x-app": "cli",
}


@pytest.fixture
async def served(monkeypatch):
    monkeypatch.setenv("KEY", "token-upstream")
    async with RecordingServer() as server:
        yield server


async def ask(server, body=BODY, model="claude-opus-4-8", surface="anthropic.messages", **headers):
    """Relay a request; return the bytes of the answer and the reply, or None."""
    vertex = {
        "provider": "vertex",
        "base_url": server.url,
        "project": "p1",
        "location": "global",
        "api_key": "env:KEY",
    }
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = RelayRequest(
        surface=surface,
        kind="chat",
        headers={**HEADERS, **names},
        body=body,
        stream=b'"stream": true' in body,
    )
    async with Mesh.from_config({"connections": {"vertex": vertex}}) as mesh:
        answer = await relay(mesh, f"vertex:{model}", asked)
        return None if answer is None else (b"".join([piece async for piece in answer]), answer.response)


async def test_messages_go_to_the_path_of_the_model_with_the_version_in_its_place(served):
    served.answer(Answer.stream(EVENTS, "text/event-stream"))
    got, reply = await ask(served)
    assert got == b"".join(EVENTS)
    sent = served.requests[0]
    assert sent.body == BODY.replace(b'"model": "best"', b'"anthropic_version":"vertex-2023-10-16"')
    assert sent.path.endswith("/publishers/anthropic/models/claude-opus-4-8:streamRawPredict")
    assert sent.headers["anthropic-beta"] == "a-1"
    assert not {"x-api-key", "x-app"} & {name.lower() for name in sent.headers}
    assert (reply.complete, reply.finish_reason, reply.usage.output_tokens) == (True, "stop", 7)


async def test_a_whole_answer(served):
    answer = b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-4-8","content":[{"type":"text","text":"ok"}],'
    answer += b'"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":2}}'
    served.answer(Answer.stream([answer], "application/json"))
    got, reply = await ask(served, BODY.replace(b'"stream": true, ', b""))
    assert (got, reply.text) == (answer, "ok")
    assert served.requests[0].path.endswith(":rawPredict")


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "gemini-2.5-pro"},
        {"surface": "openai.chat"},
        {"anthropic_version": "2026-10-21"},
        {"body": BODY.replace(b'"max_tokens"', b'"anthropic_version": "x", "max_tokens"')},
        {"body": BODY.replace(b'"max_tokens"', b'"model": "other", "max_tokens"')},
        {"body": BODY.replace(b'"max_tokens"', b'"metadata": {"user_id": ' + json.dumps('{"device_id":"d"}').encode() + b'}, "max_tokens"')},
    ],
)  # fmt: skip
async def test_what_the_service_would_take_otherwise_is_translated(served, changed):
    assert await ask(served, **changed) is None
    assert served.requests == []
