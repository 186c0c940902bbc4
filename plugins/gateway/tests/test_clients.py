"""The official SDKs against the gateway, and what goes through as it came."""

import asyncio
import json

import anthropic
import openai
import pytest
from gateway_running import running

from jackfield import Registry
from jackfield.testing import Answer, FakeAnswer, RecordingServer

TOOL = {
    "name": "weather",
    "description": "Weather of a city",
    "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
async def client(gateway):
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
async def claude(gateway):
    async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key="none", max_retries=0) as client:
        yield client


async def test_openai_streams_a_tool_call_and_its_usage(gateway, client):
    gateway.fake.script(FakeAnswer(tool_calls=[("weather", {"city": "Oslo"})], usage=(12, 5)))
    tools = [
        {
            "type": "function",
            "function": {"name": "weather", "description": TOOL["description"], "parameters": TOOL["schema"]},
        }
    ]
    stream = await client.chat.completions.create(
        model="best",
        messages=[{"role": "user", "content": "How is it in Oslo?"}],
        tools=tools,
        stream=True,
        stream_options={"include_usage": True},
    )
    arguments, usage, finish = "", None, None
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            for call in choice.delta.tool_calls or ():
                arguments += call.function.arguments or ""
    assert json.loads(arguments) == {"city": "Oslo"}
    assert (finish, usage.prompt_tokens, usage.completion_tokens) == ("tool_calls", 12, 5)


async def test_openai_reads_responses_embeddings_models_and_errors(gateway, client):
    gateway.fake.script(FakeAnswer(text="Hello", usage=(3, 1)))
    response = await client.responses.create(model="best", input="hi")
    assert (response.output_text, response.usage.output_tokens) == ("Hello", 1)
    gateway.fake.script(FakeAnswer(text="one two"))
    async with client.responses.stream(model="best", input="hi") as stream:
        async for _ in stream:
            pass
        assert (await stream.get_final_response()).output_text == "one two"
    vectors = await client.embeddings.create(model="best", input=["a", "b"])
    assert len(vectors.data) == 2
    assert "best" in [model.id async for model in client.models.list()]
    with pytest.raises(openai.NotFoundError):
        await client.chat.completions.create(model="nothing", messages=[{"role": "user", "content": "hi"}])


async def test_anthropic_streams_thinking_and_text(gateway, claude):
    gateway.fake.script(FakeAnswer(thinking="hm", text="Hello there", usage=(7, 4)))
    async with claude.messages.stream(
        model="best", max_tokens=100, messages=[{"role": "user", "content": "hi"}]
    ) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        message = await stream.get_final_message()
    assert text == "Hello there"
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 4)
    assert [block.type for block in message.content] == ["thinking", "text"]
    count = await claude.messages.count_tokens(
        model="best", messages=[{"role": "user", "content": "hi there"}]
    )
    assert count.input_tokens > 0
    with pytest.raises(anthropic.NotFoundError):
        await claude.messages.create(
            model="nothing", max_tokens=5, messages=[{"role": "user", "content": "hi"}]
        )


EVENTS = [
    b'data: {"id":"c1","model":"gpt-6-luna","choices":[{"index":0,"delta":{"role":"assistant","content":"Hal"}}]}\r\n\r\n',
    b': odd \n\ndata: {"id":"c1","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}\n\n',
    b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}\n\n',
    b"data: [DONE]\n\n",
]


@pytest.fixture
async def relaying(tmp_path, monkeypatch):
    monkeypatch.setenv("KEY", "sk-upstream")
    async with RecordingServer() as upstream:
        config = {
            "connections": {
                "o": {
                    "provider": "openai",
                    "base_url": f"{upstream.url}/v1",
                    "api_key": "env:KEY",
                    "retry": {"attempts": 1},
                }
            }
        }
        store = f"sqlite:///{tmp_path}/gateway.db"
        async with running(config, registry=Registry.installed(), store=store) as gateway:
            yield gateway, upstream


BODY = (
    b'{"model": "o:gpt-6-luna" ,"messages":[{"role":"user","content":"hi"}],"stream":true,'
    b'"stream_options":{"include_usage":true},"x_new_field":[1.50]}'
)


async def test_the_clients_own_dialect_goes_through_byte_for_byte(relaying):
    gateway, upstream = relaying
    upstream.answer(
        Answer.stream(EVENTS, "text/event-stream", headers={"x-ratelimit-remaining-requests": "7"})
    )
    headers = {"authorization": "Bearer sk-of-the-client", "content-type": "application/json"}
    async with gateway.http.post(f"{gateway.url}/v1/chat/completions", data=BODY, headers=headers) as answer:
        assert await answer.read() == b"".join(EVENTS)
        assert answer.headers["x-ratelimit-remaining-requests"] == "7"
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["x-jackfield-target"] == "o:gpt-6-luna"
    sent = upstream.requests[0]
    assert sent.body == BODY.replace(b"o:gpt-6-luna", b"gpt-6-luna")
    assert sent.headers["authorization"] == "Bearer sk-upstream"
    gateway.state.ledger._write_all()
    days = gateway.state.store.sum_spend(key="", since=0)
    assert (days[0]["input_tokens"], days[0]["output_tokens"]) == (9, 2)


async def test_a_relayed_stream_that_is_cut_is_cut_for_the_client_too(relaying):
    gateway, upstream = relaying
    upstream.answer(Answer.stream(EVENTS[:1], "text/event-stream", reset_after=1))
    with pytest.raises(Exception, match="payload|reset|TransferEncoding|Connection"):
        async with gateway.http.post(f"{gateway.url}/v1/chat/completions", data=BODY) as answer:
            await answer.read()


async def test_a_client_that_leaves_a_relay_closes_the_upstream(relaying):
    gateway, upstream = relaying
    upstream.answer(Answer.stream(EVENTS, "text/event-stream", stall_after=1))
    async with gateway.http.post(f"{gateway.url}/v1/chat/completions", data=BODY) as answer:
        await answer.content.readany()
        answer.close()
    await upstream.wait_disconnected()
    await asyncio.sleep(0.1)
    assert gateway.state.current.calls == 0


async def test_an_error_of_the_service_is_told_without_its_key(relaying):
    gateway, upstream = relaying
    upstream.answer(
        Answer.json({"error": {"message": "Incorrect API key provided: sk-upstream"}}, status=401)
    )
    async with gateway.http.post(f"{gateway.url}/v1/chat/completions", data=BODY) as answer:
        text = await answer.text()
        assert answer.status == 502
    assert "sk-upstream" not in text


async def test_a_conversation_with_envelopes_is_translated(relaying):
    """Only the gateway can open what it sealed; the service would refuse it, or take it for its own."""
    gateway, upstream = relaying
    upstream.answer(
        Answer.json(
            {"id": "c1", "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}
        )
    )
    entry = {"type": "reasoning.encrypted", "data": "jf1.c2VhbGVk", "format": "jackfield"}
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes.", "reasoning_details": [entry]},
        {"role": "user", "content": "Go on."},
    ]
    body = json.dumps({"model": "o:gpt-6-luna", "messages": turns}).encode()
    async with gateway.http.post(f"{gateway.url}/v1/chat/completions", data=body) as answer:
        assert answer.status == 200
    assert b"jf1." not in upstream.requests[0].body


async def test_the_service_refuses_a_request_in_its_own_words(relaying):
    gateway, upstream = relaying
    words = b'{"error": {"message": "Unsupported parameter: \'x_new_field\'", "type": "invalid_request_error", "code": null}}'
    upstream.answer(Answer(400, {"content-type": "application/json"}, (words,)))
    async with gateway.http.post(f"{gateway.url}/v1/chat/completions", data=BODY) as answer:
        assert (answer.status, await answer.read()) == (400, words)
        assert answer.headers["x-jackfield-target"] == "o:gpt-6-luna"
