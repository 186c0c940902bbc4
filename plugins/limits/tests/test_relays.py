"""Limits around relayed calls: bytes go through, what they used is booked."""

from __future__ import annotations

import asyncio
import json

import pytest

from jackfield import Mesh, Registry
from jackfield.plugin import RelayRequest, relay
from jackfield.testing import Answer
from jackfield_limits import LIMITS, LimitReachedError, budget

EVENTS = [
    b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hallo"}}]}\n\n',
    b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}\n\n',
    b"data: [DONE]\n\n",
]
BODY = b'{"model":"m","max_tokens":40,"messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}'
LIMIT = {"name": "t", "measure": "tokens", "most": "2000", "window": "ever"}


def asked():
    return RelayRequest(
        surface="openai.chat", kind="chat", headers={}, body=BODY, stream=True, parsed=json.loads(BODY)
    )


@pytest.fixture
def mesh(service, monkeypatch):
    pytest.importorskip("jackfield_openai")
    monkeypatch.setenv("KEY", "sk-upstream")
    service.route("POST", "/v1/chat/completions", Answer.stream(EVENTS, "text/event-stream"))
    connection = {
        "provider": "openai",
        "base_url": f"{service.url}/v1",
        "api_key": "env:KEY",
        "middlewares": ["limits"],
    }
    registry = Registry.installed().extended(middlewares={"limits": LIMITS})
    config = {"connections": {"o": connection}, "middleware": {"limits": {"limit": [LIMIT]}}}
    return Mesh.from_config(config, registry=registry)


async def test_a_relayed_call_is_reserved_and_settled(mesh):
    async with mesh, budget("1000 tokens") as tokens:
        answer = await relay(mesh, "o:gpt-6-luna", asked(), owner="org/a")
        assert answer.metadata["limits"]["t"]["settled"] is None
        assert int(answer.metadata["limits"]["t"]["reserved"]) >= len(BODY) + 40
        assert b"".join([piece async for piece in answer]) == b"".join(EVENTS)
        await answer.aclose()
        assert answer.response.metadata["limits"]["t"]["settled"] == "11"
        assert tokens.used == 11


async def test_a_relayed_call_that_does_not_fit_is_refused_before_anything_is_sent(mesh, service):
    async with mesh, budget("20 tokens"):
        with pytest.raises(LimitReachedError, match="limit budget is reached"):
            await relay(mesh, "o:gpt-6-luna", asked())
    assert service.requests == []


async def test_many_relays_never_use_more_than_there_is(mesh):
    async def one():
        try:
            answer = await relay(mesh, "o:gpt-6-luna", asked())
        except LimitReachedError:
            return 0
        async for _ in answer:
            pass
        return answer.response.usage.total_tokens

    async with mesh, budget("1000 tokens") as tokens:
        used = await asyncio.gather(*(one() for _ in range(100)))
        assert 0 < sum(used) <= 1000
        assert tokens.used == sum(used)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 9, "completion_tokens": None},
        {"prompt_tokens": 1e30, "completion_tokens": 2, "total_tokens": 11},
        {"completion_tokens": 2},
    ],
)
async def test_a_count_that_is_not_told_is_booked_as_it_was_reserved(service, monkeypatch, usage):
    pytest.importorskip("jackfield_openai")
    monkeypatch.setenv("KEY", "sk-upstream")
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    told = {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}
    service.route("POST", "/v1/chat/completions", Answer.json(told))
    connection = {
        "provider": "openai",
        "base_url": f"{service.url}/v1",
        "api_key": "env:KEY",
        "models": [{"id": "m", "price": {"input": "1000", "output": "1000", "currency": "USD"}}],
    }
    body = b'{"model":"m","max_tokens":40,"messages":[{"role":"user","content":"hi"}]}'
    whole = RelayRequest(surface="openai.chat", kind="chat", headers={}, body=body)
    mesh = Mesh.from_config({"connections": {"o": connection}})
    async with mesh, budget("5 USD") as money:
        answer = await relay(mesh, "o:m", whole)
        async for _ in answer:
            pass
        await answer.aclose()
    # A thousand dollars for a million tokens: 40 of output, and at most one of input for each byte.
    assert (40 + len(body)) / 1000 <= money.used <= (40 + len(body) + 100) / 1000
