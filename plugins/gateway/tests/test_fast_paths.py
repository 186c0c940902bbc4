"""The fast paths of the gateway do what aiohttp.web's general ones do."""

import asyncio
import re

import pytest
from aiohttp import web
from gateway_running import running

from jackfield_gateway import _answers
from jackfield_gateway._keys import hash_key

KEY = "jf-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
ALICE = {"alice": {"hash": hash_key(KEY), "owner": "org/alice"}}
BODY = b'{"model":"best","messages":[{"role":"user","content":"hi"}],"max_tokens":50}'


def request(*more, version="1.1", path="/v1/chat/completions"):
    lines = [f"POST {path} HTTP/{version}", "host: here", f"authorization: Bearer {KEY}", "x-request-id: r-1"]
    return "\r\n".join([*lines, f"content-length: {len(BODY)}", *more, "", ""]).encode() + BODY


async def talk(url, *requests):
    """Send requests on one connection, and return the heads and bodies of the answers, and whether it was closed."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answers = []
    for one in requests:
        writer.write(one)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        headers.pop("date")
        answers.append((status, headers, re.sub(rb'"(id|created)":("[^"]*"|[0-9]+)', b"", body)))
    try:
        closed = await asyncio.wait_for(reader.read(1), 0.05) == b""
    except TimeoutError:
        closed = False
    writer.close()
    return answers, closed


@pytest.mark.parametrize(
    "requests",
    [
        [request()],
        [request(), request()],
        [request("connection: close")],
        [request(version="1.0")],
        [request("connection: keep-alive", version="1.0")],
        [request(path="/v1/chat/completions?beta=true")],
    ],
)
async def test_a_whole_answer_is_written_as_aiohttp_writes_it(requests, monkeypatch):
    seen = []
    for general in (False, True):
        if general:
            monkeypatch.setattr(
                _answers,
                "WholeAnswer",
                lambda status, headers, body: web.Response(status=status, headers=headers, body=body),
            )
        async with running(keys=ALICE) as gateway:
            gateway.fake.script(*["Hello!"] * len(requests))
            seen.append(await talk(gateway.url, *requests))
    assert seen[0] == seen[1]


async def test_a_header_with_a_line_end_is_never_sent():
    answer = _answers.WholeAnswer(200, {"content-type": "text/plain", "x": "a\r\nset-cookie: b"}, b"x")

    class Request:
        keep_alive = True

    with pytest.raises(ValueError, match="line end"):
        await answer.prepare(Request())


async def test_requests_of_surfaces_take_no_route_and_all_else_does(monkeypatch):
    resolved = []
    real = web.UrlDispatcher.resolve

    async def resolve(self, request):
        resolved.append(request.path)
        return await real(self, request)

    monkeypatch.setattr(web.UrlDispatcher, "resolve", resolve)
    async with running(keys=ALICE) as gateway:
        await talk(gateway.url, request(), request(path="/v1/messages"))
        assert resolved == []
        await talk(gateway.url, request(path="/v1/nothing"), request(path="/v1/explain"))
        assert resolved == ["/v1/nothing", "/v1/explain"]
    async with running() as gateway:  # open: where a request comes from is looked at
        await talk(gateway.url, request())
    assert resolved[2:] == ["/v1/chat/completions"]
