"""Workload identity federation: the exchange of a workload's token, compared with the SDK's."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import oracles
import pytest
from mistakes import every_type_is_told, mistakes_of, told_alone_and_together
from openai_oracle import USER, WHOLE

from jackfield import AuthenticationError, Mesh, MissingCredentialError
from jackfield.testing import Answer, RecordingServer
from jackfield_openai import OpenAICredentials, OpenAISettings, _credentials as credentials

TOKENS = "/oauth/token"
ACCOUNT = {"identity_provider_id": "idp_1", "service_account_id": "sa_1"}


def token(value="eyJ-access", seconds=3600):
    return Answer.json({"access_token": value, "token_type": "Bearer", "expires_in": seconds})


@pytest.fixture
def jwt(tmp_path):
    path = tmp_path / "token"
    path.write_text("eyJhbGciOi.first.one\n", "utf-8")
    return path


@pytest.fixture
async def service(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with RecordingServer() as server:
        server.route("POST", "/v1/chat/completions", Answer.json(WHOLE))
        yield server


def config(server, jwt, *names, **more):
    identity = {
        "kind": "openai",
        "subject_token": f"file:{jwt}",
        "token_url": f"{server.url}{TOKENS}",
        **ACCOUNT,
        **more,
    }
    connection = {"provider": "openai", "base_url": f"{server.url}/v1", "credentials": "w"}
    return {"credentials": {"w": identity}, "connections": dict.fromkeys(names or ("openai",), connection)}


def exchanges(server):
    return [request for request in server.requests if request.path_qs == TOKENS]


@asynccontextmanager
async def sdk(server, jwt, kind="jwt", **more):
    openai = pytest.importorskip("openai")  # absent where the plugins are tested at their lowest versions
    provider = {"token_type": kind, "get_token": lambda: jwt.read_text("utf-8").strip()}
    identity = {**ACCOUNT, "provider": provider, **more}
    async with openai.AsyncOpenAI(
        workload_identity=identity, base_url=f"{server.url}/v1", max_retries=0
    ) as client:
        client._workload_identity_auth.token_exchange_url = f"{server.url}{TOKENS}"
        yield client


@pytest.mark.parametrize("kind", ["jwt", "id"])
async def test_the_exchange_and_the_call_equal_the_sdks(kind, service, jwt):
    service.route("POST", TOKENS, token())
    async with (
        Mesh.from_config(config(service, jwt, subject_token_type=kind)) as mesh,
        sdk(service, jwt, kind) as client,
    ):
        await mesh.chat("openai:gpt-4o", "Why?")
        await client.chat.completions.create(model="gpt-4o", messages=USER)
    ours, call, theirs, their_call = service.requests
    assert oracles.difference(ours, theirs) == {}
    assert oracles.difference(call, their_call) == {}
    assert call.headers["authorization"] == "Bearer eyJ-access"


async def test_the_comparison_can_fail(service, jwt):
    service.route("POST", TOKENS, token())
    async with (
        Mesh.from_config(config(service, jwt)) as mesh,
        sdk(service, jwt, service_account_id="sa_2") as client,
    ):
        await mesh.chat("openai:gpt-4o", "Why?")
        await client.chat.completions.create(model="gpt-4o", messages=USER)
    ours, _, theirs, _ = service.requests
    assert set(oracles.difference(ours, theirs)) == {"body"}


async def test_the_address_of_the_sdks_exchange_is_the_default():
    workload = pytest.importorskip("openai.auth._workload")
    made = OpenAICredentials(subject_token="env:JWT", **ACCOUNT)
    assert made.token_url == workload.DEFAULT_TOKEN_EXCHANGE_URL


async def test_connections_share_a_token_and_a_file_is_read_anew_for_the_next(service, jwt):
    service.route("POST", TOKENS, token(seconds=30))
    async with Mesh.from_config(config(service, jwt, "one", "two")) as mesh:
        await mesh.chat("one:gpt-4o", "Why?")
        jwt.write_text("eyJhbGciOi.second.one\n", "utf-8")
        await mesh.chat("two:gpt-4o", "Why?")  # the token lasts for less than a minute, so it is renewed
    sent = [request.json["subject_token"] for request in exchanges(service)]
    assert sent == ["eyJhbGciOi.first.one", "eyJhbGciOi.second.one"]


async def test_a_token_that_lasts_is_exchanged_once(service, jwt):
    service.route("POST", TOKENS, token())
    async with Mesh.from_config(config(service, jwt, "one", "two")) as mesh:
        await asyncio.gather(*(mesh.chat(f"{name}:gpt-4o", "Why?") for name in ("one", "two") * 3))
    assert len(exchanges(service)) == 1


async def test_after_a_401_a_new_token_is_fetched_once(service, jwt):
    refused = Answer.json({"error": {"message": "expired", "code": "invalid_api_key"}}, status=401)
    service.answer(token("t-1"), refused, token("t-2"), Answer.json(WHOLE))
    async with Mesh.from_config(config(service, jwt)) as mesh:
        await mesh.chat("openai:gpt-4o", "Why?")
    sent = [request.headers.get("authorization") for request in service.requests]
    assert sent == [None, "Bearer t-1", None, "Bearer t-2"]


async def test_a_refused_exchange_says_why_and_shows_no_token(service, jwt):
    said = {"error": {"type": "invalid_request_error", "message": "eyJhbGciOi.first.one is of nobody"}}
    service.route("POST", TOKENS, Answer.json(said, status=403))
    async with Mesh.from_config(config(service, jwt)) as mesh:
        with pytest.raises(AuthenticationError, match="is of nobody; check identity_provider_id") as caught:
            await mesh.chat("openai:gpt-4o", "Why?")
        assert (
            "eyJ" not in f"{caught.value!r} {caught.value.body!r} {mesh.explain('openai:gpt-4o', 'Why?')!r}"
        )
    assert len(service.requests) == 1


@pytest.mark.parametrize("content", [None, ""], ids=["missing", "empty"])
async def test_a_file_without_a_token_is_reported_and_nothing_is_sent(content, service, jwt):
    jwt.unlink() if content is None else jwt.write_text(content, "utf-8")
    async with Mesh.from_config(config(service, jwt)) as mesh:
        with pytest.raises(MissingCredentialError):
            await mesh.chat("openai:gpt-4o", "Why?")
    assert not service.requests


async def test_the_key_of_the_environment_is_not_sent_beside_an_identity(service, jwt, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    service.route("POST", TOKENS, token())
    async with Mesh.from_config(config(service, jwt)) as mesh:
        await mesh.chat("openai:gpt-4o", "Why?")
    assert not any("sk-of" in str(request.headers) for request in service.requests)


async def test_a_proxy_of_the_connection_is_used_for_the_exchange(service, jwt):
    keys = config(service, jwt, token_url="http://localhost:9/oauth/token")
    keys["connections"]["openai"] = {**keys["connections"]["openai"], "proxy": service.url}
    service.answer(token(), Answer.json(WHOLE))
    async with Mesh.from_config(keys) as mesh:
        await mesh.chat("openai:gpt-4o", "Why?")
    assert len(service.requests) == 2


# -- metadata services -------------------------------------------------------------------------------------------

CLOUDS = {
    "azure": ("azure_managed_identity_token_provider", {}, {}, "urn:ietf:params:oauth:token-type:jwt"),
    "azure, one of several": (
        "azure_managed_identity_token_provider",
        {"audience": "api://a b", "client_id": "c-1"},
        {"resource": "api://a b", "client_id": "c-1"},
        "urn:ietf:params:oauth:token-type:jwt",
    ),
    "google": ("gcp_id_token_provider", {}, {}, "urn:ietf:params:oauth:token-type:id_token"),
    "google, for another": (
        "gcp_id_token_provider", {"audience": "https://a"}, {"audience": "https://a"}, "urn:ietf:params:oauth:token-type:id_token",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CLOUDS)
async def test_a_metadata_service_is_asked_as_the_sdk_asks_it(case, service, jwt, monkeypatch):
    auth, httpx2 = pytest.importorskip("openai.auth"), pytest.importorskip("httpx2")
    name, ours, theirs, kind = CLOUDS[case]
    asked = []

    def answer(request):
        asked.append(request)
        return httpx2.Response(200, json={"access_token": "jwt-1"})

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as client:
        getattr(auth, name)(**theirs, http_client=client)["get_token"]()
    (expected,) = asked
    metadata = case.partition(",")[0]
    path = expected.url.path
    monkeypatch.setattr(credentials, f"_{metadata.upper()}", f"{service.url}{path}")
    service.route(
        "GET", path, Answer.json({"access_token": "jwt-1"}) if metadata == "azure" else Answer.text("jwt-1\n")
    )
    service.route("POST", TOKENS, token())
    made = config(service, jwt, metadata=metadata, **ours)
    del made["credentials"]["w"]["subject_token"]
    async with Mesh.from_config(made) as mesh:
        await mesh.chat("openai:gpt-4o", "Why?")
    request, exchange, _ = service.requests
    flavour = "metadata" if metadata == "azure" else "metadata-flavor"
    assert request.headers[flavour] == expected.headers[flavour]
    sent = urlsplit(request.path_qs)
    assert (sent.path, parse_qs(sent.query)) == (path, parse_qs(expected.url.query.decode()))
    assert (exchange.json["subject_token"], exchange.json["subject_token_type"]) == ("jwt-1", kind)


def test_the_addresses_of_metadata_services_are_the_sdks():
    auth, httpx2 = pytest.importorskip("openai.auth"), pytest.importorskip("httpx2")
    asked = []

    def answer(request):
        asked.append(str(request.url.copy_with(query=None)))
        return httpx2.Response(200, json={"access_token": "jwt-1"})

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as client:
        auth.azure_managed_identity_token_provider(http_client=client)["get_token"]()
        auth.gcp_id_token_provider(http_client=client)["get_token"]()
    assert asked == [credentials._AZURE, credentials._GOOGLE]


@pytest.mark.parametrize("metadata", ["azure", "google"])
@pytest.mark.parametrize(
    "answer", [Answer.text("no identity", status=400), Answer.text("")], ids=["refused", "empty"]
)
async def test_a_machine_without_an_identity_is_reported(metadata, answer, service, jwt, monkeypatch):
    monkeypatch.setattr(credentials, f"_{metadata.upper()}", f"{service.url}/metadata")
    service.route("GET", "/metadata", answer)
    made = config(service, jwt, metadata=metadata)
    del made["credentials"]["w"]["subject_token"]
    async with Mesh.from_config(made) as mesh:
        with pytest.raises(MissingCredentialError, match="the metadata service"):
            await mesh.chat("openai:gpt-4o", "Why?")
    assert len(service.requests) == 1


# -- mistakes in the configuration -------------------------------------------------------------------------------


def declared(values):
    identity = {"kind": "openai", "subject_token": "env:JWT", **ACCOUNT}
    connection = {"provider": "openai", "credentials": "w", **values}
    return {"credentials": {"w": identity}, "connections": {"c": connection}}


def identity(values):
    table = {"kind": "openai", "subject_token": "env:JWT", **ACCOUNT, **values}
    return {
        "credentials": {"w": {key: value for key, value in table.items() if value is not None}},
        "connections": {},
    }


def test_wrong_types_of_all_keys_are_reported_at_once():
    config = declared({})
    every_type_is_told(OpenAISettings, config, config["connections"]["c"], "connections.c")
    config = identity({})
    every_type_is_told(OpenAICredentials, config, config["credentials"]["w"], "credentials.w")


def test_each_mistake_is_reported_alone_and_with_the_others():
    told_alone_and_together(declared, [({"api_key": "env:X"}, "two ways to authenticate")])
    told_alone_and_together(
        identity,
        [
            ({"subject_token": None}, "a workload has one token"),
            ({"audience": "a"}, "audience is for the token of a metadata service"),
            ({"client_id": "c"}, "client_id is for managed identities of Azure"),
            ({"identity_provider_id": ""}, "identity_provider_id is missing"),
            ({"service_account_id": None}, "service_account_id is missing"),
            ({"token_url": "http://auth.example.com"}, "token_url must begin with https://"),
        ],
    )


def test_a_token_itself_is_not_written_into_a_file():
    said = mistakes_of(identity({"subject_token": "eyJhbGciOi.made.up"}))
    assert "must be a reference" in said
    assert "eyJ" not in said
