"""The pool: an answer belongs to the request it was sent for, and a lost connection is not an end of a body."""

import asyncio
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
from plain_provider import mesh_for

from jackfield import ConnectionFailedError, StreamInterruptedError, TimeoutError
from jackfield._http.transport import HttpTransport
from jackfield.plugin import HttpAccess, Wire


def answer(body, status=b"200 OK", more=b""):
    return b"HTTP/1.1 %b\r\nContent-Type: text/plain\r\n%bContent-Length: %d\r\n\r\n%b" % (
        status, more, len(body), body,
    )  # fmt: skip


class Service:
    """Answers each request with its `X-Ask`; `behind` comes behind the first answer of each connection.

    Args:
        behind: Pieces; written at once with the answer (False) or `later` (True).
        head: Makes the first answer of each connection.
        greeting: Is written when a connection stands.
    """

    def __init__(self, behind=b"", *, later=None, head=answer, greeting=b"", early=False):
        self.behind, self.later, self.first, self.greeting, self.early = behind, later, head, greeting, early
        self.connections = 0
        self.tasks = []

    async def serve(self, reader, writer):
        self.connections += 1
        self.tasks.append(asyncio.current_task())
        writer.write(self.greeting)
        make = self.first
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                asked = self.field(head, b"x-ask")
                if not self.early:
                    await reader.readexactly(int(self.field(head, b"content-length") or 0))
                said, make = make(asked), answer
                behind, self.behind = self.behind, b""
                if self.later is None:
                    writer.write(said + behind)
                else:
                    writer.write(said)
                    await asyncio.sleep(self.later)
                    writer.write(behind)
                await writer.drain()
                if self.early:
                    await asyncio.sleep(60)

    @staticmethod
    def field(head, name):
        for line in head.split(b"\r\n"):
            if line.lower().startswith(name + b":"):
                return line.partition(b":")[2].strip()
        return b""

    @contextlib.asynccontextmanager
    async def running(self, **options):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # holds no body by itself
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        access = HttpAccess(base_url="http://service.invalid" if options.pop("proxied", False) else url)
        if access.base_url != url:
            options["proxy"] = url
        transport = HttpTransport(access, **options)
        await transport.open()
        try:
            yield transport
        finally:
            await transport.aclose()
            server.close()
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)


WAYS = {
    "direct": ({}, {"method": "POST", "body": {}}),
    "get": ({}, {"method": "GET"}),
    "large": ({}, {"method": "POST", "body": b"x" * 1_100_000}),
    "proxied": ({"proxied": True}, {"method": "POST", "body": {}}),
}
ways = pytest.mark.parametrize(("options", "wire"), WAYS.values(), ids=WAYS)


async def ask(transport, number, wire, **more):
    wire = Wire("x", headers={"X-Ask": f"answer {number}"}, **wire, **more)
    async with asyncio.timeout(5), transport.exchange(wire) as exchange:
        return b"".join([frame.data async for batch in exchange.frames for frame in batch])


UNASKED = {
    "a whole answer": answer(b"UNASKED"),
    "two answers": answer(b"UNASKED") * 2,
    "408 before closing": answer(b"", b"408 Request Timeout"),
    "the beginning of a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "one byte": b"H",
    "the beginning of a body": answer(b"UNASKED")[:-3],
    "1xx": b"HTTP/1.1 100 Continue\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "without a length": b"HTTP/1.1 200 OK\r\n\r\nUNASKED",
    "no HTTP": b"hello?\r\n\r\n",
}


@ways
@pytest.mark.parametrize("when", [None, 0.0, 0.01], ids=["at once", "in the next packet", "later"])
@pytest.mark.parametrize("unasked", UNASKED.values(), ids=UNASKED)
async def test_what_nobody_asked_for_is_nobodys_answer(unasked, when, options, wire):
    service = Service(unasked, later=when)
    async with service.running(**options) as transport:
        for number in range(4):
            with contextlib.suppress(ConnectionFailedError):  # what came with the first answer may break that
                assert await ask(transport, number, wire) == b"answer %d" % number
            await asyncio.sleep(0.03)
    assert service.connections == 2


@ways
async def test_what_came_while_the_loop_stood_still_is_seen(options, wire):
    """Between two calls a program computes for a while: the bytes wait in the system, unread."""
    async with Service(answer(b"UNASKED"), later=0.02).running(**options) as transport:
        assert await ask(transport, 0, wire) == b"answer 0"
        begun, work = time.monotonic(), asyncio.create_task(asyncio.sleep(0.02))
        await work  # the service has its turn, and writes; then nobody reads for a while
        time.sleep(max(0.0, 0.05 - (time.monotonic() - begun)))
        for number in (1, 2, 3):
            assert await ask(transport, number, wire) == b"answer %d" % number


@ways
async def test_a_connection_that_is_in_order_is_kept(options, wire):
    service = Service()
    async with service.running(**options) as transport:
        for number in range(5):
            assert await ask(transport, number, wire) == b"answer %d" % number
    assert service.connections == 1


FIRST = {
    "Connection: close": (lambda asked: answer(asked, more=b"Connection: close\r\n"), 3),
    "HTTP/1.0": (lambda asked: answer(asked).replace(b"HTTP/1.1", b"HTTP/1.0"), 3),
    "1xx before": (lambda asked: b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 2 + answer(asked), 1),
    "chunked": (
        lambda asked: (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
            % (len(asked), asked)
        ),
        1,
    ),
}


@ways
@pytest.mark.parametrize(("first", "connections"), FIRST.values(), ids=FIRST)
async def test_answers_of_every_kind_are_followed_by_the_right_one(first, connections, options, wire):
    service = Service(head=first)
    async with service.running(**options) as transport:
        for number in range(3):
            assert await ask(transport, number, wire) == b"answer %d" % number
    assert service.connections == connections


NO_BODY = [b"HTTP/1.1 204 No Content\r\n", b"HTTP/1.1 304 Not Modified\r\n"]


@ways
@pytest.mark.parametrize("status", NO_BODY)
@pytest.mark.parametrize("body", [b"\r\n", b"Content-Length: 7\r\n\r\nUNASKED"], ids=["none", "all the same"])
async def test_a_body_where_there_is_none_is_nobodys_answer(status, body, options, wire):
    async with Service(head=lambda asked: status + body).running(**options) as transport:
        for number in range(3):
            with contextlib.suppress(ConnectionFailedError):  # the parser may find it behind the head at once
                assert await ask(transport, number, wire) in (b"", b"answer %d" % number)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("way", ["direct", "by the session"])
async def test_a_connection_whose_request_was_answered_before_it_was_sent_is_not_used_again(way, monkeypatch):
    """The rest of the body would stand before the next request."""
    if way == "direct":
        monkeypatch.setattr("jackfield._http.transport._LARGE_BODY", 1 << 30)
    service = Service(early=True)
    async with service.running() as transport:
        for number in (0, 1):
            wire = {"method": "POST", "body": b"x" * 30_000_000}
            assert await ask(transport, number, wire) == b"answer %d" % number
    assert service.connections == 2


@ways
async def test_a_service_that_speaks_before_it_is_asked_is_not_believed(options, wire):
    async with Service(greeting=answer(b"UNASKED")).running(**options) as transport:
        for number in range(3):
            with pytest.raises(ConnectionFailedError, match="before it was asked"):
                await ask(transport, number, wire)


# Ends of bodies without a length

HEAD = b"HTTP/1.1 %b\r\nContent-Type: %b\r\n\r\n"
STREAM = HEAD % (b"200 OK", b"text/event-stream") + b'data: {"t":"a"}\n\n'
JSON = HEAD % (b"200 OK", b"application/json") + b'{"a": 1}'


async def ended(said, wire, *, reset, after=0.05):
    """Read an answer whose connection then ends; gives what came and what broke it."""

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(
            int(Service.field(head, b"content-length") or 0)
        )  # unread, it would be a reset
        writer.write(said)
        await writer.drain()
        await asyncio.sleep(after)
        if reset:
            linger = b"\1\0\0\0\0\0\0\0"  # on, for 0 seconds: closing is a reset
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        else:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    transport = HttpTransport(HttpAccess(base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    return await outcome(transport, wire, server)


async def outcome(transport, wire, server, *, pause=0.0):
    frames = []
    await transport.open()
    try:
        async with asyncio.timeout(5), transport.exchange(wire) as exchange:
            async for batch in exchange.frames:
                frames += [frame.data for frame in batch]
                await asyncio.sleep(pause)
    except StreamInterruptedError as error:
        return frames, error
    finally:
        await transport.aclose()
        server.close()
    return frames, None


WIRES = {
    "direct": ({"body": {}}, STREAM, True, [b'{"t":"a"}']),
    "direct whole": ({"body": {}}, JSON, False, [b'{"a": 1}']),
    "get": ({"method": "GET"}, JSON, False, [b'{"a": 1}']),
    "large": ({"body": b"x" * 1_100_000}, STREAM, True, [b'{"t":"a"}']),
}
wires = pytest.mark.parametrize(("wire", "said", "stream", "frames"), WIRES.values(), ids=WIRES)


@wires
async def test_a_reset_is_no_end_of_a_body_without_a_length(wire, said, stream, frames):
    came, fault = await ended(said, Wire("x", **wire, stream=stream), reset=True)
    assert fault is not None
    assert "reset" in str(fault)
    assert came == (frames if stream else [])


@wires
async def test_a_clean_end_of_the_connection_is_one(wire, said, stream, frames):
    wire = Wire("x", **wire, stream=stream)
    assert await ended(said, wire, reset=False) == (frames, None)


@pytest.mark.parametrize("reset", [True, False])
async def test_a_chunked_body_is_cut_however_the_connection_ends(reset):
    head = STREAM.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n", 1) + b"\r\n"
    came, fault = await ended(head, Wire("x", {}, stream=True), reset=reset)
    assert came == [b'{"t":"a"}']
    assert fault is not None


async def test_only_connections_with_tls_are_called_ended_without_its_farewell():
    chunked = JSON.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n", 1)
    trailers = b"X-Trailer: " + b"y" * 4000 + b"\r\n"
    _, fault = await ended(chunked + b"\r\n0\r\n" + trailers * 500, Wire("x", {}), reset=False)
    assert fault is not None
    assert "the connection was closed" in str(fault)


@pytest.mark.parametrize("framing", ["none", "chunked"])
async def test_what_came_before_a_reset_is_read_however_late(framing):
    """A program that works on each event for a while misses none."""
    events = [b"data: %d\n\n" % number for number in range(4)]
    said = STREAM
    if framing == "chunked":
        said = said.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n", 1) + b"\r\n"
        events = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for piece in (said, *events):
            writer.write(piece)
            await asyncio.sleep(0.01)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    transport = HttpTransport(HttpAccess(base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    came, fault = await outcome(transport, Wire("x", {}, stream=True), server, pause=0.3)
    assert came == [b'{"t":"a"}', b"0", b"1", b"2", b"3"]
    assert fault is not None


async def test_an_errors_body_that_was_reset_is_still_that_error():
    said = HEAD % (b"503 Service Unavailable", b"text/plain") + b"half of it"
    came, fault = await ended(said, Wire("x", {}), reset=True)
    assert (came, fault) == ([b"half of it"], None)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1, and its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl is not here to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "certificate.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", key, "-out", made], check=True, capture_output=True)
    return made, key


class TlsService:
    """Serves one connection after another from a thread, and ends each with or without TLS's farewell."""

    def __init__(self, certificate, said, *, farewell):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._said, self._farewell = said, farewell
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            connection, _ = self._listening.accept()
            with self._context.wrap_socket(connection, server_side=True) as secured:
                while b"\r\n\r\n" not in secured.recv(1 << 21):
                    pass
                secured.sendall(self._said)
                if self._farewell:
                    secured.unwrap()
                else:
                    secured.shutdown(socket.SHUT_WR)
                    secured.recv(1)

    def close(self):
        self._listening.close()


@pytest.mark.real_time
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "by the session"])
@pytest.mark.parametrize("farewell", [True, False], ids=["farewell", "none"])
async def test_tls_without_its_farewell_is_no_end_either(certificate, farewell, direct, monkeypatch):
    """RFC 9112, 9.8: whoever can cut the connection could else shorten an answer unseen."""
    if not direct:
        monkeypatch.setattr(HttpTransport, "_prepare_post", lambda *_: None)
    service = TlsService(certificate, STREAM, farewell=farewell)
    transport = HttpTransport(HttpAccess(base_url=service.url), ca_bundle=str(certificate[0]))
    came, fault = await outcome(transport, Wire("x", {}, stream=True), service)
    assert came == [b'{"t":"a"}']
    if farewell:
        assert fault is None
    else:
        assert "close_notify" in str(fault)


@pytest.mark.real_time
@pytest.mark.parametrize("farewell", [True, False])
async def test_tls_without_its_farewell_matters_not_where_the_length_is_known(certificate, farewell):
    service = TlsService(certificate, answer(b"all of it"), farewell=farewell)
    transport = HttpTransport(HttpAccess(base_url=service.url), ca_bundle=str(certificate[0]))
    assert await outcome(transport, Wire("x", {}), service) == ([b"all of it"], None)


# The phase connect


async def test_the_phase_connect_holds_for_all_addresses_together(monkeypatch):
    hosts = [f"127.0.1.{number}" for number in range(1, 6)]
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(socket.create_server((hosts[0], 0), backlog=0))
        port = first.getsockname()[1]
        fill(stack, hosts[0], port)
        for host in hosts[1:]:
            stack.enter_context(socket.create_server((host, port), backlog=0))
            fill(stack, host, port)
        real = socket.getaddrinfo

        def several(host, *arguments, **options):
            if host != "several.test":
                return real(host, *arguments, **options)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts]

        monkeypatch.setattr(socket, "getaddrinfo", several)
        await timed_out(
            HttpTransport(HttpAccess(base_url=f"http://several.test:{port}"), connect_timeout=0.4)
        )


def fill(stack, host, port):
    """Fill the queue of a socket that accepts nobody: whoever comes next waits."""
    for _ in range(4):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            waiting.connect((host, port))


async def timed_out(transport):
    await transport.open()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        with pytest.raises(TimeoutError) as caught:
            await ask(transport, 0, {"body": {}})
    finally:
        await transport.aclose()
    assert caught.value.phase == "connect"
    assert loop.time() - begun < 1.2


async def test_the_phase_connect_holds_for_a_proxys_answer_to_connect():
    async with asyncio.timeout(10):
        with socket.create_server(("127.0.0.1", 0)) as silent:  # connections stand, and nobody answers
            proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
            access = HttpAccess(base_url="https://service.invalid")
            await timed_out(HttpTransport(access, proxy=proxy, connect_timeout=0.4))


async def test_a_name_without_addresses_is_a_failed_connection(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    async with mesh_for("http://none.test", retry={"attempts": 1}) as mesh:
        with pytest.raises(ConnectionFailedError, match="the name has no address"):
            await mesh.chat("c:m", "hi")
