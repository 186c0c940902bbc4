"""The whole way: mesh, core and plugin against a loopback service."""

import asyncio
import json
from pathlib import Path

import pytest
from meshes import mesh_for

from jackfield import (
    AuthenticationError,
    ContextLengthExceededError,
    Mesh,
    OverloadedError,
    StreamInterruptedError,
    ToolResult,
)
from jackfield.testing import Answer

WIRE = Path(__file__).parent / "wire"
MODEL = "claude:claude-sonnet-4-6"


def whole(name, status=200):
    return Answer.json(json.loads((WIRE / name).read_text("utf-8")), status)


def streamed(name, **play):
    blocks = [block + b"\n\n" for block in (WIRE / name).read_bytes().split(b"\n\n") if block]
    return Answer.stream(blocks, "text/event-stream", **play)


@pytest.fixture
async def mesh(service, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-made-up")
    async with mesh_for("anthropic", service.url, "claude", api_key="env:ANTHROPIC_API_KEY") as mesh:
        yield mesh


async def test_a_chat_and_what_it_costs(service, mesh):
    service.answer(whole("chat.json"))
    reply = await mesh.chat(MODEL, "Why?")
    assert (reply.text, reply.thinking) == ("The sky scätters blue 🌤 light.", "Rayleigh, of course.")
    # 9 plain at 3, 3 read at 0.3, 1 written at 3.75, 3 for an hour at 6, 7 written out at 15 USD a million
    assert str(reply.cost.amount.normalize()) == "0.00015465"
    (request,) = service.requests
    assert request.headers["x-api-key"] == "sk-ant-made-up"
    assert request.headers["anthropic-version"] == "2023-06-01"


async def test_an_answer_goes_back_byte_for_byte(service, mesh):
    service.answer(streamed("tools.sse"), whole("chat.json"), whole("served.json"), whole("chat.json"))
    async with mesh.stream_chat(MODEL, "Add.") as stream:
        async for _ in stream:
            pass
    results = [ToolResult(call.id, "3") for call in stream.response.tool_calls]
    await mesh.chat(MODEL, [{"role": "user", "content": "Add."}, stream.response.message, *results])
    reply = await mesh.chat(MODEL, "Search.")
    user = {"role": "user", "content": "Search."}
    await mesh.chat(MODEL, [user, reply.message, user])
    sent = [request.json["messages"][1]["content"] for request in (service.requests[1], service.requests[3])]
    assert sent == [
        json.loads((WIRE / name).read_text("utf-8"))["content"] for name in ("tools.json", "served.json")
    ]


async def test_thinking_goes_back_with_its_signature(service, mesh):
    service.answer(streamed("chat.sse"), whole("chat.json"))
    async with mesh.stream_chat(MODEL, "Why?") as stream:
        async for _ in stream:
            pass
    user = {"role": "user", "content": "Why?"}
    await mesh.chat(MODEL, [user, stream.response.message, user])
    assert (
        service.requests[1].json["messages"][1]["content"]
        == json.loads((WIRE / "chat.json").read_text("utf-8"))["content"]
    )


async def test_json_through_a_tool_is_parsed(service, mesh):
    service.answer(whole("json.json"))
    reply = await mesh.chat("claude:claude-3-haiku-20240307", "Who?", response_format={"type": "object"})
    assert (reply.parsed, reply.finish_reason, reply.tool_calls) == ({"name": "Åre"}, "stop", ())


async def test_text_completions_and_chats_with_claude_2(service, mesh):
    service.answer(streamed("completion.sse"), whole("completion.json"))
    async with mesh.stream_complete("claude:claude-2.1", "Why?") as stream:
        async for _ in stream:
            pass
    reply = await mesh.chat("claude:claude-2.1", "Why?")
    assert stream.response.text == reply.text == " Because of scättered light."
    assert reply.usage.input_tokens is None
    assert reply.cost.status == "unknown"
    assert (
        service.requests[0].json["prompt"]
        == service.requests[1].json["prompt"]
        == "\n\nHuman: Why?\n\nAssistant:"
    )


async def test_errors(service, mesh):
    unauthorised = {
        "type": "error",
        "error": {"type": "authentication_error", "message": "invalid x-api-key"},
    }
    service.answer(
        whole("too_long.json", 400), Answer.json(unauthorised, 401), Answer.json(unauthorised, 401)
    )
    with pytest.raises(ContextLengthExceededError):
        await mesh.chat(MODEL, "Why?")
    with pytest.raises(AuthenticationError) as caught:
        await mesh.chat(MODEL, "Why?")
    assert "made-up" not in str(caught.value)


async def test_an_error_inside_a_stream_keeps_what_had_come(service, mesh):
    service.answer(streamed("overloaded.sse"))
    with pytest.raises(OverloadedError) as caught:
        async with mesh.stream_chat(MODEL, "Why?") as stream:
            async for _ in stream:
                pass
    assert caught.value.partial.thinking == "Rayleigh, of"
    assert caught.value.partial.usage.input_tokens == 16


async def test_a_stream_without_its_end_is_interrupted(service, mesh):
    data = (WIRE / "chat.sse").read_bytes()
    service.answer(Answer.stream([data[: data.index(b"event: message_delta")]], "text/event-stream"))
    with pytest.raises(StreamInterruptedError):
        async with mesh.stream_chat(MODEL, "Why?") as stream:
            async for _ in stream:
                pass


async def test_who_leaves_closes_the_upstream(service, mesh):
    service.answer(streamed("chat.sse", stall_after=5))
    async with mesh.stream_chat(MODEL, "Why?") as stream:
        async for _ in stream:
            break
    await service.wait_disconnected()
    assert stream.response.complete is False
    service.answer(Answer.never())
    task = asyncio.create_task(mesh.chat(MODEL, "Why?"))
    await service.wait_requests(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await service.wait_disconnected(count=2)


async def test_a_token_takes_the_place_of_the_key(service, monkeypatch):
    monkeypatch.setenv("CLAUDE_TOKEN", "made-up-token")
    connection = {
        "provider": "anthropic",
        "base_url": service.url,
        "auth_token": "env:CLAUDE_TOKEN",
        "betas": ["files-api-2025-04-14"],
        "workspace": "wrkspc_1",
    }
    service.answer(whole("chat.json"), whole("chat.json"))
    async with Mesh.from_config({"connections": {"claude": connection}}) as mesh:
        await mesh.chat(MODEL, "Why?")
        await mesh.chat(MODEL, "Why?", extra={"anthropic": {"betas": ["x-1"]}})
    first, second = service.requests
    assert first.headers["authorization"] == "Bearer made-up-token"
    assert "x-api-key" not in first.headers
    assert first.headers["anthropic-beta"] == "files-api-2025-04-14,oauth-2025-04-20"
    assert second.headers["anthropic-beta"] == "files-api-2025-04-14,oauth-2025-04-20,x-1"
    assert first.headers["anthropic-workspace-id"] == "wrkspc_1"
