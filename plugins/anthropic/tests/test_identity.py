"""Workload identity federation: the exchange of a workload's token, compared with the SDK's."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import oracles
import pytest
from anthropic_oracle import MODEL, USER, WHOLE
from mistakes import every_type_is_told, mistakes_of, told_alone_and_together

from jackfield import AuthenticationError, Mesh, MissingCredentialError
from jackfield.testing import Answer, RecordingServer
from jackfield_anthropic import AnthropicCredentials, AnthropicSettings

NEW = "2026-10-21"
TOKENS = "/v1/oauth/token"
SENT = ("authorization", "x-api-key", "anthropic-version", "anthropic-beta", "content-type")
RULE = {"federation_rule_id": "fdrl_1", "organization_id": "00000000-0000-0000-0000-000000000001"}
MORE = {"service_account_id": "svac_1", "workspace_id": "wrkspc_1"}


def token(value="sk-ant-oat01-made-up", seconds=600):
    return Answer.json({"access_token": value, "token_type": "Bearer", "expires_in": seconds})


@pytest.fixture
def jwt(tmp_path):
    path = tmp_path / "token"
    path.write_text("eyJhbGciOi.first.one\n", "utf-8")
    return path


@pytest.fixture
async def service(monkeypatch):
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    async with RecordingServer() as server:
        server.route("POST", "/v1/messages", Answer.json(WHOLE))
        yield server


def config(server, jwt, *names, **more):
    identity = {"kind": "anthropic", "identity_token": f"file:{jwt}", **RULE, **more}
    connection = {"provider": "anthropic", "base_url": server.url, "credentials": "w", "api_version": NEW}
    return {"credentials": {"w": identity}, "connections": dict.fromkeys(names or ("claude",), connection)}


def exchanges(server):
    return [request for request in server.requests if request.path_qs == TOKENS]


@asynccontextmanager
async def sdk(server, jwt, **more):
    anthropic = pytest.importorskip(
        "anthropic"
    )  # absent where the plugins are tested at their lowest versions
    identity = anthropic.WorkloadIdentityCredentials(
        identity_token_provider=lambda: jwt.read_text("utf-8").strip(), **RULE, **more
    )
    client = anthropic.AsyncAnthropic(credentials=identity, base_url=server.url, max_retries=0)
    async with client:
        yield client
    identity.close()


@pytest.mark.parametrize("more", [{}, MORE], ids=["least", "all"])
async def test_the_exchange_and_the_call_equal_the_sdks(more, service, jwt):
    service.route("POST", TOKENS, token())
    async with Mesh.from_config(config(service, jwt, **more)) as mesh, sdk(service, jwt, **more) as client:
        await mesh.chat(f"claude:{MODEL}", "Why?", max_tokens=100)
        await client.messages.create(model=MODEL, max_tokens=100, messages=USER)
    ours, call, theirs, their_call = service.requests
    assert oracles.difference(ours, theirs, headers=("anthropic-beta", "content-type", "authorization")) == {}
    assert oracles.difference(call, their_call, headers=SENT) == {}
    assert call.headers["authorization"] == "Bearer sk-ant-oat01-made-up"


async def test_the_comparison_can_fail(service, jwt):
    service.route("POST", TOKENS, token())
    async with Mesh.from_config(config(service, jwt)) as mesh, sdk(service, jwt, **MORE) as client:
        await mesh.chat(f"claude:{MODEL}", "Why?", max_tokens=100)
        await client.messages.create(model=MODEL, max_tokens=100, messages=USER)
    ours, _, theirs, _ = service.requests
    assert set(oracles.difference(ours, theirs)) == {"body"}


async def test_connections_share_a_token_and_a_file_is_read_anew_for_the_next(service, jwt):
    service.answer(token("t-1"), path=TOKENS) if False else service.route(
        "POST", TOKENS, token("t-1", seconds=30)
    )
    async with Mesh.from_config(config(service, jwt, "one", "two")) as mesh:
        await mesh.chat(f"one:{MODEL}", "Why?")
        jwt.write_text("eyJhbGciOi.second.one\n", "utf-8")
        await mesh.chat(f"two:{MODEL}", "Why?")  # the token lasts for less than a minute, so it is renewed
    assert [request.json["assertion"] for request in exchanges(service)] == ["eyJhbGciOi.first.one", "eyJhbGciOi.second.one"]  # fmt: skip


async def test_a_token_that_lasts_is_exchanged_once(service, jwt):
    service.route("POST", TOKENS, token())
    async with Mesh.from_config(config(service, jwt, "one", "two")) as mesh:
        await asyncio.gather(*(mesh.chat(f"{name}:{MODEL}", "Why?") for name in ("one", "two") * 3))
    assert len(exchanges(service)) == 1


async def test_after_a_401_a_new_token_is_fetched_once(service, jwt):
    refused = Answer.json(
        {"type": "error", "error": {"type": "authentication_error", "message": "no"}}, status=401
    )
    service.answer(token("t-1"), refused, token("t-2"), Answer.json(WHOLE))
    async with Mesh.from_config(config(service, jwt)) as mesh:
        reply = await mesh.chat(f"claude:{MODEL}", "Why?")
    assert reply.text == "Because ä."
    sent = [request.headers.get("authorization") for request in service.requests]
    assert sent == [None, "Bearer t-1", None, "Bearer t-2"]


async def test_a_refused_exchange_says_why_and_shows_no_token(service, jwt):
    said = {"error": "invalid_grant", "error_description": "eyJhbGciOi.first.one does not match the rule"}
    service.route("POST", TOKENS, Answer.json(said, status=401))
    async with Mesh.from_config(config(service, jwt)) as mesh:
        with pytest.raises(
            AuthenticationError, match="does not match the rule; the federation rule"
        ) as caught:
            await mesh.chat(f"claude:{MODEL}", "Why?")
        assert (
            "eyJ" not in f"{caught.value!r} {caught.value.body!r} {mesh.explain(f'claude:{MODEL}', 'Why?')!r}"
        )
    assert len(service.requests) == 1


async def test_an_endpoint_that_is_unavailable_is_asked_again(service, jwt):
    service.answer(Answer.json({}, status=503), token(), Answer.json(WHOLE))
    keys = config(service, jwt)
    keys["connections"]["claude"] = {
        **keys["connections"]["claude"],
        "retry": {"attempts": 2, "initial_delay": 0.01},
    }
    async with Mesh.from_config(keys) as mesh:
        reply = await mesh.chat(f"claude:{MODEL}", "Why?")
    assert reply.text == "Because ä."
    assert len(exchanges(service)) == 2


@pytest.mark.parametrize("content", [None, "", "x" * 20_000], ids=["missing", "empty", "no token"])
async def test_a_file_without_a_token_is_reported_and_nothing_is_sent(content, service, jwt):
    if content is None:
        jwt.unlink()
    else:
        jwt.write_text(content, "utf-8")
    async with Mesh.from_config(config(service, jwt)) as mesh:
        with pytest.raises(MissingCredentialError):
            await mesh.chat(f"claude:{MODEL}", "Why?")
    assert not service.requests


async def test_a_proxy_of_the_connection_is_used_for_the_exchange(service, jwt):
    keys = config(service, jwt)
    keys["connections"]["claude"] = {
        **keys["connections"]["claude"],
        "base_url": "http://localhost:9",
        "proxy": service.url,
    }
    service.answer(token(), Answer.json(WHOLE))
    async with Mesh.from_config(keys) as mesh:
        await mesh.chat(f"claude:{MODEL}", "Why?")
    assert len(service.requests) == 2


# -- mistakes in the configuration -------------------------------------------------------------------------------


def declared(values):
    identity = {"kind": "anthropic", "identity_token": "env:JWT", **RULE}
    return {
        "credentials": {"w": identity},
        "connections": {"c": {"provider": "anthropic", "credentials": "w", **values}},
    }


def identity(values):
    table = {"kind": "anthropic", "identity_token": "env:JWT", **RULE, **values}
    return {"credentials": {"w": {k: v for k, v in table.items() if v is not None}}, "connections": {}}


def test_wrong_types_of_all_keys_are_reported_at_once():
    config = declared({})
    every_type_is_told(AnthropicSettings, config, config["connections"]["c"], "connections.c")
    config = identity({})
    every_type_is_told(AnthropicCredentials, config, config["credentials"]["w"], "credentials.w")


def test_each_mistake_is_reported_alone_and_with_the_others():
    told_alone_and_together(
        declared,
        [
            ({"api_key": "env:X"}, "another way to authenticate"),
            ({"workspace": "w"}, "write workspace_id in its table"),
            ({"base_url": "http://gateway.example.com"}, "base_url must begin with https://"),
        ],
    )
    told_alone_and_together(
        identity,
        [
            ({"identity_token": None}, "identity_token is missing"),
            ({"federation_rule_id": ""}, "federation_rule_id is missing"),
            ({"organization_id": None}, "organization_id is missing"),
        ],
    )


def test_a_token_itself_is_not_written_into_a_file():
    said = mistakes_of(identity({"identity_token": "eyJhbGciOi.made.up"}))
    assert "must be a reference" in said
    assert "eyJ" not in said
