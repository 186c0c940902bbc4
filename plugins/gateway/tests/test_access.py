"""Who may call, and what a refusal tells."""

import datetime as dt
import json

import pytest
from gateway_running import CONFIG, running

from jackfield import ConfigurationError, Registry, load_config
from jackfield.plugin import RateCard
from jackfield.testing import FakeProvider
from jackfield_gateway import GatewaySettings
from jackfield_gateway._keys import hash_key
from jackfield_gateway._state import State

HELLO = {"model": "best", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50}
KEY = "jf-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"


def declared(**more):
    return {"keys": {"alice": {"hash": hash_key(KEY), "owner": "org/alice", **more}}}


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"x_api_key": KEY},
        {"api_key": KEY},
        {"authorization": f"bearer {KEY}"},
    ],
)
async def test_a_key_is_accepted_wherever_clients_show_it(headers):
    async with running(**declared()) as gateway:
        status, _, _ = await gateway.post("/v1/chat/completions", HELLO, **headers)
        assert status == 200


@pytest.mark.parametrize("key", ["", "jf-wrong", "x" * 100_000, KEY[:-1], KEY + "x", "\udcff"])
async def test_another_key_is_refused_in_the_words_of_the_surface(key):
    async with running(**declared()) as gateway:
        headers = {"x-api-key": key} if key.isascii() and len(key) < 8000 else {}
        for path, kind in (
            ("/v1/chat/completions", "invalid_api_key"),
            ("/v1/messages", "authentication_error"),
        ):
            async with gateway.http.post(f"{gateway.url}{path}", json=HELLO, headers=headers) as answer:
                body = await answer.json()
            assert answer.status == 401
            assert kind in json.dumps(body)
            assert not key or key not in json.dumps(body)
        assert gateway.fake.requests == []


@pytest.mark.parametrize(
    ("more", "word"),
    [({"blocked": True}, "blocked"), ({"expires": dt.date(2020, 1, 1)}, "expired")],
)
async def test_a_blocked_or_old_key_is_refused(more, word):
    async with running(**declared(**more)) as gateway:
        status, _, answer = await gateway.post("/v1/chat/completions", HELLO, x_api_key=KEY)
        assert status == 401
        assert word in json.dumps(answer)


@pytest.mark.parametrize(
    ("models", "model", "status"),
    [
        (["best"], "best", 200),
        (["best"], "fake:echo", 404),
        (["fake:*"], "fake:echo", 200),
        (["fake:*"], "best", 404),
        (["fake:echo"], "fake:secret-model", 404),
        (["fake:*"], "echo", 200),
        (["echo"], "echo", 200),
        ([], "best", 404),
    ],
)
async def test_a_key_uses_what_it_is_allowed(models, model, status):
    async with running(**declared(models=models)) as gateway:
        got, _, answer = await gateway.post("/v1/chat/completions", {**HELLO, "model": model}, x_api_key=KEY)
        assert got == status, answer


async def test_models_are_listed_as_far_as_the_key_may_use_them():
    async with running(**declared(models=["best", "fake:echo"])) as gateway:
        async with gateway.http.get(f"{gateway.url}/v1/models", headers={"x-api-key": KEY}) as answer:
            assert [card["id"] for card in (await answer.json())["data"]] == ["best", "fake:echo"]
        async with gateway.http.get(f"{gateway.url}/v1/models/best", headers={"x-api-key": KEY}) as answer:
            assert (await answer.json())["id"] == "best"
        headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
        async with gateway.http.get(f"{gateway.url}/v1/models/fake:secret-model", headers=headers) as answer:
            assert answer.status == 404
            assert (await answer.json())["error"]["type"] == "not_found_error"
        async with gateway.http.get(f"{gateway.url}/v1/models") as answer:
            assert answer.status == 401


@pytest.mark.parametrize("headers", [{}, {"anthropic-version": "2023-06-01"}])
async def test_models_show_what_they_can_and_cost(headers):
    fake = FakeProvider(price=RateCard.of(source="a test", input="1.50", output="6"))
    models = [
        {
            "id": "echo",
            "limits": {"context_window": 8000, "max_output_tokens": 900},
            "capabilities": {"tools": True, "images": False},
        },
        {"id": "y"},
    ]
    config = {
        "connections": {"fake": {"provider": "fake", "models": models}},
        "aliases": {"best": ["fake:echo", "fake:y"]},
    }
    async with running(config, fake) as gateway:
        async with gateway.http.get(f"{gateway.url}/v1/models?limit=100", headers=headers) as answer:
            alias, card, _ = (one["jackfield"] for one in (await answer.json())["data"])
        async with gateway.http.get(f"{gateway.url}/v1/models/fake:echo", headers=headers) as answer:
            assert (await answer.json())["jackfield"] == card
    assert (card["capabilities"]["tools"], card["capabilities"]["images"]) == (True, False)
    assert card["limits"] == {
        "context_window": 8000,
        "max_output_tokens": 900,
        "dimensions": 8,
    }  # the last by the plugin
    assert card["price"] == {
        "currency": "USD",
        "rates": {"input": {"amount": "1.50", "per": 1_000_000}, "output": {"amount": "6", "per": 1_000_000}},
    }
    assert alias == {**card, "targets": ["fake:echo", "fake:y"]}


async def test_an_address_that_others_reach_needs_a_key():
    registry = Registry.of(FakeProvider(), tables={"gateway": GatewaySettings})
    config = load_config({**CONFIG, "gateway": {"host": "0.0.0.0"}}, registry)
    with pytest.raises(ConfigurationError, match="jackfield keys new"):
        await State(config, registry).__aenter__()


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:4117"},
        {"origin": "null"},
    ],
)
async def test_a_page_in_a_browser_cannot_use_an_open_gateway(gateway, headers):
    async with gateway.http.post(f"{gateway.url}/v1/chat/completions", json=HELLO, headers=headers) as answer:
        assert answer.status == 403
    assert gateway.fake.requests == []


@pytest.mark.parametrize(
    "headers", [{"origin": "http://localhost:3000"}, {"host": "localhost"}, {"host": "[::1]:4117"}]
)
async def test_a_program_of_this_machine_can(gateway, headers):
    async with gateway.http.post(f"{gateway.url}/v1/chat/completions", json=HELLO, headers=headers) as answer:
        assert answer.status == 200


async def test_a_bare_id_is_a_target_where_it_is_unambiguous():
    config = {
        "connections": {
            "one": {"provider": "fake", "models": [{"id": "a"}, {"id": "both"}]},
            "two": {"provider": "fake", "models": [{"id": "b-*"}, {"id": "both"}]},
        }
    }
    async with running(config) as gateway:
        for model, target in (("a", "one:a"), ("b-1", "two:b-1")):
            status, headers, answer = await gateway.post("/v1/chat/completions", {**HELLO, "model": model})
            assert (status, headers.get("x-jackfield-target")) == (200, target), answer
        status, _, answer = await gateway.post("/v1/chat/completions", {**HELLO, "model": "both"})
        assert status == 404
        assert '"one:both" or "two:both"' in answer["error"]["message"]


@pytest.mark.parametrize("model", [None, 5, "", ["best"], "fake:", ":echo", "fake:e\x00cho", "x" * 5000])
async def test_a_model_that_is_not_valid_is_refused(gateway, model):
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/embeddings"):
        status, _, _ = await gateway.post(path, {**HELLO, "model": model, "input": "x"})
        assert 400 <= status < 500
    assert gateway.fake.requests == []
