"""The recording server: what it records, and that every fault it plays reaches a real client as that fault."""

from __future__ import annotations

import asyncio
import datetime as dt
import email.utils
import json

import aiohttp
import pytest
from yarl import URL

from jackfield._http.framers import framer_for
from jackfield.testing._answers import Answer
from jackfield.testing._http_reader import BadRequestError, RequestReader
from jackfield.testing._server import Disconnect, RecordingServer


@pytest.fixture
async def server():
    async with RecordingServer() as server:
        yield server


@pytest.fixture
async def client(server):
    async with aiohttp.ClientSession(server.url) as session:
        yield session


async def get(client, path="/"):
    async with client.get(path) as response:
        return response.status, await response.read()


async def chunks_until_error(response):
    """What a client reads of a body before it breaks, and how it broke."""
    received = b""
    try:
        async for chunk in response.content.iter_any():
            received += chunk
    except (aiohttp.ClientError, OSError) as fault:
        return received, fault
    return received, None


class TestRecording:
    async def test_a_request_is_recorded_as_it_was_sent(self, server):
        server.answer(Answer.json({"ok": True}))
        address = URL(f"{server.url}/model/a%3Ab%2Fc/invoke?x=%20&x=2", encoded=True)
        # Without a base address: an older aiohttp with one takes no whole address.
        async with (
            aiohttp.ClientSession() as client,
            client.post(address, json={"q": "é"}, headers={"X-Two": "1"}) as response,
        ):
            assert response.status == 200
            assert await response.json() == {"ok": True}
        (request,) = server.requests
        assert request.method == "POST"
        assert request.path_qs == "/model/a%3Ab%2Fc/invoke?x=%20&x=2"
        assert (request.path, request.query) == ("/model/a%3Ab%2Fc/invoke", "x=%20&x=2")
        assert request.headers["x-two"] == request.headers["X-TWO"] == "1"
        assert request.json == {"q": "é"}
        assert json.loads(request.body) == {"q": "é"}

    async def test_a_chunked_request_body_is_put_together(self, server, client):
        async def body():
            yield b"ab"
            yield b"c" * 100_000

        server.answer(Answer.text("thanks"))
        async with client.post("/", data=body()) as response:
            assert await response.text() == "thanks"
        assert server.requests[0].body == b"ab" + b"c" * 100_000

    async def test_connections_are_kept_and_counted(self, server, client):
        server.route("GET", "/*", Answer.json(1))
        for _ in range(5):
            await get(client)
        assert (server.connections, server.open_connections) == (1, 1)
        assert [request.connection for request in server.requests] == [1] * 5
        await asyncio.gather(*(get(client) for _ in range(5)))
        assert server.connections == 5
        await client.close()
        await server.wait_closed()
        assert server.open_connections == 0
        assert server.disconnects == []

    async def test_an_answer_may_close_its_connection(self, server, client):
        server.answer(Answer(close=True), Answer())
        await get(client)
        await get(client)
        assert server.connections == 2

    async def test_a_client_may_ask_to_close(self, server, client):
        server.answer(Answer.json(1))
        async with client.get("/", headers={"Connection": "close"}) as response:
            await response.read()
        await server.wait_closed()

    async def test_a_head_request_gets_no_body_and_keeps_its_connection(self, server, client):
        server.route("*", "/", Answer.json({"a": 1}))
        async with client.head("/") as response:
            assert response.headers["Content-Length"] == "8"
        assert await get(client) == (200, b'{"a": 1}')
        assert server.connections == 1

    async def test_an_answer_without_content_keeps_its_connection(self, server, client):
        server.answer(Answer(status=204), Answer.text("next"))
        assert await get(client) == (204, b"")
        assert await get(client) == (200, b"next")
        assert server.connections == 1


class TestScripts:
    async def test_the_queue_goes_before_the_routes_and_the_first_route_wins(self, server, client):
        server.answer(Answer.text("queued"))
        server.route("GET", "/a/*", Answer.text("star"))
        server.route("GET", "/a/b", Answer.text("late"))
        server.route("*", "/q?x=*", Answer.text("query"))
        texts = [(await get(client, path))[1] for path in ("/a/b", "/a/b", "/a/c/d?x=1", "/q?x=1")]
        assert texts == [b"queued", b"star", b"star", b"query"]

    async def test_an_unscripted_request_is_told_so(self, server, client):
        server.route("POST", "/a", Answer())
        status, body = await get(client, "/a?b=1")
        assert status == 404
        assert body == b"RecordingServer: no answer is scripted for GET /a?b=1"

    async def test_a_function_may_answer(self, server, client):
        async def later(request):
            await asyncio.sleep(0)
            return Answer.text(f"async {request.path}")

        server.route("GET", "/plain", lambda request: Answer.text(f"plain {request.path}"))
        server.route("GET", "/async", later)
        assert await get(client, "/plain") == (200, b"plain /plain")
        assert await get(client, "/async") == (200, b"async /async")

    async def test_a_function_that_fails_is_a_500_that_names_the_error(self, server, client):
        server.answer(lambda request: {}["missing"])
        status, body = await get(client)
        assert status == 500
        assert b"KeyError('missing')" in body

    async def test_a_client_that_goes_while_a_function_thinks_is_noticed(self, server, client):
        async def forever(request):
            await asyncio.Event().wait()

        server.answer(forever)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(get(client), 0.05)
        assert await server.wait_disconnected() == Disconnect(server.requests[0], 0)


class TestWholeAnswers:
    async def test_html_with_a_good_status(self, server, client):
        server.answer(Answer.html())
        async with client.get("/") as response:
            assert (response.status, response.content_type) == (200, "text/html")
            assert "<h1>" in await response.text()

    async def test_malformed_json_says_it_is_json(self, server, client):
        server.answer(Answer.malformed_json())
        async with client.get("/") as response:
            assert response.content_type == "application/json"
            with pytest.raises(ValueError):
                await response.json()

    @pytest.mark.parametrize(("seconds", "sent"), [(2, "2"), (0.25, "0.25"), (0, "0")])
    async def test_retry_after_in_seconds(self, server, client, seconds, sent):
        server.answer(Answer.retry_after_seconds(seconds))
        async with client.get("/") as response:
            assert (response.status, response.headers["Retry-After"]) == (429, sent)

    async def test_retry_after_as_a_date(self, server, client):
        moment = dt.datetime(2031, 5, 6, 7, 8, 9, tzinfo=dt.timezone(dt.timedelta(hours=2)))
        server.answer(Answer.retry_after_date(moment, 503), Answer.retry_after_date(30))
        async with client.get("/") as response:
            assert (response.status, response.headers["Retry-After"]) == (
                503,
                "Tue, 06 May 2031 05:08:09 GMT",
            )
        async with client.get("/") as response:
            when = email.utils.parsedate_to_datetime(response.headers["Retry-After"])
            assert 25 < (when - dt.datetime.now(dt.UTC)).total_seconds() <= 30

    async def test_overloaded(self, server, client):
        server.answer(Answer.overloaded())
        async with client.get("/") as response:
            assert (response.status, (await response.json())["error"]["type"]) == (529, "overloaded_error")


class TestStreams:
    async def test_events_come_as_chunks_of_their_own(self, server, client):
        server.answer(Answer.sse([{"a": "é"}, ("ping", {}), "plain\ntext", b": raw\n\n"], done=True))
        async with client.get("/") as response:
            assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            body = await response.read()
        assert body.decode() == (
            'data: {"a": "é"}\n\nevent: ping\ndata: {}\n\ndata: plain\ndata: text\n\n: raw\n\ndata: [DONE]\n\n'
        )

    @pytest.mark.parametrize(
        ("answer", "hint", "payloads"),
        [
            (Answer.sse([{"i": 1}, {"i": 2}]), None, [b'{"i": 1}', b'{"i": 2}']),
            (Answer.json_lines([{"i": 1}, 2]), None, [b'{"i": 1}', b"2"]),
            (Answer.json_array([{"i": 1}, {"i": 2}]), "json_array", [b'{"i": 1}', b'{"i": 2}']),
            (Answer.json_array([]), "json_array", []),
            (Answer.aws_eventstream([({":event-type": "x"}, b"1"), ({}, b"2")]), None, [b"1", b"2"]),
        ],
    )
    async def test_streams_are_what_the_framers_read(self, server, client, answer, hint, payloads):
        server.answer(answer)
        async with client.get("/") as response:
            framer = framer_for(response.headers["Content-Type"], hint)
            frames = []
            async for chunk in response.content.iter_any():
                frames += framer.feed(chunk)
            frames += framer.close()
        assert [frame.data for frame in frames] == payloads

    async def test_an_interval_paces_the_chunks(self, server, client):
        server.answer(Answer.sse([1, 2, 3], interval=0.05))
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await get(client)
        assert loop.time() - begun == pytest.approx(0.1)

    async def test_five_hundred_streams_at_once(self, server):
        server.route("GET", "/", Answer.sse(list(range(20)), done=True, interval=0.001))
        async with aiohttp.ClientSession(
            server.url, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(60)
        ) as client:
            bodies = await asyncio.gather(*(get(client) for _ in range(500)))
        assert {status for status, _ in bodies} == {200}
        assert all(body.endswith(b"data: [DONE]\n\n") for _, body in bodies)
        assert server.connections == 500
        assert server.disconnects == []

    async def test_a_client_that_does_not_read_is_waited_for(self, server, client):
        server.answer(Answer.stream([b"x" * 1_000_000] * 20, "text/plain"))
        async with client.get("/") as response:
            await asyncio.sleep(0.1)
            assert len(await response.read()) == 20_000_000


class TestFaults:
    async def test_a_slow_first_byte(self, server, client):
        server.answer(Answer.json(1, delay=0.1))
        loop = asyncio.get_running_loop()
        begun = loop.time()
        assert await get(client) == (200, b"1")
        assert loop.time() - begun == pytest.approx(0.1)

    async def test_an_answer_that_never_comes(self, server, client):
        server.answer(Answer.never())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(get(client), 0.05)
        assert (await server.wait_disconnected()).chunks_sent == 0

    async def test_a_stall_lasts_until_the_client_goes(self, server, client):
        server.answer(Answer.sse([1, 2, 3], stall_after=2))
        async with client.get("/") as response:
            body = b""
            while body.count(b"\n\n") < 2:
                body += await response.content.readany()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(response.content.readany(), 0.05)
            assert server.disconnects == []
        assert await server.wait_disconnected() == Disconnect(server.requests[0], 2)
        assert body == b"data: 1\n\ndata: 2\n\n"

    async def test_a_stall_after_the_head(self, server, client):
        server.answer(Answer.sse([1], stall_after=0))
        async with client.get("/") as response:
            assert response.status == 200
        assert (await server.wait_disconnected()).chunks_sent == 0

    async def test_a_reset_in_mid_stream(self, server, client):
        server.answer(Answer.sse([1, 2, 3], reset_after=2))
        async with client.get("/") as response:
            received, fault = await chunks_until_error(response)
        assert received == b"data: 1\n\ndata: 2\n\n"
        assert isinstance(fault, aiohttp.ClientError | ConnectionResetError)
        assert "reset" in f"{fault!r} {fault.__cause__!r}".lower()
        assert server.disconnects == []

    async def test_a_reset_is_a_real_one(self, server):
        server.answer(Answer.reset())
        reader, writer = await asyncio.open_connection(*server.url.removeprefix("http://").split(":"))
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()

    async def test_a_chunked_body_without_its_last_chunk(self, server, client):
        server.answer(Answer.sse([1, 2, 3], truncate_after=3))
        async with client.get("/") as response:
            received, fault = await chunks_until_error(response)
        assert received.endswith(b"data: 3\n\n")
        assert isinstance(fault, aiohttp.ClientPayloadError)

    async def test_a_body_shorter_than_promised(self, server, client):
        server.answer(Answer.short_body(b'{"a": 1}', missing=5))
        async with client.get("/") as response:
            assert response.headers["Content-Length"] == "13"
            received, fault = await chunks_until_error(response)
        assert received == b'{"a": 1}'
        assert isinstance(fault, aiohttp.ClientPayloadError)

    @pytest.mark.parametrize("answer", [Answer.hangup(), Answer.reset()])
    async def test_a_connection_closed_without_an_answer(self, server, client, answer):
        server.route("*", "/", answer)  # a client may try again by itself
        with pytest.raises(aiohttp.ClientConnectionError):
            await get(client)

    async def test_a_cancelled_call_is_noticed(self, server, client):
        server.answer(Answer.sse(list(range(1000)), interval=0.01))
        task = asyncio.create_task(get(client))
        await server.wait_requests()
        await asyncio.sleep(0.05)
        task.cancel()
        disconnect = await server.wait_disconnected()
        assert 0 < disconnect.chunks_sent < 1000

    @pytest.mark.parametrize("fault", ["stall_after", "reset_after", "truncate_after"])
    def test_a_fault_that_never_comes_is_refused(self, fault):
        with pytest.raises(ValueError, match=f"{fault}=3 never comes: the answer has 2 chunks"):
            Answer.sse([1, 2], **{fault: 3})


class TestServerItself:
    async def test_it_ends_with_streams_open(self):
        async with RecordingServer() as server:
            server.answer(Answer.sse([1], stall_after=1))
            session = aiohttp.ClientSession()
            response = await session.get(server.url)
        with pytest.raises((aiohttp.ClientError, ConnectionResetError)):
            await response.read()
        await session.close()

    async def test_it_can_be_started_again(self):
        server = RecordingServer()
        for expected in (1, 2):
            async with server:
                server.answer(Answer.json(1))
                async with aiohttp.ClientSession(server.url) as client:
                    await get(client)
            assert len(server.requests) == expected

    async def test_waiting_for_what_does_not_come_ends(self, server):
        with pytest.raises(TimeoutError):
            await server.wait_disconnected(0.01)
        with pytest.raises(TimeoutError):
            await server.wait_requests(1, 0.01)

    async def test_waiting_before_the_start_says_what_to_do(self):
        with pytest.raises(RuntimeError, match="async with"):
            await RecordingServer().wait_closed()

    async def test_what_is_not_http_is_dropped(self, server):
        reader, writer = await asyncio.open_connection(*server.url.removeprefix("http://").split(":"))
        writer.write(b"hello\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        assert server.requests == []


class TestRequestReader:
    BODY = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nA: 1\r\na: 2\r\n\r\nabc"
    CHUNKED = b"PUT /b?c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nde\r\n1\r\nf\r\n0\r\n\r\n"

    def test_requests_cut_at_every_byte(self):
        stream = self.BODY + self.CHUNKED + b"GET / HTTP/1.1\r\n\r\n"
        whole = RequestReader(1).feed(stream)
        assert [(r.method, r.path_qs, r.body) for r in whole] == [
            ("POST", "/a", b"abc"),
            ("PUT", "/b?c", b"def"),
            ("GET", "/", b""),
        ]
        assert whole[0].headers["a"] == "1, 2"
        for at in range(len(stream)):
            reader = RequestReader(1)
            again = reader.feed(stream[:at]) + reader.feed(stream[at:])
            assert [(r.method, r.path_qs, r.body) for r in again] == [
                (r.method, r.path_qs, r.body) for r in whole
            ], at

    @pytest.mark.parametrize(
        "data", [b"hello\r\n\r\n", b"x" * 300_000, b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
    )
    def test_what_is_no_request_is_refused(self, data):
        with pytest.raises(ValueError):
            RequestReader(1).feed(data)

    def test_the_fault_has_a_name(self):
        with pytest.raises(BadRequestError, match="no request line: 'hello'"):
            RequestReader(1).feed(b"hello\r\n\r\n")
