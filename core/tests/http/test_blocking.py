"""Requests without a transport: what is sent, what is returned, and what is an error."""

from __future__ import annotations

import asyncio

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


def test_an_address_with_another_scheme_is_refused(tmp_path):
    path = tmp_path / "secret"
    path.write_text("secret")
    with pytest.raises(ConfigurationError, match="must begin with https://"):
        fetch_blocking(path.as_uri(), sender="the service", method="GET")
