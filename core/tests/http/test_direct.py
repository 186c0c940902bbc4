"""Requests past aiohttp's session: the same bytes, the same promises, half the cost."""

import asyncio

import pytest

from jackfield import ConfigurationError, ConnectionFailedError, Secret, StreamInterruptedError
from jackfield._http.transport import HttpTransport
from jackfield.plugin import Bearer, HttpAccess, Signer, StaticHeader, Token, Wire
from jackfield.testing import Answer


@pytest.fixture
async def transport(server):
    server.answer(*[Answer.text("ok")] * 8)
    transport = HttpTransport(
        HttpAccess(
            base_url=server.url,
            auth=StaticHeader("Authorization", Secret("sk-1"), "Bearer "),
            headers={"X-A": "é", "accept": "text/x"},
        )
    )
    await transport.open()
    yield transport
    await transport.aclose()


@pytest.fixture
def by_session(monkeypatch):
    """Counts what goes through aiohttp's session."""
    import aiohttp

    calls = []
    request = aiohttp.ClientSession.request

    def counted(self, method, url, **options):
        calls.append(method)
        return request(self, method, url, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "request", counted)
    return calls


async def read(transport, wire):
    async with transport.exchange(wire) as exchange:
        return exchange.head, [frame.data async for batch in exchange.frames for frame in batch]


async def test_a_plain_post_goes_past_the_session(server, transport, by_session):
    for _ in range(3):
        head, frames = await read(transport, Wire("x?a=%2F", {"a": 1}))
        assert (head.status, frames) == (200, [b"ok"])
    assert by_session == []
    assert len(server.requests) == 3


async def test_both_ways_send_the_same_request(server, transport, by_session, monkeypatch):
    wire = Wire("x?a=%2F", {"a": 1}, headers={"X-B": "2"})
    await read(transport, wire)
    monkeypatch.setattr(HttpTransport, "_prepare_post", lambda *_: None)
    await read(transport, wire)
    direct, session = server.requests
    assert by_session == ["POST"]
    assert (direct.method, direct.path, direct.body) == (session.method, session.path, session.body)
    assert dict(direct.headers) == dict(session.headers)


@pytest.mark.parametrize(
    "wire",
    [
        Wire("x", method="GET"),
        Wire("x", b"x" * 2_000_000),
    ],
    ids=["no post", "large"],
)
async def test_what_is_not_so_plain_goes_through_the_session(server, transport, by_session, wire):
    await read(transport, wire)
    assert by_session == [wire.method]


@pytest.mark.parametrize("name", ["Expect", "transfer-encoding"])
async def test_headers_that_change_how_a_body_is_sent_are_left_to_the_session(transport, name):
    import yarl

    wire = Wire("x", {}, headers={name: "anything"})
    url = yarl.URL(transport.address(wire), encoded=True)
    assert transport._prepare_post(wire, transport._session, url, transport._authenticator) is None


async def test_a_signer_signs_every_request(server, by_session):
    class Counting(Signer):
        signed = 0

        def prepare(self, *, refresh):
            pass

        def sign(self, method, url, headers, body):
            self.signed += 1
            return {"X-Signature": str(self.signed)}

    server.answer(Answer.text("ok"), Answer.text("ok"))
    transport = HttpTransport(HttpAccess(base_url=server.url, auth=Counting()))
    await transport.open()
    try:
        for _ in range(2):
            await read(transport, Wire("x", {}))
    finally:
        await transport.aclose()
    assert [request.headers["x-signature"] for request in server.requests] == ["1", "2"]
    assert by_session == []


class Fixed(Signer):
    """Proves every attempt by the same headers, and keeps what it was asked to sign."""

    def __init__(self, auth_headers):
        self.auth_headers = auth_headers
        self.asked = []

    def prepare(self, *, refresh):
        pass

    def sign(self, method, url, headers, body):
        self.asked.append((method, url, dict(headers), body))
        return self.auth_headers


async def test_both_ways_are_signed_alike(server, by_session, monkeypatch):
    signer = Fixed({"X-Date": "now", "Authorization": "S"})
    server.answer(Answer.text("ok"), Answer.text("ok"))
    transport = HttpTransport(HttpAccess(base_url=server.url, auth=signer, headers={"X-A": "1"}))
    await transport.open()
    try:
        await read(transport, Wire("x?a=%2F", {"a": 1}))
        monkeypatch.setattr(HttpTransport, "_prepare_post", lambda *_: None)
        await read(transport, Wire("x?a=%2F", {"a": 1}))
    finally:
        await transport.aclose()
    direct, session = server.requests
    assert dict(direct.headers) == dict(session.headers)
    assert direct.headers["authorization"] == "S"
    assert signer.asked[0] == signer.asked[1]
    assert by_session == ["POST"]


async def test_a_proof_takes_the_place_of_a_header_that_was_given(server, by_session):
    server.answer(Answer.text("ok"))
    access = HttpAccess(base_url=server.url, auth=Fixed({"x-a": "auth_headers"}), headers={"X-A": "given"})
    transport = HttpTransport(access)
    await transport.open()
    try:
        await read(transport, Wire("x", {}))
    finally:
        await transport.aclose()
    assert server.requests[0].headers["x-a"] == "auth_headers"
    assert by_session == ["POST"]


async def test_a_proof_with_a_line_end_is_not_sent(server):
    transport = HttpTransport(HttpAccess(base_url=server.url, auth=Fixed({"X-A": "1\r\nX-B: 2"})))
    await transport.open()
    try:
        with pytest.raises(ConfigurationError, match="line end"):
            await read(transport, Wire("x", {}))
    finally:
        await transport.aclose()
    assert not server.requests


async def test_a_renewed_token_is_sent(server, by_session):
    tokens = iter(["one", "two"])
    server.answer(*[Answer.text("ok")] * 3)
    transport = HttpTransport(HttpAccess(base_url=server.url, auth=Bearer(lambda: Token(next(tokens)))))
    await transport.open()
    try:
        await read(transport, Wire("x", {}))
        await read(transport, Wire("x", {}))
        await transport.refresh_credentials(Wire("x"))
        await read(transport, Wire("x", {}))
    finally:
        await transport.aclose()
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer one", "Bearer one", "Bearer two"]
    assert by_session == []


async def test_headers_that_are_never_the_same_are_not_gathered(server, transport):
    server.answer(*[Answer.text("ok")] * 300)
    for number in range(300):
        await read(transport, Wire("x", {}, headers={"X-Id": str(number)}))
    assert len(transport._prepared) < 300


async def test_a_header_with_a_line_end_is_refused(transport):
    with pytest.raises(ConfigurationError, match="cannot be sent"):
        await read(transport, Wire("x", {}, headers={"X-B": "a\r\nX-C: b"}))


async def raw_service(*answers):
    """A service that writes bytes as they are; an answer of None waits for the client to go away."""
    gone = asyncio.Event()
    left = iter(answers)

    async def serve(reader, writer):
        try:
            for answer in left:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)  # the body {}
                for piece in answer:
                    writer.write(piece)
                    await writer.drain()
                if answer[-1:] == [b""]:
                    await reader.read()
                    gone.set()
                    return
        finally:
            writer.close()

    service = await asyncio.start_server(serve, "127.0.0.1", 0)
    return service, gone, f"http://127.0.0.1:{service.sockets[0].getsockname()[1]}"


async def against(answers, use):
    service, gone, url = await raw_service(*answers)
    transport = HttpTransport(HttpAccess(base_url=url))
    await transport.open()
    try:
        return await use(transport, gone)
    finally:
        await transport.aclose()
        service.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


async def test_informational_answers_are_passed_over():
    async def use(transport, gone):
        return await read(transport, Wire("x", {}))

    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    head, frames = await against([[hints, hints + OK]], use)
    assert (head.status, frames) == (200, [b"ok"])


ENDS_WITH_THE_CONNECTION = [
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
]


@pytest.mark.parametrize("head", ENDS_WITH_THE_CONNECTION)
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "by the session"])
async def test_a_body_may_end_with_the_connection(head, direct, monkeypatch):
    """Neither a length nor chunks: plain servers, and some gateways."""
    if not direct:
        monkeypatch.setattr(HttpTransport, "_prepare_post", lambda *_: None)

    async def use(transport, gone):
        return await read(transport, Wire("x", {}, stream=True))

    pieces = [head, b"data: one\n\nda", b"ta: two\n\n", b"data: three\n\n"]
    answer, frames = await against([pieces], use)
    assert (answer.status, frames) == (200, [b"one", b"two", b"three"])


@pytest.mark.parametrize("head", ENDS_WITH_THE_CONNECTION)
async def test_a_whole_body_may_end_with_the_connection(head):
    async def use(transport, gone):
        return await read(transport, Wire("x", {}))

    _, frames = await against(
        [[head.replace(b"text/event-stream", b"application/json"), b'{"a"', b": 1}"]], use
    )
    assert frames == [b'{"a": 1}']


async def test_an_answer_without_a_body_gives_the_connection_back():
    async def use(transport, gone):
        for _ in range(2):  # the service serves one connection only once it ended
            head, frames = await read(transport, Wire("x", {}))
            assert (head.status, frames) == (204, [b""])

    await against([[b"HTTP/1.1 204 No Content\r\n\r\n"]] * 2, use)


async def test_leaving_early_closes_the_connection_at_once():
    begun = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 99\r\n\r\ndata: 1\n\n"

    async def use(transport, gone):
        async with transport.exchange(Wire("x", {}, stream=True)) as exchange:
            async for _ in exchange.frames:
                break
        async with asyncio.timeout(5):
            await gone.wait()

    await against([[begun, b""]], use)


async def test_a_cancelled_wait_for_the_answer_closes_the_connection_at_once():
    async def use(transport, gone):
        task = asyncio.create_task(read(transport, Wire("x", {})))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await gone.wait()

    await against([[b""]], use)


async def test_closing_the_transport_wakes_who_waits_for_more():
    begun = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 99\r\n\r\ndata: 1\n\n"

    async def use(transport, gone):
        async def all_of_it():
            return await read(transport, Wire("x", {}, stream=True))

        task = asyncio.create_task(all_of_it())
        await asyncio.sleep(0.05)
        await transport.aclose()
        with pytest.raises(StreamInterruptedError):
            await task

    await against([[begun, b""]], use)


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"], ids=["no http", "cut"]
)
async def test_what_is_no_answer_is_a_failed_connection(answer):
    async def use(transport, gone):
        with pytest.raises(ConnectionFailedError):
            await read(transport, Wire("x", {}))

    await against([[answer]], use)
