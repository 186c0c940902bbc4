"""Mesh, core and plugin against a loopback service."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from meshes import mesh_for
from mistral_samples import ADD, REFERENCE, SKY, THOUGHT, USAGE, answer, chunk, chunks

from jackfield import (
    AuthenticationError,
    InvalidRequestError,
    Mesh,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    StreamInterruptedError,
    ToolResult,
)
from jackfield.testing import Answer

SMALL = "mistral:mistral-small-2603"
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
async def mesh(service, monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", "made-up-key")
    async with mesh_for("mistral", service.url, "mistral", api_key="env:MISTRAL_API_KEY") as mesh:
        yield mesh


async def test_a_chat_and_what_it_costs(service, mesh):
    service.answer(Answer.json(answer({"content": SKY})))
    reply = await mesh.chat(SMALL, "Why?", temperature=0)
    assert (reply.text, reply.finish_reason, reply.model) == (SKY, "stop", "mistral-small-2603")
    assert reply.cost.amount == Decimal("0.00000426")
    (request,) = service.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer made-up-key"


async def test_a_stream(service, mesh):
    service.answer(Answer.sse(chunks({"content": SKY[:9]}, {"content": SKY[9:]}), done=True))
    async with mesh.stream_chat(SMALL, "Why?") as stream:
        async for _ in stream:
            pass
    assert stream.response.text == SKY
    assert stream.response.usage.cached_input_tokens == 4
    assert stream.response.complete
    assert "stream_options" not in service.requests[0].json


async def test_an_answer_is_sent_back_unchanged(service, mesh):
    content = [THOUGHT, {"type": "text", "text": "I add."}, REFERENCE]
    first = answer({"content": content, "tool_calls": [ADD]}, "tool_calls")
    service.answer(Answer.json(first), Answer.json(answer({"content": "3"})))
    user = {"role": "user", "content": "Add."}
    reply = await mesh.chat(SMALL, [user], tools=[TOOL])
    results = [ToolResult(call.id, "3", name=call.name) for call in reply.tool_calls]
    await mesh.chat(SMALL, [user, reply.message, *results], tools=[TOOL])
    sent = service.requests[1].json["messages"]
    assert sent[1]["content"] == content
    assert (sent[1]["tool_calls"][0]["id"], sent[2]["tool_call_id"]) == ("Ab3De6Gh9", "Ab3De6Gh9")


async def test_a_text_is_completed_and_embedded(service, mesh):
    vectors = {"object": "list", "model": "mistral-embed", "data": [{"index": 0, "embedding": [1.0, 0.5]}], "usage": {"prompt_tokens": 1_000_000, "total_tokens": 1_000_000}}  # fmt: skip
    service.answer(Answer.json(answer({"content": "()"})), Answer.json(vectors))
    assert (await mesh.complete("mistral:codestral-2508", "def a", suffix=":")).text == "()"
    reply = await mesh.embed("mistral:mistral-embed", ["a"])
    assert reply.lists() == [[1.0, 0.5]]
    assert (reply.cost.status, reply.cost.amount) == ("complete", Decimal("0.1"))
    assert [request.path for request in service.requests] == ["/v1/fim/completions", "/v1/embeddings"]


async def test_many_texts_are_embedded_in_parts(service, mesh):
    def vectors(request):
        data = [{"index": i, "embedding": [1.0]} for i in range(len(request.json["input"]))]
        return Answer.json({"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 5}})

    service.route("POST", "/v1/embeddings", vectors)
    reply = await mesh.embed("mistral:mistral-embed", ["word " * 4000] * 8)
    assert len(reply.embeddings) == 8
    assert len(service.requests) > 1


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"message": "Unauthorized", "request_id": "r"}, AuthenticationError),
        (400, {"object": "error", "message": "Invalid model: x", "type": "invalid_model"}, NotFoundError),
        (422, {"detail": [{"loc": ["body", "user"], "msg": "Extra inputs"}]}, InvalidRequestError),
        (429, {"object": "error", "message": "Slow", "type": "rate_limited", "code": "1300"}, RateLimitError),
    ],
)
async def test_errors(status, body, kind, service, mesh):
    service.route("POST", "/v1/chat/completions", lambda _: Answer.json(body, status))
    with pytest.raises(kind) as caught:
        await mesh.chat(SMALL, "Why?")
    assert (caught.value.provider, caught.value.status) == ("mistral", status)
    assert "made-up-key" not in f"{caught.value!r}{caught.value}"


async def test_an_error_inside_a_stream_keeps_what_had_come(service, mesh):
    busy = {"object": "error", "message": "Busy", "type": "t", "code": "1100", "raw_status_code": 503}
    service.answer(Answer.sse([chunk({"content": "Be"}, usage=USAGE), busy]))
    with pytest.raises(OverloadedError) as caught:
        async with mesh.stream_chat(SMALL, "Why?") as stream:
            async for _ in stream:
                pass
    assert caught.value.partial.text == "Be"
    assert caught.value.partial.usage.input_tokens == 12


async def test_a_rate_limit_is_retried_after_the_requested_delay(service, monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", "made-up-key")
    limited = {"object": "error", "message": "Slow", "type": "rate_limited", "param": None, "code": "1300"}
    service.answer(
        Answer.json(limited, 429, headers={"retry-after": "0"}), Answer.json(answer({"content": "Hi"}))
    )
    connection = {
        "provider": "mistral",
        "base_url": service.url,
        "api_key": "env:MISTRAL_API_KEY",
        "retry": {"attempts": 2},
    }
    async with Mesh.from_config({"connections": {"mistral": connection}}) as mesh:
        reply = await mesh.chat(SMALL, "Why?")
    assert [attempt.error for attempt in reply.attempts] == [RateLimitError.__name__, None]
    assert reply.attempts[0].retry_after == 0


async def test_a_stream_without_its_end_is_interrupted(service, mesh):
    service.answer(Answer.sse([chunk({"content": "Be"})]))
    with pytest.raises(StreamInterruptedError):
        async with mesh.stream_chat(SMALL, "Why?") as stream:
            async for _ in stream:
                pass


async def test_who_leaves_closes_the_upstream(service, mesh):
    service.answer(Answer.sse([chunk({"content": "Be"})] * 50, interval=0.05))
    async with mesh.stream_chat(SMALL, "Why?") as stream:
        async for _ in stream:
            break
    await service.wait_disconnected()
    assert not stream.response.complete
    service.answer(Answer.never())
    task = asyncio.create_task(mesh.chat(SMALL, "Why?"))
    await service.wait_requests(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await service.wait_disconnected(count=2)
