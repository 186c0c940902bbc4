"""Failures of the way to a service: which are worth another try, and addresses in every script."""

import asyncio
import shutil
import ssl
import subprocess

import pytest
from plain_provider import mesh_for

from jackfield import ConfigurationError, ConnectionFailedError, JackfieldError
from jackfield._contract.addresses import address_fault
from jackfield._http.transport import HttpTransport
from jackfield.plugin import HttpAccess, Wire
from jackfield.testing import Answer


async def failure_at(url):
    """Return the error of one call to an address."""
    async with mesh_for(url, retry={"attempts": 1}) as mesh:
        with pytest.raises(JackfieldError) as caught:
            await mesh.chat("c:m", "hi")
    return caught.value


async def serve(said, context=None):
    async def answer(reader, writer):
        if said:
            await reader.read(100)
            writer.write(said)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    return server, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 abc\r\n\r\n"])
async def test_what_does_not_speak_http_is_not_asked_again(said):
    server, port = await serve(said)
    async with server:
        error = await failure_at(f"http://127.0.0.1:{port}")
    assert isinstance(error, ConnectionFailedError)
    assert not error.is_retryable
    assert "not valid HTTP" in error.message
    assert "\n" not in error.message


async def test_a_connection_that_breaks_may_work_the_next_time():
    server, port = await serve(b"")
    async with server:
        error = await failure_at(f"http://127.0.0.1:{port}")
    assert isinstance(error, ConnectionFailedError)
    assert error.is_retryable


async def test_a_server_without_tls_is_not_asked_again():
    server, port = await serve(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    async with server:
        error = await failure_at(f"https://127.0.0.1:{port}")
    assert isinstance(error, ConnectionFailedError)
    assert not error.is_retryable
    assert "does not speak TLS" in error.message


@pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the program openssl is not here to make a certificate"
)
async def test_a_certificate_that_is_not_accepted_is_not_asked_again(tmp_path):
    made, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-days", "1", "-nodes", "-newkey", "rsa:2048"]
    subprocess.run(
        ["openssl", "req", "-x509", *subject, "-keyout", key, "-out", made], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    server, port = await serve(b"", context)
    async with server:
        error = await failure_at(f"https://127.0.0.1:{port}")
    assert isinstance(error, ConnectionFailedError)
    assert not error.is_retryable
    assert "its certificate is not accepted" in error.message


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("http://bücher.example/v1", "http://xn--bcher-kva.example/v1/x"),
        ("http://例え.example:8080", "http://xn--r8jz45g.example:8080/x"),
        ("http://plain.example", "http://plain.example/x"),
    ],
)
async def test_a_host_may_have_letters_of_any_script(written, sent):
    transport = HttpTransport(HttpAccess(base_url=written))
    url, _ = transport._find_route(transport.address(Wire("x")))
    assert str(url) == sent or url.raw_host in sent
    assert url.raw_host.isascii()


async def test_a_host_of_another_script_is_reached_through_a_proxy(server):
    server.answer(Answer.text("ok"))
    transport = HttpTransport(HttpAccess(base_url="http://bücher.example"), proxy=server.url)
    await transport.open()
    try:
        async with transport.exchange(Wire("x", {"a": 1})) as exchange:
            assert exchange.head.status == 200
    finally:
        await transport.aclose()
    assert server.requests[-1].headers["host"] == "xn--bcher-kva.example"


@pytest.mark.parametrize("address", ["http://x..example/v1", f"https://{'a' * 64}.example"])
def test_a_host_that_cannot_be_is_a_mistake_of_the_configuration(address):
    assert "cannot be" in address_fault(address)
    with pytest.raises(ConfigurationError, match="cannot be"):
        mesh_for(address)


@pytest.mark.parametrize(
    "address", ["http://a.example.", "https://[::1]:1/v1", f"https://{'a' * 63}.example"]
)
def test_hosts_that_can_be(address):
    assert address_fault(address) is None
