"""A request for a model whose service speaks the client's API goes there as it came, and the answer comes back as it came."""

import asyncio
import json

import pytest
from reading_back import as_reply, ask, whole_bytes

from jackfield import Mesh, Text, Thinking
from jackfield.testing import Answer
from jackfield_surfaces import anthropic_client, openai_client, serve

CHAT = (
    b'{ "model":"o:gpt-6-luna" ,"messages":[{"role":"user","content":"h\\u00e9"}],"stream":true,'
    b'"stream_options":{"include_usage":true},"seed":18446744073709551617,"unknown_field":[1.0e2]}'
)
EVENTS = [
    b'data: {"id":"c1","model":"gpt-6-luna","choices":[{"index":0,"delta":{"role":"assistant","content":"Hal"}}]}\r\n\r\n',
    b': keep-alive\n\ndata: {"id":"c1","model":"gpt-6-luna","choices":[{"index":0,"delta":{"content":"lo"}',
    b'}]}\n\ndata: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}\n\n',
    b"data: [DONE]\n\n",
]
MESSAGES = b'{"model":"a:claude-sonnet-5","max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"future":{"x":1.0}}'
MESSAGE = (
    b'{"id":"msg_1" ,"type":"message","role":"assistant","model":"claude-sonnet-5","content":[{"type":"text","text":"Hi"}],'
    b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}'
)
NOT_PERMITTED = (
    b'{"type":"error","error":{"type":"invalid_request_error","message":'
    b'"context_management: Extra inputs are not permitted"},"request_id":"req_1"}'
)


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("KEY", "sk-upstream")


def mesh_at(service, middlewares=(), **claude):
    connections = {
        "o": {
            "provider": "openai",
            "base_url": f"{service.url}/v1",
            "api_key": "env:KEY",
            "retry": {"attempts": 1},
        },
        "a": {
            "provider": "anthropic",
            "base_url": service.url,
            "api_key": "env:KEY",
            "retry": {"attempts": 1},
            **claude,
        },
    }
    return Mesh.from_config({"connections": connections}, middlewares=middlewares)


async def post(mesh, path, body, headers=None, **options):
    served = await serve(mesh, "POST", path, headers or {}, body, **options)
    data = served.body if isinstance(served.body, bytes) else b"".join([piece async for piece in served.body])
    return served, data


async def test_a_stream_is_handed_through(service):
    service.answer(Answer.stream(EVENTS, "text/event-stream"))
    async with mesh_at(service) as mesh:
        served, data = await post(mesh, "/v1/chat/completions", CHAT)
    assert data == b"".join(EVENTS)
    assert served.headers["content-type"] == "text/event-stream"
    assert service.requests[0].body == CHAT.replace(b"o:gpt-6-luna", b"gpt-6-luna")


async def test_a_whole_answer_is_handed_through(service):
    service.answer(Answer(200, {"content-type": "application/json", "request-id": "req_7"}, (MESSAGE,)))
    headers = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "new-2027-01-01",
        "x-api-key": "sk-client",
    }
    async with mesh_at(service) as mesh:
        served, data = await post(mesh, "/v1/messages", MESSAGES, headers)
    assert data == MESSAGE
    assert served.headers["x-jackfield-upstream-request-id"] == "req_7"
    sent = service.requests[0]
    assert sent.body == MESSAGES.replace(b"a:claude", b"claude")
    assert sent.headers["anthropic-beta"] == "new-2027-01-01"
    assert sent.headers["x-api-key"] == "sk-upstream"


async def test_another_dialect_is_translated(service):
    service.answer(Answer(200, {"content-type": "application/json"}, (MESSAGE,)))
    body = CHAT.replace(b"o:gpt-6-luna", b"a:claude-sonnet-5").replace(b'"stream":true,', b"")
    async with mesh_at(service) as mesh:
        served, data = await post(mesh, "/v1/chat/completions", body, unsupported="drop")
    assert json.loads(data)["choices"][0]["message"]["content"] == "Hi"
    assert "unknown_field=dropped" in served.headers["x-jackfield-report"]


async def test_what_goes_through_a_middleware_is_translated(service):
    async def look(call, proceed):
        seen.append(call.request.messages[0].text)
        return await proceed(call)

    seen = []
    service.answer(Answer(200, {"content-type": "application/json"}, (MESSAGE,)))
    async with mesh_at(service, middlewares=[look]) as mesh:
        _, data = await post(mesh, "/v1/messages", MESSAGES, unsupported="drop")
    assert seen == ["Hi"]
    assert data != MESSAGE
    assert json.loads(data)["content"] == json.loads(MESSAGE)["content"]


async def test_a_conversation_with_envelopes_is_translated(service):
    """Another provider's thinking is in it, which Anthropic would refuse as a signature that is not its own."""
    from jackfield import Choice, Message

    parts = (Thinking("Hm.", "vertex", "gemini", {"signature": "x"}), Text("Yes."))
    choice = Choice(index=0, message=Message("assistant", parts), finish_reason="stop")
    reply = as_reply([], "vertex", "gemini")
    reply.choices = (choice,)
    content = json.loads(whole_bytes("anthropic.messages", reply, ask("anthropic.messages")))["content"]
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": content},
        {"role": "user", "content": "On."},
    ]
    body = json.dumps({"model": "a:claude-sonnet-5", "max_tokens": 9, "messages": turns}).encode()
    service.answer(Answer(200, {"content-type": "application/json"}, (MESSAGE,)))
    async with mesh_at(service) as mesh:
        served, _ = await post(mesh, "/v1/messages", body)
    assert served.status == 200
    assert service.requests[0].json["messages"][1] == {"role": "assistant", "content": "Yes."}


async def test_a_relay_may_be_switched_off(service):
    service.answer(Answer(200, {"content-type": "application/json"}, (MESSAGE,)))
    async with mesh_at(service) as mesh:
        _, data = await post(mesh, "/v1/messages", MESSAGES, unsupported="drop", relayed=False)
    assert data != MESSAGE
    assert "future" not in service.requests[0].json


async def test_words_of_the_service_about_a_request_reach_the_client(service):
    service.answer(Answer(400, {"content-type": "application/json"}, (NOT_PERMITTED,)))
    async with mesh_at(service) as mesh:
        served, data = await post(mesh, "/v1/messages", MESSAGES)
    assert (served.status, data) == (400, NOT_PERMITTED)


@pytest.mark.parametrize(("status", "told"), [(401, 502), (403, 502), (500, 502), (529, 529), (429, 429)])
async def test_trouble_with_the_service_is_told_in_our_words(service, status, told):
    secret = b'{"type":"error","error":{"type":"x","message":"key sk-upstream of org-secret"}}'
    service.answer(Answer(status, {"content-type": "application/json"}, (secret,)))
    async with mesh_at(service) as mesh:
        served, data = await post(mesh, "/v1/messages", MESSAGES)
    assert served.status == told
    assert b"sk-upstream" not in data
    assert json.loads(data)["type"] == "error"


async def test_an_error_that_is_not_in_the_clients_form_is_put_into_it(service):
    service.answer(Answer(400, {"content-type": "text/html"}, (b"<html>no</html>",)))
    async with mesh_at(service) as mesh:
        served, data = await post(mesh, "/v1/messages", MESSAGES)
    assert served.status == 400
    assert json.loads(data)["error"]["type"] == "invalid_request_error"


async def test_a_stream_that_breaks_ends_with_an_error(service):
    service.answer(Answer.stream(EVENTS[:2], "text/event-stream"))
    async with mesh_at(service) as mesh:
        _, data = await post(mesh, "/v1/chat/completions", CHAT)
    assert data.startswith(EVENTS[0])
    last = data.strip().rsplit(b"\n\n", 1)[1]
    assert json.loads(last.removeprefix(b"data: "))["error"]["type"] == "server_error"


async def test_a_client_that_leaves_closes_the_upstream(service):
    service.answer(Answer.stream(EVENTS, "text/event-stream", stall_after=1))
    async with mesh_at(service) as mesh:
        served = await serve(mesh, "POST", "/v1/chat/completions", {}, CHAT)
        assert await anext(served.body) == EVENTS[0]
        await served.body.aclose()
        await service.wait_disconnected()


async def test_the_official_clients_are_relayed(service):
    service.answer(
        Answer(200, {"content-type": "application/json"}, (MESSAGE,)),
        Answer.stream(EVENTS, "text/event-stream"),
    )
    asked = [{"role": "user", "content": "Hi"}]
    async with mesh_at(service, api_version="2026-10-21") as mesh:  # that of the official client
        message = await anthropic_client(mesh).messages.create(
            model="a:claude-sonnet-5", max_tokens=9, messages=asked, extra_body={"future": 1}
        )
        assert message.content[0].text == "Hi"
        stream = await openai_client(mesh).chat.completions.create(
            model="o:gpt-6-luna", messages=asked, stream=True, stream_options={"include_usage": True}
        )
        text = [chunk.choices[0].delta.content async for chunk in stream if chunk.choices]
    assert "".join(piece or "" for piece in text) == "Hallo"
    assert service.requests[0].json["future"] == 1


async def test_a_call_that_is_cancelled_closes_the_upstream(service):
    service.answer(Answer(200, {"content-type": "application/json"}, (MESSAGE,), delay=1000.0))
    async with mesh_at(service) as mesh:
        call = asyncio.create_task(post(mesh, "/v1/messages", MESSAGES))
        await service.wait_requests()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await service.wait_disconnected()
