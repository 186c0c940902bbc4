"""The identity of Google's own machines: the metadata server, as google-auth asks it through our transport."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess

import pytest

from jackfield import Mesh
from jackfield.testing import Answer, RecordingServer
from jackfield_vertex._tokens import _Transport

TOKEN = {"access_token": "from-metadata", "expires_in": 3000, "token_type": "Bearer"}
ACCOUNT = {"aliases": ["default"], "email": "a@p.iam.gserviceaccount.com", "scopes": ["x"]}
CHAT = {"candidates": [{"content": {"parts": [{"text": "Hi."}]}, "finishReason": "STOP"}]}
FLAVOR = {"Metadata-Flavor": "Google"}


@pytest.fixture
def metadata(service, monkeypatch):
    """The metadata server, at the address that the environment names."""
    from google.auth.compute_engine import _metadata

    host = service.url.removeprefix("http://")
    for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP"):
        monkeypatch.setenv(name, host)
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", host)  # read when it is imported
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    service.route("GET", "/", Answer.text("computeMetadata/\n", headers=FLAVOR))
    account = "/computeMetadata/v1/instance/service-accounts/default"
    service.route("GET", f"{account}/?recursive=true", Answer.json(ACCOUNT, headers=FLAVOR))
    scope = "?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform"
    service.route("GET", f"{account}/token{scope}", Answer.json(TOKEN, headers=FLAVOR))
    service.route("GET", "/computeMetadata/v1/project/project-id", Answer.text("my-project", headers=FLAVOR))
    return service


@pytest.mark.parametrize("is_proxied", [False, True])
async def test_the_identity_of_the_machine_is_found_without_a_proxy(metadata, is_proxied, monkeypatch):
    async with RecordingServer() as vertex:
        vertex.route("*", "*", Answer.json(CHAT))
        connection = {"provider": "vertex", "project": "p", "base_url": vertex.url, "retry": {"attempts": 1}}
        if is_proxied:
            connection |= {"base_url": "http://vertex.invalid", "proxy": vertex.url}
            monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        async with Mesh.from_config({"connections": {"g": connection}}) as mesh:
            assert (await mesh.chat("g:gemini-2.5-flash", "Hi")).text == "Hi."
        (call,) = vertex.requests
    assert call.headers["authorization"] == "Bearer from-metadata"


async def test_a_machine_that_is_recognised_gets_its_token(metadata):
    from google.auth.compute_engine import _metadata

    scope = "https://www.googleapis.com/auth/cloud-platform"
    token, _ = await asyncio.to_thread(
        _metadata.get_service_account_token, _Transport(None, None), scopes=[scope]
    )
    assert token == "from-metadata"


@pytest.fixture
def certificates(tmp_path, monkeypatch):
    """The files of the machine's certificates, of which each is the other's authority."""
    from google.auth.compute_engine import _mtls

    if shutil.which("openssl") is None:
        pytest.skip("the program openssl is not here to make a certificate")
    root, key = tmp_path / "root.crt", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", key, "-out", root], check=True, capture_output=True)
    client = tmp_path / "client.key"
    client.write_text(root.read_text("utf-8") + key.read_text("utf-8"), "utf-8")
    made = _mtls.MdsMtlsConfig(root, client)
    monkeypatch.setattr(_mtls, "MdsMtlsConfig", lambda: made)
    return made


async def test_https_is_proved_with_the_certificates_of_the_machine(certificates, monkeypatch):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.ca_cert_path)
    context.load_cert_chain(certificates.client_combined_cert_path)
    context.verify_mode = ssl.CERT_REQUIRED

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        monkeypatch.setenv("GCE_METADATA_HOST", host)
        answer = await asyncio.to_thread(_Transport("http://127.0.0.1:9", None), f"https://{host}/x")
    assert (answer.status, answer.data, answer.headers["metadata-flavor"]) == (200, b"ok", "Google")


@pytest.mark.parametrize("mode", ["default", "strict"])
async def test_only_the_mode_strict_demands_https(certificates, mode, monkeypatch):
    from google.auth import exceptions

    async def serve(reader, writer):
        if await reader.read(1) == b"G":  # and nothing for TLS
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    monkeypatch.setenv("GCE_METADATA_MTLS_MODE", mode)
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        monkeypatch.setenv("GCE_METADATA_HOST", host)
        asked = asyncio.to_thread(_Transport(None, None), f"https://{host}/x")
        if mode == "default":
            assert (await asked).data == b"ok"
        else:
            with pytest.raises(exceptions.TransportError):
                await asked
