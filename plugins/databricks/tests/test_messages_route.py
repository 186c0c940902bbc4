"""Claude by Anthropic's Messages API, through a mesh against a loopback workspace."""

from __future__ import annotations

from decimal import Decimal

import pytest
from meshes import mesh_for

from jackfield import AuthenticationError, MalformedResponseError, OverloadedError, UnsupportedError
from jackfield.testing import Answer, RecordingServer

MODEL = "databricks-claude-sonnet-4-6"
USAGE = {"input_tokens": 1000, "cache_read_input_tokens": 1000, "output_tokens": 1000}
MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "Hello."}], "usage": USAGE,
}  # fmt: skip
EVENTS = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "usage": {**USAGE, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1000}},
    {"type": "message_stop"},
]


@pytest.fixture
async def service(monkeypatch):
    monkeypatch.setenv("DB_TOKEN", "dapi-made-up")
    async with RecordingServer() as server:
        yield server


def mesh(server, *models, **more):
    entries = list(models or ({"id": MODEL, "route": "messages"},))
    return mesh_for(
        "databricks", server.url, "db", address="host", token="env:DB_TOKEN", models=entries, **more
    )


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_the_cost_and_the_dbu_of_a_call_are_known(stream, service):
    async with mesh(service) as open_mesh:
        if stream:
            service.answer(Answer.sse((event["type"], event) for event in EVENTS))
            async with open_mesh.stream_chat(f"db:{MODEL}", "Hi") as events:
                async for _ in events:
                    pass
            reply = events.response
        else:
            service.answer(Answer.json(MESSAGE))
            reply = await open_mesh.chat(f"db:{MODEL}", "Hi")
    assert reply.text == "Hello."
    assert (reply.cost.amount, reply.cost.status) == (
        Decimal("0.0183"),
        "complete",
    )  # 3, 0.3 and 15 a million
    assert reply.usage.units["DBU"] == round(Decimal("0.0183") / Decimal("0.070"), 9)


async def test_the_cost_of_an_unpublished_price_is_unknown(service):
    written = {"cache_creation_input_tokens": 100, "cache_creation": {"ephemeral_1h_input_tokens": 100}}
    service.answer(Answer.json({**MESSAGE, "usage": {**USAGE, **written}}))
    async with mesh(service) as open_mesh:
        reply = await open_mesh.chat(f"db:{MODEL}", "Hi")
    assert reply.cost.status == "unknown"
    assert "DBU" not in reply.usage.units


async def test_an_endpoint_of_the_customers_own_has_no_price(service):
    service.answer(Answer.json(MESSAGE))
    entry = {"id": "ours", "underlying": MODEL, "route": "messages"}
    async with mesh(service, entry) as open_mesh:
        reply = await open_mesh.chat("db:ours", "Hi", max_tokens=5, temperature=0)
    assert service.requests[0].json["model"] == "ours"
    assert (reply.cost.status, dict(reply.usage.units)) == ("unknown", {})


async def test_the_models_rules_are_those_of_anthropic(service):
    async with mesh(service, {"id": "databricks-claude-opus-5-5", "route": "messages"}) as open_mesh:
        with pytest.raises(UnsupportedError, match="temperature"):
            await open_mesh.chat("db:databricks-claude-opus-5-5", "Hi", temperature=0)
    assert not service.requests


async def test_the_greatest_output_is_the_services(service):
    service.answer(Answer.json(MESSAGE))
    async with mesh(service) as open_mesh:
        await open_mesh.chat(f"db:{MODEL}", "Hi")
    assert service.requests[0].json["max_tokens"] == 64_000  # at Anthropic 128,000


async def test_tokens_are_estimated_and_nothing_is_sent(service):
    async with mesh(service) as open_mesh:
        count = await open_mesh.count_tokens(f"db:{MODEL}", "Why is the sky blue?")
    assert not count.exact
    assert not service.requests


THINKING = {
    "shown": (
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "summary_text", "text": "Hm.", "signature": "c2ln"},
    ),
    "encrypted": (
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
        {"type": "summary_encrypted_text", "data": "c2VjcmV0"},
    ),
}


@pytest.mark.parametrize("first", ["messages", "compatible"])
@pytest.mark.parametrize("kind", THINKING)
async def test_thinking_moves_between_the_routes_and_back(kind, first, service):
    block, piece = THINKING[kind]
    parts = [{"type": "reasoning", "summary": [piece]}, {"type": "text", "text": "Hello."}]
    chat = {"id": "c", "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": parts}, "finish_reason": "stop"}]}  # fmt: skip
    answers = {
        "messages": Answer.json({**MESSAGE, "content": [block, *MESSAGE["content"]]}),
        "compatible": Answer.json(chat),
    }
    service.answer(answers[first], *answers.values())
    entries = [{"id": f"ours-{route}", "underlying": MODEL, "route": route} for route in answers]
    async with mesh(service, *entries) as open_mesh:
        reply = await open_mesh.chat(f"db:ours-{first}", "Hi")
        for route in answers:
            turns = [{"role": "user", "content": "Hi"}, reply.message, {"role": "user", "content": "?"}]
            await open_mesh.chat(f"db:ours-{route}", turns)
    sent = [request.json["messages"][1]["content"][0] for request in service.requests[1:]]
    assert sent == [block, parts[0]]


async def test_errors_in_both_envelopes_are_understood(service):
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    denied = {"error_code": "PERMISSION_DENIED", "message": "Invalid access token. dapi-made-up"}
    service.answer(Answer.json(overloaded, status=529), *[Answer.json(denied, status=403)] * 2)
    async with mesh(service, retry={"attempts": 1}) as open_mesh:
        with pytest.raises(OverloadedError):
            await open_mesh.chat(f"db:{MODEL}", "Hi")
        with pytest.raises(AuthenticationError) as caught:
            await open_mesh.chat(f"db:{MODEL}", "Hi")
    assert "dapi-made-up" not in str(caught.value)


async def test_an_error_in_a_stream_and_a_page_are_understood(service):
    broken = [*EVENTS[:3], {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}]
    page = Answer.html()
    service.answer(Answer.sse((event["type"], event) for event in broken), page)
    async with mesh(service, retry={"attempts": 1}) as open_mesh:
        with pytest.raises(OverloadedError):
            async with open_mesh.stream_chat(f"db:{MODEL}", "Hi") as events:
                async for _ in events:
                    pass
        with pytest.raises(MalformedResponseError, match="web page"):
            await open_mesh.chat(f"db:{MODEL}", "Hi")


async def test_only_chats_take_the_route(service):
    async with mesh(service, {"id": "databricks-bge-large-en", "route": "messages"}) as open_mesh:
        with pytest.raises(UnsupportedError, match="it serves chat"):
            await open_mesh.embed("db:databricks-bge-large-en", "Hi")
    assert not service.requests
