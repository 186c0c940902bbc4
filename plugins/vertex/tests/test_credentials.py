"""The Google identity: every way to a token, against a loopback token endpoint."""

import asyncio
import json
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from jackfield import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    MalformedResponseError,
    Mesh,
    MissingCredentialError,
    Secret,
)
from jackfield.plugin import Bearer, StaticHeader
from jackfield.testing import Answer, RecordingServer
from jackfield_vertex import GoogleCredentials, GoogleIdentity, VertexSettings
from jackfield_vertex._settings import access, host

CHAT = {"candidates": [{"content": {"parts": [{"text": "Hi."}]}, "finishReason": "STOP"}]}
TOKEN = {"access_token": "ya29.made-up-token", "expires_in": 3600, "token_type": "Bearer"}


@pytest.fixture(scope="module")
def key():
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def config(service, credentials, **more):
    connection = {
        "provider": "vertex", "credentials": "g", "project": "my-project", "base_url": service.url,
        "retry": {"attempts": 1}, **more,
    }  # fmt: skip
    return {"credentials": {"g": {"kind": "google", **credentials}}, "connections": {"g": connection}}


def account(key, service, **more):
    return json.dumps({
        "type": "service_account", "client_email": "a@my-project.iam.gserviceaccount.com", "private_key": key,
        "private_key_id": "1", "token_uri": f"{service.url}/token", "project_id": "my-project", **more,
    })  # fmt: skip


async def ask(service, credentials, *before):
    service.answer(*before, Answer.json(CHAT))
    async with Mesh.from_config(config(service, credentials)) as mesh:
        reply = await mesh.chat("g:gemini-2.5-flash", "Hi")
    assert reply.text == "Hi."
    return service.requests


async def test_a_service_account_by_file(service, key, tmp_path):
    path = tmp_path / "key.json"
    path.write_text(account(key, service), "utf-8")
    token, call = await ask(service, {"key": f"file:{path}"}, Answer.json(TOKEN))
    assert token.path_qs == "/token"
    assert b"jwt-bearer" in token.body
    assert call.headers["authorization"] == "Bearer ya29.made-up-token"


async def test_a_users_refresh_token(service, monkeypatch):
    monkeypatch.setenv("SECRET", "s3cret")
    monkeypatch.setenv("REFRESH", "1//refresh")
    declared = {
        "client_id": "c", "client_secret": "env:SECRET", "refresh_token": "env:REFRESH",
        "token_url": f"{service.url}/token",
    }  # fmt: skip
    token, call = await ask(service, declared, Answer.json(TOKEN))
    assert b"grant_type=refresh_token" in token.body
    assert call.headers["authorization"] == "Bearer ya29.made-up-token"


async def test_a_ready_token(service, monkeypatch):
    monkeypatch.setenv("READY", "ya29.ready")
    (call,) = await ask(service, {"token": "env:READY"})
    assert call.headers["authorization"] == "Bearer ya29.ready"


async def test_application_default_credentials(service, key, tmp_path, monkeypatch):
    path = tmp_path / "adc.json"
    path.write_text(account(key, service), "utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    _, call = await ask(service, {}, Answer.json(TOKEN))
    assert call.headers["authorization"] == "Bearer ya29.made-up-token"


async def test_a_redirect_does_not_get_the_proof_of_identity(service, key, monkeypatch):
    monkeypatch.setenv("KEY", account(key, service))
    async with RecordingServer() as other:
        moved = Answer(status=302, headers={"Location": f"{other.url}/token"})
        with pytest.raises(AuthenticationError):
            await ask(service, {"key": "env:KEY"}, moved)
        assert other.requests == []


async def test_impersonation(service, key, monkeypatch):
    monkeypatch.setenv("KEY", account(key, service))
    acted = {"accessToken": "ya29.acted-token", "expireTime": "2040-01-01T00:00:00Z"}
    declared = {"key": "env:KEY", "impersonate": "b@other.iam.gserviceaccount.com", "iam_url": service.url}
    _, asked, call = await ask(service, declared, Answer.json(TOKEN), Answer.json(acted))
    assert (
        asked.path_qs == "/v1/projects/-/serviceAccounts/b@other.iam.gserviceaccount.com:generateAccessToken"
    )
    assert call.headers["authorization"] == "Bearer ya29.acted-token"


async def test_an_external_account(service, tmp_path, monkeypatch):
    subject = tmp_path / "subject"
    subject.write_text("an OIDC token", "utf-8")
    info = {
        "type": "external_account", "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": f"{service.url}/sts",
        "credential_source": {"file": str(subject)},
    }  # fmt: skip
    monkeypatch.setenv("KEY", json.dumps(info))
    exchanged = {**TOKEN, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}
    sts, call = await ask(service, {"key": "env:KEY"}, Answer.json(exchanged))
    assert b"an+OIDC+token" in sts.body
    assert call.headers["authorization"] == "Bearer ya29.made-up-token"


async def test_a_missing_credential_is_told_before_anything_is_sent(service, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    for declared in ({}, {"key": "env:NOBODY_SET_THIS"}, {"key": f"file:{tmp_path}/nothing.json"}):
        async with Mesh.from_config(config(service, declared)) as mesh:
            with pytest.raises(MissingCredentialError):
                await mesh.chat("g:gemini-2.5-flash", "Hi")
    assert not service.requests


@pytest.mark.parametrize(
    "text", ["no json", "[]", '{"a": 1}', '{"type": "service_account"}', '{"type": "odd"}']
)
def test_a_key_that_is_none(text):
    with pytest.raises(MissingCredentialError) as caught:
        GoogleIdentity(GoogleCredentials(key=Secret(text))).fetch()
    assert text not in str(caught.value)


async def test_a_refused_identity(service, key, monkeypatch):
    monkeypatch.setenv("KEY", account(key, service))
    refused = {
        "error": "invalid_grant",
        "error_description": "Invalid JWT: Token must be a short-lived token",
    }
    service.answer(Answer.json(refused, 400))
    async with Mesh.from_config(config(service, {"key": "env:KEY"})) as mesh:
        with pytest.raises(AuthenticationError, match="clock"):
            await mesh.chat("g:gemini-2.5-flash", "Hi")
    assert "PRIVATE" not in str(mesh)


async def test_an_endless_answer_is_not_read_for_a_token(service, key, monkeypatch):
    monkeypatch.setenv("KEY", account(key, service))
    service.answer(Answer.json({**TOKEN, "more": "x" * (2 << 20)}))
    async with Mesh.from_config(config(service, {"key": "env:KEY"})) as mesh:
        with pytest.raises(MalformedResponseError, match="/token is longer than 1 MiB"):
            await mesh.chat("g:gemini-2.5-flash", "Hi")


def test_a_token_endpoint_that_is_not_there(key):
    info = {"url": "http://127.0.0.1:9"}

    class Nowhere:
        url = info["url"]

    with pytest.raises(ConnectionFailedError):
        GoogleIdentity(GoogleCredentials(key=Secret(account(key, Nowhere)))).fetch()


@pytest.mark.parametrize("said", [b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}"])
async def test_a_token_endpoint_whose_answer_is_none_or_cut(key, said):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:

        class There:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        identity = GoogleIdentity(GoogleCredentials(key=Secret(account(key, There))))
        with pytest.raises(ConnectionFailedError):
            await asyncio.to_thread(identity.fetch)


async def test_a_token_that_ended_is_fetched_anew(service, key, monkeypatch):
    monkeypatch.setenv("KEY", account(key, service))
    ended = {"error": {"code": 401, "message": "expired", "status": "UNAUTHENTICATED"}}
    later = {**TOKEN, "access_token": "ya29.second-token"}
    requests = await ask(
        service, {"key": "env:KEY"}, Answer.json(TOKEN), Answer.json(ended, 401), Answer.json(later)
    )
    assert [r.path_qs == "/token" for r in requests] == [True, False, True, False]
    assert requests[-1].headers["authorization"] == "Bearer ya29.second-token"


def test_a_token_knows_its_end(key):
    """The end is in seconds since the epoch, whatever the machine's time zone is."""

    async def fetched():
        async with RecordingServer() as server:
            server.answer(Answer.json(TOKEN))
            identity = GoogleIdentity(GoogleCredentials(key=Secret(account(key, server))))
            return await asyncio.to_thread(identity.fetch)

    import asyncio

    token = asyncio.run(fetched())
    assert 3000 < token.expires_at - time.time() < 3700


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({"location": "europe-west4"}, "https://europe-west4-aiplatform.googleapis.com"),
        ({"location": "global"}, "https://aiplatform.googleapis.com"),
        ({"location": "eu"}, "https://aiplatform.eu.rep.googleapis.com"),
        ({"api_key": Secret("k"), "location": "us"}, "https://aiplatform.googleapis.com"),
    ],
)
def test_hosts(settings, address):
    assert host(VertexSettings(project="p", **settings)) == address


def test_access():
    keyed = access(VertexSettings(api_key=Secret("k"), quota_project="q", base_url="http://127.0.0.1:1/"))
    assert isinstance(keyed.auth, StaticHeader)
    assert (keyed.auth.name, keyed.base_url) == ("x-goog-api-key", "http://127.0.0.1:1")
    assert keyed.headers == {"x-goog-user-project": "q"}
    assert isinstance(access(VertexSettings(project="p")).auth, Bearer)


def test_what_cannot_work_is_refused_at_load(monkeypatch):
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    with pytest.raises(ConfigurationError, match="project is missing"):
        VertexSettings()
    with pytest.raises(ConfigurationError, match="location"):
        VertexSettings(project="p", location="Europe West")
    with pytest.raises(ConfigurationError, match="project must"):
        VertexSettings(project="a/b")
    identity = GoogleIdentity(GoogleCredentials())
    with pytest.raises(ConfigurationError, match="two identities"):
        VertexSettings(project="p", api_key=Secret("k"), credentials=identity)
    with pytest.raises(ConfigurationError, match="several"):
        GoogleCredentials(key=Secret("a"), token=Secret("b"))
    with pytest.raises(ConfigurationError, match="client_id"):
        GoogleCredentials(refresh_token=Secret("a"))
    with pytest.raises(ConfigurationError, match="impersonate"):
        GoogleCredentials(token=Secret("a"), impersonate="b@c")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "from-env")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "us")
    assert VertexSettings().prefix == "/v1/projects/from-env/locations/us"
