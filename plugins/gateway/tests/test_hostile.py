"""Clients that are slow, huge, many or gone, and services and disks that fail: answers stay clear, and nothing is left."""

import asyncio
import gc
import json
import os
import resource
import socket
import struct
import sys
import textwrap
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from gateway_running import CONFIG, running

from jackfield import Registry
from jackfield.testing import FakeAnswer, RecordingServer
from jackfield_gateway import _body
from jackfield_gateway._server import watch_peers

HELLO = {"model": "best", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50}
ONCE = {**CONFIG, "defaults": {"retry": {"attempts": 1}}}
POST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"


def place_of(gateway):
    host, port = gateway.url.removeprefix("http://").split(":")
    return host, int(port)


async def connect(gateway):
    return await asyncio.open_connection(*place_of(gateway))


async def close(writer):
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def settle(gateway):
    """Wait until nothing is left of the requests, and check that this is so."""
    for _ in range(500):
        if not gateway.state.current.calls and not running_calls(gateway):
            break
        await asyncio.sleep(0.01)
    assert gateway.state.current.calls == 0
    assert running_calls(gateway) == 0
    async with gateway.http.get(f"{gateway.url}/health/ready") as answer:
        assert answer.status == 200


def running_calls(gateway):
    return gateway.state.metrics.running.count


def memory():
    """Return the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def with_tests():
    """Return the environment of a process that imports what lies beside this file."""
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system has no /proc")


# Slow


@pytest.mark.parametrize("head", [b"", POST, POST + b"content-length: 5\r\nx-a: "])
async def test_a_head_that_does_not_end_is_given_up(gateway, head):
    reader, writer = await connect(gateway)
    clock = asyncio.get_running_loop().time
    began = clock()

    async def drip():
        writer.write(head)
        while True:
            await asyncio.sleep(5)
            if head:
                writer.write(b"a")

    dripping = asyncio.create_task(drip())
    await asyncio.gather(asyncio.wait_for(reader.read(), 1000), return_exceptions=True)
    assert clock() - began < 90
    dripping.cancel()
    await close(writer)
    await settle(gateway)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("every", [None, 20])
async def test_a_body_that_does_not_end_is_given_up(gateway, path, every):
    reader, writer = await connect(gateway)
    writer.write(b"POST %b HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100000\r\n\r\n{" % path.encode())
    clock = asyncio.get_running_loop().time
    began = clock()

    async def drip():
        while every is not None:
            await asyncio.sleep(every)
            writer.write(b" ")

    dripping = asyncio.create_task(drip())
    answer = await asyncio.wait_for(reader.read(), 3000)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"request_timeout" in answer or b"did not come in time" in answer
    longest = _body._SILENCE if every is None else _body._WHOLE
    assert longest <= clock() - began < longest + 20
    dripping.cancel()
    await close(writer)
    assert gateway.fake.requests == []
    await settle(gateway)


async def test_a_slow_body_that_comes_is_read(gateway):
    reader, writer = await connect(gateway)
    body = json.dumps(HELLO).encode()
    writer.write(POST + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body))
    for number in range(0, len(body), 10):
        await asyncio.sleep(10)
        writer.write(body[number : number + 10])
    assert (await asyncio.wait_for(reader.read(), 100)).startswith(b"HTTP/1.1 200 ")
    await close(writer)


def small_buffers(gateway):
    """Open a socket that takes little before somebody reads."""
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    own.connect(place_of(gateway))
    own.setblocking(False)
    return own


@needs_proc
@pytest.mark.real_time
@pytest.mark.parametrize("model", ["relayed", "translated"])
async def test_a_slow_reader_holds_up_the_service_and_costs_little(model):
    sent = 0
    piece = json.dumps({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "x" * 8000}}]})

    async def stream(request):
        nonlocal sent
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        while sent < 400_000_000:
            await answer.write(b"data: %b\n\n" % piece.encode())
            sent += len(piece)
        return answer

    app = web.Application()
    app.router.add_post("/v1/chat/completions", stream)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = {
        "connections": {
            "up": {
                "provider": "openai",
                "api_key": "none",
                "base_url": f"http://127.0.0.1:{runner.addresses[0][1]}/v1",
            }
        },
        "aliases": {"best": ["up:m"]},
    }
    try:
        async with running(config, registry=Registry.installed()) as gateway:
            own = small_buffers(gateway)
            more = {"stream_options": {"include_usage": True}} if model == "relayed" else {}
            body = json.dumps({**HELLO, "stream": True, **more}).encode()
            own.send(POST + b"content-length: %d\r\n\r\n" % len(body) + body)
            await asyncio.sleep(1)
            before, resident = sent, memory()
            await asyncio.sleep(1.5)
            assert 0 < before < 50_000_000
            assert sent == before, "the service sends on although nobody reads"
            assert memory() - resident < 5
            own.close()
            await settle(gateway)
    finally:
        await runner.cleanup()


# Huge


@needs_proc
@pytest.mark.real_time
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_a_gigabyte_is_refused_and_costs_little(gateway, chunked):
    reader, writer = await connect(gateway)
    length = b"transfer-encoding: chunked" if chunked else b"content-length: 1000000000"
    writer.write(POST + length + b"\r\n\r\n")
    piece = bytes(1 << 20)
    before, answer, sent = memory(), asyncio.create_task(reader.readline()), 0
    while not answer.done() and sent < 1_000_000_000:
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        sent += len(piece)
        try:
            await writer.drain()
        except ConnectionError:
            break
        await asyncio.sleep(0)
    assert b" 413 " in await answer
    assert sent < 200_000_000
    assert memory() - before < 120
    await close(writer)
    await settle(gateway)


@pytest.mark.parametrize(
    "head",
    [
        POST + b"x-long: " + b"secret" * 200_000 + b"\r\n\r\n",
        POST + b"x" * 1_000_000 + b": a\r\n\r\n",
        POST + b"".join(b"x-%d: secret\r\n" % n for n in range(50_000)) + b"\r\n",
        b"POST /" + b"secret" * 200_000 + b" HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00secret",
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nsecret",
        POST + b"content-length: secret\r\n\r\n",
        POST + b"x-a: b\r\n continued: secret\r\n\r\n",
    ],
    ids=["value", "name", "many", "path", "tls", "two lengths", "length", "folded"],
)
async def test_a_head_that_is_not_valid_is_refused_and_cited_nowhere(gateway, head, caplog):
    reader, writer = await connect(gateway)
    writer.write(head)
    got = await asyncio.gather(asyncio.wait_for(reader.readline(), 200), return_exceptions=True)
    assert isinstance(got[0], ConnectionError) or b" 400 " in got[0] or got[0] == b""
    await close(writer)
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text
    assert gateway.fake.requests == []
    await settle(gateway)


# Gone


def reset(writer):
    """Close without a word: the other side gets a reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize("phase", ["head", "body", "answer", "stream", "socket"])
async def test_a_client_may_leave_in_every_phase(gateway, phase, how):
    gateway.fake.script(
        FakeAnswer(text="one two three", delay=0 if phase == "stream" else 500, chunk_delay=5)
    )
    body = json.dumps({**HELLO, "stream": phase == "stream"}).encode()
    whole = POST + b"content-length: %d\r\n\r\n" % len(body) + body
    for number in range(3):
        reader, writer = await connect(gateway)
        cut = {"head": len(POST) - 9, "body": len(whole) - 9}.get(phase)
        if phase == "socket":
            writer.write(
                b"GET /v1/responses HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            await reader.readuntil(b"\r\n\r\n")
        else:
            writer.write(whole[:cut])
        await writer.drain()
        if phase == "stream":
            await reader.readuntil(b"one")
        while phase in ("answer", "stream") and len(gateway.fake.requests) <= number:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        reset(writer) if how == "reset" else await close(writer)
        gateway.fake.script(FakeAnswer(text="one two", delay=0 if phase == "stream" else 500, chunk_delay=5))
        await asyncio.sleep(0.05)
        await settle(gateway)
    assert gateway.fake.cancelled == (3 if phase in ("answer", "stream") else 0)


def test_clients_that_vanish_are_noticed_by_the_system():
    with socket.socket() as listening:
        watch_peers(listening)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
                if hasattr(socket, name):
                    assert accepted.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) == value


# Many


@pytest.fixture
def many_files():
    """Allow so many open files as the tests below need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 6000:
        pytest.skip("the system allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 6000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.real_time
async def test_512_connections_at_once_are_answered(gateway, many_files):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def ask(number):
            body = {**HELLO, "messages": [{"role": "user", "content": f"number {number}"}]}
            async with http.post(f"{gateway.url}/v1/chat/completions", json=body) as answer:
                assert answer.status == 200
                return (await answer.json())["choices"][0]["message"]["content"]

        said = await asyncio.gather(*(ask(number) for number in range(512)))
    assert all(f"number {number}" in text for number, text in enumerate(said))
    await settle(gateway)


@needs_proc
async def test_2000_idle_streams_cost_little_and_leave_nothing(many_files):
    async with running(keep_alive=1000) as gateway:
        await hold_2000_streams(gateway)


async def hold_2000_streams(gateway):
    gateway.fake.script(*[FakeAnswer(chunks=["one "] * 200, chunk_delay=20) for _ in range(2000)])
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        gc.collect()
        before = memory()

        async def begin(_):
            answer = await http.post(f"{gateway.url}/v1/chat/completions", json={**HELLO, "stream": True})
            await answer.content.readany()
            return answer

        answers = []
        for start in range(0, 2000, 500):
            answers += await asyncio.gather(*(begin(number) for number in range(start, start + 500)))
        assert gateway.state.current.calls == 2000
        assert (memory() - before) / 2000 < 0.12  # MB, of client and gateway together
        gateway.fake.script("still here")
        status, _, _ = await gateway.post("/v1/chat/completions", HELLO)
        assert status == 200
        for answer in answers:
            answer.close()
        await settle(gateway)
    assert gateway.fake.cancelled == 2000


# Services and disks


@pytest.mark.real_time
@pytest.mark.parametrize("surface", ["openai.chat", "openai.responses", "anthropic.messages"])
async def test_a_service_that_is_killed_in_a_stream_is_told(tmp_path, surface):
    script = textwrap.dedent("""
        import sys, time, socket
        own = socket.create_server(("127.0.0.1", 0)); print(own.getsockname()[1], flush=True)
        while True:
            one, _ = own.accept(); one.recv(65536)
            one.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-type: text/event-stream\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n")
            event = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"half"}}]}\\n\\n'
            one.sendall(b"%x\\r\\n%b\\r\\n" % (len(event), event)); print("sent", flush=True); time.sleep(600)
    """)
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    port = int(await service.stdout.readline())
    up = {"provider": "openai", "api_key": "none", "base_url": f"http://127.0.0.1:{port}/v1", "retry": {"attempts": 1},
          "models": [{"id": "m", "route": "chat"}]}  # fmt: skip
    paths = {
        "openai.chat": "chat/completions",
        "openai.responses": "responses",
        "anthropic.messages": "messages",
    }
    body = (
        {**HELLO, "stream": True, "input": "hi"}
        if surface == "openai.responses"
        else {**HELLO, "stream": True}
    )
    if surface == "openai.responses":
        body = {"model": "best", "input": "hi", "stream": True}
    try:
        async with running(
            {"connections": {"up": up}, "aliases": {"best": ["up:m"]}}, registry=Registry.installed()
        ) as gateway:
            async with gateway.http.post(f"{gateway.url}/v1/{paths[surface]}", json=body) as answer:
                assert answer.status == 200
                got = await answer.content.readuntil(b"half")
                service.kill()
                got += await answer.content.read()
            text = got.decode()
            assert "error" in text
            ends = {
                "openai.chat": "[DONE]",
                "openai.responses": "response.completed",
                "anthropic.messages": "message_stop",
            }
            assert ends[surface] not in text
            await settle(gateway)
    finally:
        await service.wait()


@pytest.mark.real_time
@pytest.mark.parametrize("away", ["serve", "refuse"])
async def test_a_full_disk_stops_no_call_unless_that_is_declared(tmp_path, away):
    """The file of the store may not grow for a while, as on a disk that is full."""
    script = textwrap.dedent(f"""
        import asyncio, json, resource, signal
        from gateway_running import running
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        HELLO = {HELLO!r}
        async def main():
            async with running(store="sqlite:///{tmp_path}/gateway.db", store_away="{away}") as gateway:
                async def ask():
                    return (await gateway.post("/v1/chat/completions", HELLO))[0]
                async def until(state):
                    for _ in range(400):
                        if gateway.state.ledger.is_away is state:
                            return True
                        await ask()
                        await asyncio.sleep(0.05)
                    return False
                first = await ask()
                while gateway.state.ledger.pending: await asyncio.sleep(0.05)
                hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
                resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
                full = await until(True)
                during = await ask()
                async with gateway.http.get(gateway.url + "/health/ready") as answer:
                    ready = answer.status
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
                back = await until(False)
                after = await ask()
                while gateway.state.ledger.pending: await asyncio.sleep(0.05)
                days = gateway.state.store.sum_spend(key="", since=0)
                made, lost = len(gateway.fake.requests), gateway.state.ledger.lost
            print(json.dumps([first, full, during, ready, back, after, days[0]["requests"] == made, lost]))
        asyncio.run(main())
    """)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=with_tests(),
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, err.decode()
    status = 200 if away == "serve" else 503
    assert json.loads(out) == [200, True, status, status, True, 200, True, 0]


async def test_a_service_that_resets_is_told_and_leaves_nothing():
    from jackfield.testing import Answer

    events = [b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"half"}}]}\n\n'] * 2
    async with RecordingServer() as upstream:
        upstream.route(
            "POST", "/v1/chat/completions", Answer.stream(events, "text/event-stream", reset_after=1)
        )
        up = {
            "provider": "openai",
            "api_key": "none",
            "base_url": f"{upstream.url}/v1",
            "retry": {"attempts": 1},
        }
        async with running(
            {"connections": {"up": up}, "aliases": {"best": ["up:m"]}}, registry=Registry.installed()
        ) as gateway:
            more = {"stream": True, "stream_options": {"include_usage": True}}
            async with gateway.http.post(
                f"{gateway.url}/v1/chat/completions", json={**HELLO, **more}
            ) as answer:
                with pytest.raises(aiohttp.ClientError):
                    await answer.read()
            await settle(gateway)
