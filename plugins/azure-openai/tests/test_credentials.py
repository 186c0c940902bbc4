"""Entra ID: tokens of the client-credentials flow, of azure-identity, and declared ones."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest

from jackfield import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    MalformedResponseError,
    Mesh,
    MissingCredentialError,
    Secret,
    ServerError,
)
from jackfield.testing import Answer, RecordingServer
from jackfield_azure_openai._clouds import Audience
from jackfield_azure_openai._credentials import AZURE, AzureCredentials, AzureIdentity

CHAT = {"id": "1", "model": "gpt-4o", "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}  # fmt: skip


def token(value="tok-1", lasts=3599):
    return Answer.json({"token_type": "Bearer", "expires_in": lasts, "access_token": value})


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("APP_SECRET", "s3cret")


def config(server, **identity):
    app = {"tenant_id": "contoso", "client_id": "app", "client_secret": "env:APP_SECRET"}
    return {
        "credentials": {"entra": {"kind": "azure", "authority": server.url, **(identity or app)}},
        "connections": {
            "az": {
                "provider": "azure-openai",
                "endpoint": server.url,
                "credentials": "entra",
                "retry": {"attempts": 1},
                "models": [{"id": "chat-prod", "underlying": "gpt-4o"}],
            }
        },
    }


async def test_a_client_secret_becomes_a_token_that_is_kept():
    async with RecordingServer() as server:
        server.route("POST", "/contoso/oauth2/v2.0/token", token())
        server.route("POST", "/openai/v1/chat/completions", Answer.json(CHAT))
        async with Mesh.from_config(config(server)) as mesh:
            await mesh.chat("az:chat-prod", "Hi")
            await mesh.chat("az:chat-prod", "Hi")
        asked = [request for request in server.requests if "oauth2" in request.path_qs]
        assert len(asked) == 1
        assert parse_qs(asked[0].body.decode()) == {
            "grant_type": ["client_credentials"],
            "client_id": ["app"],
            "client_secret": ["s3cret"],
            "scope": ["https://ai.azure.com/.default"],
        }
        assert server.requests[-1].headers["authorization"] == "Bearer tok-1"
        assert "api-key" not in server.requests[-1].headers


@pytest.mark.parametrize(
    ("endpoint", "authority", "scope"),
    [
        ("https://x.openai.azure.com", "https://login.microsoftonline.com", "https://ai.azure.com"),
        ("https://x.services.ai.azure.com/openai/v1", "https://login.microsoftonline.us", "https://ai.azure.com"),
        ("https://x.openai.azure.us", "https://login.microsoftonline.com", "https://cognitiveservices.azure.us"),
        ("https://x.cognitiveservices.azure.us./", "https://login.microsoftonline.us", "https://cognitiveservices.azure.us"),
        ("https://x.openai.azure.cn", "https://login.partner.microsoftonline.cn", "https://cognitiveservices.azure.cn"),
        ("https://gateway.example.org", "https://login.microsoftonline.us", "https://cognitiveservices.azure.us"),
        ("https://gateway.azure-api.cn/a", "https://login.microsoftonline.com", "https://cognitiveservices.azure.cn"),
        ("https://gateway.example.org", "https://login.chinacloudapi.cn", "https://cognitiveservices.azure.cn"),
        ("https://gateway.example.org", "https://login.microsoftonline.com", "https://ai.azure.com"),
        (None, "https://login.microsoftonline.com", "https://ai.azure.com"),
    ],
)  # fmt: skip
def test_tokens_are_asked_for_the_services_cloud(endpoint, authority, scope):
    assert Audience.RESOURCE.scope(endpoint, authority) == f"{scope}/.default"


async def test_tokens_come_by_the_connections_proxy_and_with_its_authorities(monkeypatch, tmp_path):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with RecordingServer() as proxy:
        proxy.answer(token(), Answer.json(CHAT))
        declared = config(SimpleNamespace(url="http://localhost:9"))
        declared["connections"]["az"] |= {"endpoint": "http://models.invalid", "proxy": proxy.url}
        async with Mesh.from_config(declared) as mesh:
            await mesh.chat("az:chat-prod", "Hi")
        assert [request.headers["host"] for request in proxy.requests] == ["localhost:9", "models.invalid"]
    app = {
        "tenant_id": "t",
        "client_id": "c",
        "client_secret": Secret("s"),
        "authority": "https://localhost:9",
    }
    auth = AzureIdentity(AzureCredentials(**app)).auth(
        Audience.RESOURCE, None, ca_bundle=str(tmp_path / "missing.pem")
    )
    with pytest.raises(ConnectionFailedError, match=r"localhost cannot be reached: .*No such file"):
        auth.fetch()


async def test_an_endless_answer_is_not_read_for_a_token():
    async with RecordingServer() as server:
        server.answer(Answer.json({"access_token": "tok-1", "more": "x" * (2 << 20)}))
        async with Mesh.from_config(config(server)) as mesh:
            with pytest.raises(MalformedResponseError, match=r"127\.0\.0\.1 is longer than 1 MiB"):
                await mesh.chat("az:chat-prod", "Hi")


async def test_a_federated_token_may_have_a_byte_order_mark(tmp_path):
    path = tmp_path / "token"
    path.write_bytes(b"\xef\xbb\xbfa-token\r\n")
    async with RecordingServer() as server:
        server.answer(token())
        made = AzureCredentials(tenant_id="t", client_id="c", federated_token_file=path, authority=server.url)
        await asyncio.to_thread(AzureIdentity(made).token, "scope")
        assert parse_qs(server.requests[0].body.decode())["client_assertion"] == ["a-token"]
    path.write_bytes("a-token".encode("utf-16"))
    with pytest.raises(MissingCredentialError, match=r"cannot be read: it is UTF-16"):
        AzureIdentity(made).token("scope")


async def test_a_rejected_token_is_fetched_again_once():
    async with RecordingServer() as server:
        server.answer(token("old"), Answer.json({"statusCode": 401, "message": "expired"}, status=401))
        server.answer(token("new"), Answer.json(CHAT))
        async with Mesh.from_config(config(server)) as mesh:
            reply = await mesh.chat("az:chat-prod", "Hi")
        assert reply.text == "Hi"
        assert [r.headers.get("authorization") for r in server.requests] == [
            None,
            "Bearer old",
            None,
            "Bearer new",
        ]


async def test_a_token_is_renewed_before_it_ends():
    async with RecordingServer() as server:
        server.answer(token("short", 30), Answer.json(CHAT), token("next"), Answer.json(CHAT))
        async with Mesh.from_config(config(server)) as mesh:
            await mesh.chat("az:chat-prod", "Hi")
            await mesh.chat("az:chat-prod", "Hi")
        assert server.requests[-1].headers["authorization"] == "Bearer next"


async def test_a_rejected_secret_is_reported_and_not_shown():
    refusal = {
        "error": "invalid_client",
        "error_description": "AADSTS7000215: Invalid client secret provided.",
    }
    async with RecordingServer() as server:
        server.answer(Answer.json(refusal, status=401))
        async with Mesh.from_config(config(server)) as mesh:
            with pytest.raises(AuthenticationError, match="AADSTS7000215") as told:
                await mesh.chat("az:chat-prod", "Hi")
    assert "s3cret" not in repr(told.value)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer.json({"error": "temporarily_unavailable"}, status=503), ServerError),
        (Answer.json(["no object"]), AuthenticationError),
        (Answer.json({"token_type": "Bearer"}), AuthenticationError),
        (Answer(status=400, headers={"content-type": "text/html"}, chunks=(b"<html>",)), AuthenticationError),
    ],
)
async def test_an_authority_that_returns_no_token_is_an_error(answer, kind):
    async with RecordingServer() as server:
        server.answer(answer)
        async with Mesh.from_config(config(server)) as mesh:
            with pytest.raises(kind):
                await mesh.chat("az:chat-prod", "Hi")


async def test_a_redirect_is_not_followed_with_the_secret():
    async with RecordingServer() as server, RecordingServer() as other:
        server.answer(Answer(status=302, headers={"Location": f"{other.url}/token"}))
        async with Mesh.from_config(config(server)) as mesh:
            with pytest.raises(AuthenticationError, match="status 302"):
                await mesh.chat("az:chat-prod", "Hi")
        assert other.requests == []


def test_an_unreachable_authority_is_a_failed_connection():
    settings = AzureCredentials(
        tenant_id="t", client_id="c", client_secret=Secret("s"), authority="http://127.0.0.1:9"
    )
    with pytest.raises(ConnectionFailedError):
        AzureIdentity(settings).token("scope")


@pytest.mark.parametrize("said", [b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}"])
async def test_an_authority_whose_response_is_empty_or_cut_is_a_failed_connection(said):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        settings = AzureCredentials(
            tenant_id="t", client_id="c", client_secret=Secret("s"), authority=address
        )
        with pytest.raises(ConnectionFailedError):
            await asyncio.to_thread(AzureIdentity(settings).token, "scope")


async def test_a_federated_token_is_read_again_for_each_token(tmp_path):
    path = tmp_path / "federated"
    path.write_text("first\n")
    async with RecordingServer() as server:
        server.answer(token("a", 30), Answer.json(CHAT), token("b"), Answer.json(CHAT))
        made = config(
            server, tenant_id="t", client_id="c", federated_token_file=str(path), scope="api://x/.default"
        )
        async with Mesh.from_config(made) as mesh:
            await mesh.chat("az:chat-prod", "Hi")
            path.write_text("second\n")
            await mesh.chat("az:chat-prod", "Hi")
        forms = [parse_qs(r.body.decode()) for r in server.requests if "oauth2" in r.path_qs]
    assert [form["client_assertion"] for form in forms] == [["first"], ["second"]]
    assert forms[0]["scope"] == ["api://x/.default"]
    assert forms[0]["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]


def test_a_missing_federated_token_is_a_missing_credential(tmp_path):
    settings = AzureCredentials(tenant_id="t", client_id="c", federated_token_file=tmp_path / "no")
    with pytest.raises(MissingCredentialError, match="cannot be read"):
        AzureIdentity(settings).token("scope")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"client_secret": Secret("s")}, "tenant_id and client_id"),
        ({"client_secret": Secret("s"), "token": Secret("t")}, "more than one"),
        ({"authority": "login.microsoftonline.com"}, "https://"),
        ({"authority": "http://login.example"}, "https://"),
    ],
)
def test_an_unusable_identity_is_refused_with_a_reason(written, why):
    with pytest.raises(ConfigurationError, match=why):
        AzureCredentials(**written)


def test_the_entry_point_names_the_kind():
    assert AZURE.settings is AzureCredentials
    assert isinstance(AZURE.factory(AzureCredentials()), AzureIdentity)


# -- azure-identity ------------------------------------------------------------------------------------------------


class FakeCredential:
    """Replaces `DefaultAzureCredential`."""

    made = []

    def __init__(self, **options):
        self.options = options
        self.closed = False
        FakeCredential.made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True

    def get_token(self, *scopes, tenant_id=None):
        self.asked = (scopes, tenant_id, threading.current_thread() is threading.main_thread())
        return SimpleNamespace(token="from-azure", expires_on=int(time.time()) + 3600)


async def test_azure_identity_is_asked_in_a_thread_and_closed(monkeypatch):
    identity = pytest.importorskip("azure.identity", reason="the extra `identity` is not installed")
    monkeypatch.setattr(identity, "DefaultAzureCredential", FakeCredential)
    FakeCredential.made.clear()
    async with RecordingServer() as server:
        server.route("*", "*", Answer.json(CHAT))
        made = config(server, client_id="managed")
        made["credentials"]["entra"].pop("authority")
        async with Mesh.from_config(made) as mesh:
            await mesh.chat("az:chat-prod", "Hi")
        assert server.requests[-1].headers["authorization"] == "Bearer from-azure"
    (credential,) = FakeCredential.made
    assert credential.asked == (("https://ai.azure.com/.default",), None, False)
    assert credential.options["managed_identity_client_id"] == "managed"
    assert credential.closed


def test_azure_identity_uses_the_connections_proxy_but_not_for_managed_identities(monkeypatch):
    identity = pytest.importorskip("azure.identity", reason="the extra `identity` is not installed")
    from requests.utils import select_proxy

    monkeypatch.setattr(identity, "DefaultAzureCredential", FakeCredential)
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:41741/msi/token")
    made = AzureIdentity(AzureCredentials()).auth(
        Audience.RESOURCE, "https://x.openai.azure.us", proxy="http://proxy.example:3128", ca_bundle="/ca.pem"
    )
    assert made.fetch().value == "from-azure"
    credential = FakeCredential.made[-1]
    assert credential.asked[0] == ("https://cognitiveservices.azure.us/.default",)
    assert credential.options["connection_verify"] == "/ca.pem"
    proxies = credential.options["proxies"]
    assert select_proxy("https://login.microsoftonline.com/x", proxies) == "http://proxy.example:3128"
    assert not select_proxy("http://169.254.169.254/metadata/identity/oauth2/token", proxies)
    assert not select_proxy("http://127.0.0.1:41741/msi/token", proxies)


async def test_a_managed_identity_is_asked_without_a_proxy(monkeypatch):
    pytest.importorskip("azure.identity", reason="the extra `identity` is not installed")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with RecordingServer() as server:
        answer = {
            "access_token": "managed",
            "expires_in": 3600,
            "expires_on": int(time.time()) + 3600,
            "resource": "r",
        }
        server.route("*", "*", Answer.json(answer))
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "h")
        found = await asyncio.to_thread(
            AzureIdentity(AzureCredentials()).token,
            "https://ai.azure.com/.default",
            proxy="http://127.0.0.1:9",
        )
    assert found.value == "managed"


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "azure.identity", None)
    with pytest.raises(MissingCredentialError, match=r"azure-openai\[identity\]"):
        AzureIdentity(AzureCredentials()).token("scope")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("CredentialUnavailableError", MissingCredentialError),
        ("ClientAuthenticationError", AuthenticationError),
    ],
)
def test_exceptions_of_azure_identity_become_errors(fault, kind, monkeypatch):
    identity = pytest.importorskip("azure.identity", reason="the extra `identity` is not installed")
    import azure.core.exceptions as core

    raised = getattr(identity, fault, None) or getattr(core, fault)

    class Refused(FakeCredential):
        def get_token(self, *_, tenant_id=None):
            raise raised(message="no")

    monkeypatch.setattr(identity, "DefaultAzureCredential", Refused)
    with pytest.raises(kind, match="no"):
        AzureIdentity(AzureCredentials()).token("scope")


def test_a_token_of_the_environment_is_sent_unchanged(monkeypatch):
    claims = base64.urlsafe_b64encode(json.dumps({"aud": "x"}).encode()).decode()
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", f"h.{claims}.s")
    settings = AzureCredentials(token=Secret.parse("env:AZURE_OPENAI_AD_TOKEN"))
    assert AzureIdentity(settings).token("scope").value == f"h.{claims}.s"


def test_connections_of_one_scope_share_a_token(monkeypatch):
    from jackfield.plugin import Token

    asked = []

    def request(self, scope, proxy, ca_bundle):
        asked.append(scope)
        return Token(f"t{len(asked)}", None)

    monkeypatch.setattr(AzureIdentity, "_request_token", request)
    identity = AzureIdentity(AzureCredentials(tenant_id="t", client_id="c", client_secret=Secret("s")))
    audience = next(iter(Audience))
    one, two = (identity.auth(audience, f"https://{name}.openai.azure.com").fetch for name in ("a", "b"))
    assert (one().value, two().value) == ("t1", "t1")
    assert one().value == "t2"  # the first one was refused or ends soon
    assert two().value == "t2"
    assert len(asked) == 2
