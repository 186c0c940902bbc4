"""Requests without a transport: what is sent, what is returned, and what is an error."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess

import pytest

from jackfield import ConfigurationError, ConnectionFailedError, MalformedResponseError
from jackfield.http import fetch_blocking
from jackfield.testing import Answer, RecordingServer


async def fetch(url, **options):
    return await asyncio.to_thread(fetch_blocking, url, sender="the service", **options)


async def test_a_request_and_its_response():
    async with RecordingServer() as server:
        server.answer(Answer.text("good", headers={"x-id": "1"}))
        status, headers, body = await fetch(f"{server.url}/token", body=b"a=1", headers={"x-own": "yes"})
        (request,) = server.requests
    assert (status, headers["x-id"], body) == (200, "1", b"good")
    assert (request.method, request.path_qs, request.body) == ("POST", "/token", b"a=1")
    assert request.headers["x-own"] == "yes"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("status", [200, 404])
async def test_the_case_of_header_names_does_not_count(status):
    async with RecordingServer() as server:
        server.answer(Answer.text("good", status=status, headers={"Metadata-Flavor": "Google"}))
        _, headers, _ = await fetch(server.url)
    assert headers["metadata-flavor"] == headers["METADATA-FLAVOR"] == "Google"
    assert "Content-Type" in headers
    assert "content-type" in headers
    assert dict(headers)["Metadata-Flavor"] == "Google"


METADATA = [
    "169.254.169.254", "169.254.170.2", "metadata.google.internal", "Metadata.Google.Internal.", "[fd00:ec2::254]",
    "[fe80::1]", "168.63.129.16",
]  # fmt: skip


@pytest.mark.parametrize("host", METADATA)
@pytest.mark.parametrize("is_declared", [True, False])
async def test_a_link_local_address_is_never_reached_by_a_proxy(host, is_declared, monkeypatch):
    asked = []
    async with RecordingServer() as server, RecordingServer() as proxy:
        connect = socket.create_connection

        def connect_here(address, *args, **kwargs):
            asked.append(address[0])
            reached = proxy if address[0] == "127.0.0.1" else server
            return connect(("127.0.0.1", int(reached.url.rpartition(":")[2])), *args, **kwargs)

        monkeypatch.setattr("socket.create_connection", connect_here)
        monkeypatch.setenv("http_proxy", proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        server.answer(Answer.text("by itself"))
        proxy.answer(Answer.text("by proxy"))
        declared = {"proxy": proxy.url} if is_declared else {}
        _, _, body = await fetch(f"http://{host}/latest", method="GET", **declared)
    assert body == b"by itself"
    assert asked == [host.strip("[]")]


async def test_a_request_may_avoid_every_proxy(monkeypatch):
    async with RecordingServer() as server:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.delenv("no_proxy", raising=False)
        server.answer(Answer.text("good"), Answer.text("good"))
        for proxy in (None, "http://127.0.0.1:9"):
            _, _, body = await fetch(server.url, proxy=proxy, direct=True)
            assert body == b"good"


async def test_a_client_certificate_is_sent(certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate)
    context.load_cert_chain(certificate)
    context.verify_mode = ssl.CERT_REQUIRED

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        subject = writer.get_extra_info("peercert")["subject"][0][0][1].encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(subject), subject))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        _, _, body = await fetch(address, ca_bundle=certificate, client_certificate=certificate)
        assert body == b"127.0.0.1"
        with pytest.raises(ConnectionFailedError):
            await fetch(address, ca_bundle=certificate)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 and its key in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl is not here to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "certificate.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", key, "-out", made], check=True, capture_output=True)
    made.write_text(made.read_text("utf-8") + key.read_text("utf-8"), "utf-8")
    return str(made)


async def test_a_redirect_is_returned_and_not_followed():
    async with RecordingServer() as server, RecordingServer() as other:
        server.answer(Answer(status=307, headers={"location": f"{other.url}/token"}))
        status, headers, _ = await fetch(server.url, body=b"secret")
        assert (status, headers["location"]) == (307, f"{other.url}/token")
        assert other.requests == []


async def test_a_refusal_is_returned_with_the_beginning_of_its_body():
    async with RecordingServer() as server:
        server.answer(Answer.text("x" * (1 << 18), status=401))
        status, _, body = await fetch(server.url)
    assert (status, len(body)) == (401, 1 << 16)


async def test_an_answer_of_more_than_a_mebibyte_is_malformed():
    async with RecordingServer() as server:
        server.answer(Answer.text("x" * (2 << 20)))
        with pytest.raises(MalformedResponseError, match="the service is longer than 1 MiB"):
            await fetch(server.url)


@pytest.mark.parametrize("status", [200, 401])
async def test_a_body_that_is_cut_is_a_failed_connection(status):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n99\r\n{" % status)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ConnectionFailedError, match="the service"):
            await fetch(address, method="GET")


async def test_a_service_that_cannot_be_reached_is_a_failed_connection():
    with pytest.raises(ConnectionFailedError, match="the service cannot be reached"):
        await fetch("http://127.0.0.1:9")


async def test_certificate_authorities_that_are_missing_are_a_failed_connection(tmp_path):
    with pytest.raises(ConnectionFailedError, match="No such file"):
        await fetch("https://127.0.0.1:9", ca_bundle=str(tmp_path / "missing.pem"))


async def test_a_proxy_receives_the_request():
    async with RecordingServer() as proxy:
        proxy.answer(Answer.text("by proxy"))
        _, _, body = await fetch("http://token.example.invalid/token", proxy=proxy.url)
        (request,) = proxy.requests
    assert body == b"by proxy"
    assert request.headers["host"] == "token.example.invalid"


def test_an_address_that_is_not_valid_is_refused():
    with pytest.raises(ConfigurationError, match="the address of the service is not valid"):
        fetch_blocking("http://[::1/token", sender="the service")


def test_an_address_with_another_scheme_is_refused(tmp_path):
    path = tmp_path / "secret"
    path.write_text("secret")
    with pytest.raises(ConfigurationError, match="must begin with https://"):
        fetch_blocking(path.as_uri(), sender="the service", method="GET")
