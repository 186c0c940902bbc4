"""Ways to a service beside one request over HTTP: transports that a wire names, and WebSockets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from jackfield import ConfigurationError, ConnectionFailedError, Secret
from jackfield.http import HttpTransport
from jackfield.plugin import Exchange, HttpAccess, Wire
from jackfield.testing import Answer, RecordingServer


class Twice:
    """Sends each wire twice, and notes what becomes of itself."""

    def __init__(self, http, noted):
        self.http, self.noted = http, noted

    async def open(self):
        await asyncio.sleep(0)
        self.noted.append("open")

    @asynccontextmanager
    async def exchange(self, wire):
        for _ in range(2):
            async with self.http.exchange(Wire(wire.path, wire.body)) as exchange:
                body = [frame.data async for frames in exchange.frames for frame in frames]
        yield Exchange.whole(b"+".join(body))

    async def aclose(self):
        async with self.http.exchange(Wire("/bye", {})) as exchange:
            self.noted.append(exchange.head.status)


def transport_to(url, noted=None, **keys):
    ways = {"twice": lambda http: Twice(http, noted)}
    key = HttpAccess.with_bearer(url, Secret("sk-made-up")).auth
    return HttpTransport(HttpAccess(base_url=url, auth=key, named_transports=ways), **keys)


async def body_of(transport, wire):
    async with transport.exchange(wire) as exchange:
        return b"".join([frame.data async for frames in exchange.frames for frame in frames])


async def test_a_wire_is_carried_by_the_transport_that_it_names():
    noted = []
    async with RecordingServer() as server:
        server.route("POST", "*", Answer.json({}))
        transport = transport_to(server.url, noted)
        await transport.open()
        assert noted == []  # made when it is needed
        await asyncio.gather(*(body_of(transport, Wire("/a", {}, transport="twice")) for _ in range(3)))
        assert await body_of(transport, Wire("/b", {})) == b"{}"
        assert [request.path for request in server.requests].count("/a") == 6
        assert {request.headers["authorization"] for request in server.requests} == {"Bearer sk-made-up"}
        await transport.aclose()
        await transport.aclose()
        assert noted.count(200) == 1  # closed once, while the transport below it was open


@asynccontextmanager
async def sockets(answer):
    asked = []

    async def handle(request):
        asked.append(request)
        found = await answer(request)
        return found

    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data * 2)
    return socket


async def test_a_websocket_has_the_headers_of_a_request():
    async with sockets(echo) as (url, asked):
        transport = transport_to(f"{url}/v1?key=1", headers={"X-Team": "a"})
        await transport.open()
        head, socket = await transport.connect_websocket(Wire("/live", {"a": 1}, query={"b": "2"}))
        assert head.headers["Upgrade"] == "websocket"
        await socket.send_str("ab")
        assert (await socket.receive()).data == "abab"
        (request,) = asked
        assert (request.method, request.path_qs) == ("GET", "/v1/live?key=1&b=2")
        assert (request.headers["Authorization"], request.headers["X-Team"]) == ("Bearer sk-made-up", "a")
        assert "Content-Type" not in request.headers
        await socket.close()
        await transport.aclose()
        with pytest.raises(ConfigurationError, match="closed"):
            await transport.connect_websocket(Wire("/live"))


@pytest.mark.parametrize("status", [200, 302, 401, 426, 503])
async def test_an_answer_that_is_no_websocket_is_its_head(status):
    async def refuse(request):
        return web.Response(status=status, headers={"Location": "/elsewhere", "X-Why": "no"})

    async with sockets(refuse) as (url, asked):
        transport = transport_to(url)
        await transport.open()
        head, socket = await transport.connect_websocket(Wire("/live"))
        assert (head.status, head.headers["x-why"], socket) == (status, "no", None)
        assert [request.path for request in asked] == ["/live"]  # a redirect is not followed, with its key
        await transport.aclose()


async def test_no_connection_is_an_error_without_the_key():
    transport = transport_to("http://127.0.0.1:9")
    await transport.open()
    with pytest.raises(ConnectionFailedError) as caught:
        await transport.connect_websocket(Wire("/live", query={"key": "sk-made-up"}))
    assert "sk-made-up" not in repr(caught.value) + repr(caught.value.__cause__) + repr(
        caught.value.__context__
    )
    await transport.aclose()
