"""Calls over every surface."""

import json

import pytest

HELLO = {"model": "best", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50}


async def test_a_chat(gateway):
    gateway.fake.script("Hello!")
    status, headers, answer = await gateway.post("/v1/chat/completions", HELLO)
    assert status == 200, answer
    assert answer["choices"][0]["message"]["content"] == "Hello!"
    assert headers["x-jackfield-target"] == "fake:echo"
    assert headers["x-request-id"].startswith("req_")
    assert headers["x-jackfield-cost"]


async def test_a_message(gateway):
    gateway.fake.script("Hello!")
    status, _, answer = await gateway.post("/v1/messages?beta=true", HELLO, anthropic_version="2023-06-01")
    assert status == 200, answer
    assert answer["content"][0]["text"] == "Hello!"


async def test_a_response(gateway):
    gateway.fake.script("Hello!")
    status, _, answer = await gateway.post("/v1/responses", {"model": "best", "input": "hi"})
    assert status == 200, answer
    assert answer["output"][0]["content"][0]["text"] == "Hello!"


async def test_a_streamed_chat(gateway):
    gateway.fake.script("Hello there")
    async with gateway.http.post(
        f"{gateway.url}/v1/chat/completions", json={**HELLO, "stream": True}
    ) as answer:
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = (await answer.read()).decode()
    pieces = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    assert (
        "".join(piece["choices"][0]["delta"].get("content") or "" for piece in pieces if piece["choices"])
        == "Hello there"
    )
    assert text.rstrip().endswith("data: [DONE]")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
async def test_a_model_that_does_not_exist(gateway, path):
    status, _, answer = await gateway.post(path, {**HELLO, "model": "bset", "input": "hi"})
    assert status == 404
    assert "did you mean 'best'" in json.dumps(answer)
