"""Through a mesh against a loopback workspace: chat, stream, error, cancel, identities, cost, the first users' list."""

from __future__ import annotations

import asyncio
import base64
import sys
from decimal import Decimal

import pytest
from meshes import config_for

from jackfield import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    MalformedResponseError,
    Mesh,
    MissingCredentialError,
    RateLimitError,
)
from jackfield.testing import Answer, RecordingServer

USAGE = {"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000, "total_tokens": 2_000_000}
CHAT = {"id": "c", "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}], "usage": USAGE}  # fmt: skip
TEXT = {"id": "t", "object": "text_completion", "model": "m", "choices": [{"index": 0, "text": "Hi", "finish_reason": "stop"}], "usage": USAGE}  # fmt: skip
VECTORS = {"object": "list", "model": "m", "data": [{"index": 0, "embedding": [1.0]}], "usage": {"prompt_tokens": 1_000_000, "total_tokens": 1_000_000}}  # fmt: skip
LLAMA = "databricks-meta-llama-3-3-70b-instruct"


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in ("DATABRICKS_HOST", "DATABRICKS_CLIENT_ID", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-made-up")
    monkeypatch.setenv("DB_SECRET", "made-up-secret")


def config(url, *, credentials=None, **keys):
    if credentials is None:
        keys = {"token": "env:DATABRICKS_TOKEN", **keys}
        return config_for("databricks", url, "db", address="host", **keys)
    identities = {"id": {"kind": "databricks", **credentials}}
    return config_for(
        "databricks", url, "db", address="host", identities=identities, credentials="id", **keys
    )


async def test_chat_stream_error_and_cancel():
    chunk = {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}],
    }
    async with RecordingServer() as server:
        async with Mesh.from_config(config(server.url)) as mesh:
            server.answer(Answer.json(CHAT))
            assert (await mesh.chat(f"db:{LLAMA}", "Hello")).text == "Hi"
            assert server.requests[0].headers["authorization"] == "Bearer dapi-made-up"
            end = {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
            server.answer(Answer.sse([chunk, end], done=True))
            async with mesh.stream_chat(f"db:{LLAMA}", "Hello") as stream:
                async for _ in stream:
                    pass
            assert stream.response.complete
            server.answer(Answer.json({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "QPS"}, status=429))
            with pytest.raises(RateLimitError) as caught:
                await mesh.chat(f"db:{LLAMA}", "Hello")
            assert caught.value.provider == "databricks"
            server.answer(Answer.sse([chunk] * 50, interval=0.05))
            async with mesh.stream_chat(f"db:{LLAMA}", "Hello") as stream:
                async for _ in stream:
                    break
            await server.wait_disconnected()
        assert not stream.response.complete


async def test_a_login_page_is_reported_as_one():
    async with RecordingServer() as server:
        page = Answer.text("<html>Sign in</html>", content_type="text/html")
        server.answer(page)
        async with Mesh.from_config(config(server.url)) as mesh:
            with pytest.raises(MalformedResponseError, match="login page"):
                await mesh.chat("db:m", "Hello")


async def test_base_url_replaces_the_host_in_calls():
    async with RecordingServer() as server:
        server.answer(Answer.json(CHAT))
        async with Mesh.from_config(
            config("https://dbc-1.example/?o=1", base_url=f"{server.url}/proxy/")
        ) as mesh:
            await mesh.chat("db:m", "Hello")
        assert server.requests[0].path == "/proxy/serving-endpoints/chat/completions"


async def test_concurrent_callers_share_one_token_and_a_rejected_one_is_renewed_once():
    fetched = []

    def token(request):
        fetched.append(request)
        return Answer.json({"access_token": f"token-{len(fetched)}", "expires_in": 3600})

    def chat(request):
        old = request.headers["authorization"] != f"Bearer token-{len(fetched)}" or len(fetched) == 1
        return Answer.json({"error_code": "UNAUTHENTICATED", "message": "expired"}, status=401) if old else Answer.json(CHAT)  # fmt: skip

    async with RecordingServer() as server:
        server.route("POST", "/oidc/v1/token", token)
        server.route("POST", "/serving-endpoints/*", chat)
        identity = {"client_id": "sp", "client_secret": "env:DB_SECRET", "authorization_details": "[]"}
        async with Mesh.from_config(config(server.url, credentials=identity)) as mesh:
            replies = await asyncio.gather(*(mesh.chat("db:m", "Hello") for _ in range(8)))
    assert [reply.text for reply in replies] == ["Hi"] * 8
    assert len(fetched) == 2
    assert fetched[0].headers["authorization"] == f"Basic {base64.b64encode(b'sp:made-up-secret').decode()}"
    assert b"authorization_details=%5B%5D" in fetched[0].body


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer.json({"error": "invalid_client", "error_description": "Client authentication failed"}, status=401), AuthenticationError),
        (Answer.text("<html>", content_type="text/html"), MalformedResponseError),
        (Answer.json({}, status=302, headers={"location": "https://elsewhere.example/login"}), MalformedResponseError),
        (Answer.json([]), MalformedResponseError),
        (Answer.json({"access_token": "t", "more": "x" * (2 << 20)}), MalformedResponseError),
        (Answer.json({"error": "x" * (2 << 20)}, status=401), AuthenticationError),
    ],
)  # fmt: skip
async def test_a_token_endpoint_that_returns_no_token(answer, expected):
    async with RecordingServer() as server:
        server.answer(answer)
        identity = {"client_id": "sp", "client_secret": "env:DB_SECRET"}
        async with Mesh.from_config(config(server.url, credentials=identity)) as mesh:
            with pytest.raises(expected) as caught:
                await mesh.chat("db:m", "Hello")
    assert "made-up-secret" not in str(caught.value)
    assert len(server.requests) == 1


async def test_a_token_endpoint_that_cannot_be_reached():
    identity = {"client_id": "sp", "client_secret": "env:DB_SECRET", "token_url": "http://127.0.0.1:9/token"}
    async with Mesh.from_config(config("http://127.0.0.1:9", credentials=identity)) as mesh:
        with pytest.raises(ConnectionFailedError, match="cannot be reached"):
            await mesh.chat("db:m", "Hello")


@pytest.mark.parametrize("declared", [None, 999])
async def test_a_token_endpoint_whose_answer_is_cut(declared):
    whole = b'{"access_token": "t", "expires_in": 3600}'
    async with RecordingServer() as server:
        if declared is None:
            server.answer(Answer.stream([whole[:9], whole[9:]], "application/json", truncate_after=1))
        else:
            server.answer(Answer.short_body(whole, missing=declared))
        identity = {"client_id": "sp", "client_secret": "env:DB_SECRET"}
        async with Mesh.from_config(config(server.url, credentials=identity)) as mesh:
            with pytest.raises(ConnectionFailedError, match="was cut"):
                await mesh.chat("db:m", "Hello")


async def test_a_profile_is_read_by_the_sdk(tmp_path, monkeypatch):
    pytest.importorskip("databricks.sdk")
    monkeypatch.delenv("DATABRICKS_TOKEN")
    async with RecordingServer() as server:
        server.route("GET", "/.well-known/databricks-config", Answer.json({"workspace_id": "1"}))
        server.route("POST", "/serving-endpoints/*", Answer.json(CHAT))
        file = tmp_path / "databrickscfg"
        other = "[other]\nhost = http://127.0.0.1:9\ntoken = dapi-other\n"
        file.write_text(f"[ml]\nhost = {server.url}\ntoken = dapi-profile\n{other}", encoding="utf-8")
        identity = {"profile": "ml", "config_file": str(file)}
        async with Mesh.from_config(config(server.url, credentials=identity)) as mesh:
            await mesh.chat("db:m", "Hello")
        assert server.requests[-1].headers["authorization"] == "Bearer dapi-profile"
        missing = {**identity, "profile": "none"}
        async with Mesh.from_config(config(server.url, credentials=missing)) as mesh:
            with pytest.raises(MissingCredentialError, match="no none profile"):
                await mesh.chat("db:m", "Hello")


async def test_a_profile_of_another_workspace_sends_its_token_nowhere(tmp_path, monkeypatch):
    pytest.importorskip("databricks.sdk")
    monkeypatch.delenv("DATABRICKS_TOKEN")
    async with RecordingServer() as server:
        server.route("GET", "/.well-known/databricks-config", Answer.json({"workspace_id": "1"}))
        file = tmp_path / "databrickscfg"
        file.write_text(f"[ml]\nhost = {server.url}\ntoken = dapi-profile\n", encoding="utf-8")
        identity = {"profile": "ml", "config_file": str(file)}
        async with Mesh.from_config(config("http://127.0.0.1:9", credentials=identity)) as mesh:
            with pytest.raises(ConfigurationError, match="write the profile of this workspace"):
                await mesh.chat("db:m", "Hello")


async def test_a_profile_without_the_sdk_names_the_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "databricks.sdk.core", None)
    async with Mesh.from_config(config("http://127.0.0.1:9", credentials={"profile": "ml"})) as mesh:
        with pytest.raises(MissingCredentialError, match=r"databricks\[sdk\]"):
            await mesh.chat("db:m", "Hello")


async def test_a_declared_token_is_an_identity():
    async with RecordingServer() as server:
        server.answer(Answer.json(CHAT))
        async with Mesh.from_config(config(server.url, credentials={"token": "env:DB_SECRET"})) as mesh:
            await mesh.chat("db:m", "Hello")
        assert server.requests[0].headers["authorization"] == "Bearer made-up-secret"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"credentials": {"client_id": "a"}}, "both client_id and client_secret"),
        ({"credentials": {"profile": "a", "token": "env:DB_SECRET"}}, "several identities"),
        ({"credentials": {"profil": "a"}}, "did you mean"),
        ({"host": "ftp://x"}, "address of a workspace"),
        ({"models": [{"id": "mine", "underlying": "nobody-knows"}]}, "nobody-knows"),
    ],
)
def test_mistakes_in_credentials_are_errors_when_loaded(keys, words):
    with pytest.raises(ConfigurationError, match=words):
        Mesh.from_config(config(**{"url": keys.pop("host", "https://dbc-1.example"), **keys}))


# -- cost --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "model", "amount", "units"),
    [
        # A million in at 0.5 USD and a million out at 1.5 USD (genai-prices 0.2.3, November 2026).
        ({}, LLAMA, "2", {"input", "output"}),
        # The same in DBU: 2 / 0.070, times what the administrator pays for one.
        ({"rate": {"unit": "DBU", "amount": "0.055"}}, LLAMA, "1.5714285714", {"DBU"}),
        # A declared price of tokens is charged alone, the DBU not a second time.
        ({"rate": {"unit": "DBU", "amount": "0.055"}, "models": [{"id": LLAMA, "price": {"input": "1", "output": "1"}}]}, LLAMA, "2", {"input", "output"}),
        # Provisioned throughput is paid by the hour.
        ({"models": [{"id": "mine", "underlying": LLAMA}]}, "mine", None, set()),
    ],
)  # fmt: skip
async def test_what_a_call_costs(keys, model, amount, units):
    async with RecordingServer() as server:
        server.answer(Answer.json(CHAT))
        async with Mesh.from_config(config(server.url, **keys)) as mesh:
            cost = (await mesh.chat(f"db:{model}", "Hello")).cost
    assert {item.unit for item in cost.items} == units
    assert all(item.source for item in cost.items)
    if amount is None:
        assert (cost.status, cost.amount) == ("unknown", None)
    else:
        assert cost.status == "complete"
        assert abs(cost.amount - Decimal(amount)) < Decimal("1e-9")


# -- the first users' list -----------------------------------------------------------------------------------------

FIRST = {"BGE Large En": ("databricks-bge-large-en", "embed"), "DBRX Instruct": ("databricks-dbrx-instruct", "chat"),
         "Llama 2 70B": ("databricks-llama-2-70b-chat", "chat"), "Mixtral 8x7B": ("databricks-mixtral-8x7b-instruct", "chat"),
         "MPT 7B Instruct": ("databricks-mpt-7b-instruct", "complete"), "MPT 30B Instruct": ("databricks-mpt-30b-instruct", "complete")}  # fmt: skip


@pytest.mark.parametrize("own", [False, True], ids=["by name", "behind an endpoint of one's own"])
@pytest.mark.parametrize("name", FIRST)
async def test_the_first_users_models_can_be_declared_and_called(name, own):
    model, method = FIRST[name]
    entry = {"id": "mine", "underlying": model, "route": "invocations"} if own else model
    answer = {"embed": VECTORS, "chat": CHAT, "complete": TEXT}[method]
    async with RecordingServer() as server:
        server.route("GET", "/api/2.0/serving-endpoints", Answer.json({"endpoints": [{"name": model}]}))
        server.answer(Answer.json(answer), Answer.json(answer))
        async with Mesh.from_config(config(server.url, models=[entry])) as mesh:
            target = f"db:{'mine' if own else model}"
            if method == "embed":
                reply = await mesh.embed(target, ["a"])
                assert reply.lists() == [[1.0]]
            else:
                reply = await getattr(mesh, method)(target, "Hello", max_tokens=5)
                assert reply.text == "Hi"
                # `chat` on a model that only completes, and the other way round, are emulated.
                other = await (mesh.chat if method == "complete" else mesh.complete)(target, "Hello")
                assert other.text == "Hi"
            cards = await mesh.models("db")
    alive = name == "BGE Large En"
    assert (reply.cost.status == "complete") is (alive and not own)
    if not alive:  # no built-in limits or prices
        assert all(card.limits.context_window is None and card.price is None for card in cards)
