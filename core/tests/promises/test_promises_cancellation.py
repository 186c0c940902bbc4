"""A cancel closes the upstream at once, in every phase, and leaves everything usable."""

import asyncio
import contextlib
import socket

import pytest
from plain_provider import (
    PIECES,
    PlainProvider,
    hello,
    mesh_for,
    nothing_left,
    read,
    streamed,
    text_of,
)

from jackfield import ProviderError, StreamInterruptedError, TextDelta, TimeoutError
from jackfield._calls.watchdog import Watchdog
from jackfield.plugin import Bearer, Token, hookimpl
from jackfield.testing import Answer, FakeProvider
from jackfield.testing._fakes import FakeTransport


async def cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.shield(task), 1)


async def usable(mesh, server):
    """The connection still serves, and every slot is back."""
    server.answer(hello(), streamed())
    assert (await mesh.chat("c:m", "again", timeout=2)).text == "hello"
    assert text_of(await read(mesh.stream_chat("c:m", "again", timeout=2))) == "hello"
    slots = mesh._open["c"].slots
    assert slots is None or slots._value == mesh.connections["c"].max_parallel


def both(mesh):
    return {"whole": lambda: mesh.chat("c:m", "hi"), "stream": lambda: read(mesh.stream_chat("c:m", "hi"))}


@pytest.mark.parametrize("how", ["whole", "stream"])
async def test_while_waiting_for_the_head(server, how):
    server.answer(Answer.never())
    async with nothing_left(server), mesh_for(server.url, max_parallel=1) as mesh:
        task = asyncio.create_task(both(mesh)[how]())
        await server.wait_requests()
        await cancelled(task)
        await server.wait_disconnected()
        await usable(mesh, server)


@pytest.mark.parametrize("how", ["whole", "stream"])
async def test_between_head_and_first_event(server, how):
    server.answer(streamed(stall_after=0))
    async with nothing_left(server), mesh_for(server.url, max_parallel=1) as mesh:
        task = asyncio.create_task(both(mesh)[how]())
        await server.wait_requests()
        await asyncio.sleep(0.05)
        await cancelled(task)
        await server.wait_disconnected()
        await usable(mesh, server)


async def test_between_events_keeps_what_was_used(server):
    server.answer(streamed(*PIECES[:2], {"usage": [3, 1]}, {"text": "x"}, stall_after=3, done=False))
    async with nothing_left(server), mesh_for(server.url, max_parallel=1) as mesh:
        stream = mesh.stream_chat("c:m", "hi")
        task = asyncio.create_task(read(stream))
        await server.wait_requests()
        await asyncio.sleep(0.05)
        await cancelled(task)
        await server.wait_disconnected()
        assert stream.response.text == "he"
        assert not stream.response.complete
        assert (stream.response.usage.input_tokens, stream.response.usage.output_tokens) == (3, 1)
        await usable(mesh, server)


async def test_inside_a_whole_body(server):
    body = Answer.stream([b'{"text": ', b'"x"}'], "application/json", stall_after=1)
    server.answer(body)
    async with nothing_left(server), mesh_for(server.url) as mesh:
        task = asyncio.create_task(mesh.chat("c:m", "hi"))
        await server.wait_requests()
        await asyncio.sleep(0.05)
        await cancelled(task)
        await server.wait_disconnected()
        await usable(mesh, server)


async def test_before_connect_while_the_name_is_looked_up(server, monkeypatch):
    loop = asyncio.get_running_loop()
    lookup, looking = loop.getaddrinfo, asyncio.Event()

    async def slow(*args, **options):
        looking.set()
        await asyncio.sleep(5)

    monkeypatch.setattr(loop, "getaddrinfo", slow)
    async with nothing_left(server), mesh_for(server.url.replace("127.0.0.1", "localhost")) as mesh:
        task = asyncio.create_task(mesh.chat("c:m", "hi"))
        await looking.wait()
        await cancelled(task)
        assert server.connections == 0
        monkeypatch.setattr(loop, "getaddrinfo", lookup)


async def test_while_connecting(server):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        clients = [socket.socket() for _ in range(8)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(listening.getsockname())
        async with nothing_left(), mesh_for("http://{}:{}".format(*listening.getsockname())) as mesh:
            task = asyncio.create_task(mesh.chat("c:m", "hi"))
            await asyncio.sleep(0.1)
            assert not task.done()
            await cancelled(task)
        for client in clients:
            client.close()


async def test_while_sending():
    closed = asyncio.Event()

    async def reads_nothing(reader, writer):
        await asyncio.sleep(0.2)
        try:
            while await reader.read(1 << 20):
                pass
        except ConnectionError:
            pass
        writer.close()
        closed.set()

    async with await asyncio.start_server(reads_nothing, "127.0.0.1", 0, limit=1024) as listening:
        host, port = listening.sockets[0].getsockname()
        async with mesh_for(f"http://{host}:{port}") as mesh:
            task = asyncio.create_task(mesh.chat("c:m", "x" * 40_000_000))
            await asyncio.sleep(0.15)
            assert not task.done()
            await cancelled(task)
            await asyncio.wait_for(closed.wait(), 2)


async def test_inside_the_pause_before_another_attempt(server):
    server.answer(Answer.json({}, 503, headers={"Retry-After": "30"}))
    async with nothing_left(server), mesh_for(server.url, max_parallel=1) as mesh:
        task = asyncio.create_task(mesh.chat("c:m", "hi"))
        await server.wait_requests()
        await asyncio.sleep(0.05)
        await cancelled(task)
        await usable(mesh, server)
    assert len(server.requests) == 3


async def test_in_the_second_attempt(server, pauses):
    server.answer(Answer.json({}, 503), Answer.never())
    async with nothing_left(server), mesh_for(server.url, max_parallel=1) as mesh:
        task = asyncio.create_task(mesh.chat("c:m", "hi"))
        await server.wait_requests(2)
        await cancelled(task)
        await server.wait_disconnected()
        await usable(mesh, server)


async def test_in_the_queue(server):
    server.answer(streamed(stall_after=1))
    async with nothing_left(server), mesh_for(server.url, max_parallel=1) as mesh:
        async with mesh.stream_chat("c:m", "hi"):
            task = asyncio.create_task(mesh.chat("c:m", "hi"))
            await asyncio.sleep(0.05)
            await cancelled(task)
        await usable(mesh, server)
    assert len(server.requests) == 3


async def test_while_a_token_is_fetched(server):
    import threading

    fetched, loop = [], asyncio.get_running_loop()
    begun, go_on = asyncio.Event(), threading.Event()

    def fetch():
        fetched.append(1)
        loop.call_soon_threadsafe(begun.set)
        go_on.wait()
        return Token("t")

    async with nothing_left(server), mesh_for(server.url, PlainProvider(auth=Bearer(fetch))) as mesh:
        task = asyncio.create_task(mesh.chat("c:m", "hi"))
        await begun.wait()
        await cancelled(task)
        go_on.set()
        await usable(mesh, server)
    assert len(fetched) == 2


async def test_while_the_connection_opens_closes_what_had_opened():
    class Slow(FakeTransport):
        async def open(self):
            await super().open()
            await asyncio.sleep(0.5)

    class Plugin(FakeProvider):
        @hookimpl
        def jackfield_transport(self):
            return Slow(self)

    plugin = Plugin()
    from jackfield import Mesh
    from jackfield._plugins.registry import Registry

    async with Mesh.from_config(
        {"connections": {"c": {"provider": "fake"}}}, registry=Registry.of(plugin)
    ) as mesh:
        task = asyncio.create_task(mesh.chat("c:m", "hi"))
        await asyncio.sleep(0.05)
        await cancelled(task)
        assert (plugin.opened, plugin.closed) == (1, 1)


@pytest.mark.parametrize("how", ["good", "broken", "cancelled"])
@pytest.mark.parametrize("kind", ["whole", "stream"])
async def test_every_exchange_of_a_plugins_own_transport_is_left(how, kind):
    """An HTTP client closes much by itself; a transport of another kind relies on the core."""
    from jackfield import Mesh
    from jackfield._plugins.registry import Registry
    from jackfield.plugin import Exchange

    left, waiting = [], asyncio.Event()

    class Counting(FakeTransport):
        @contextlib.asynccontextmanager
        async def exchange(self, wire):
            try:
                async with super().exchange(wire) as exchange:
                    yield Exchange(exchange.head, self.reads(exchange.frames))
            finally:
                left.append(1)

        async def reads(self, frames):
            async for batch in frames:
                if how == "cancelled":
                    waiting.set()
                    await asyncio.sleep(5)
                if how == "broken":
                    raise OSError("cut")
                yield batch

    class Plugin(FakeProvider):
        @hookimpl
        def jackfield_transport(self):
            return Counting(self)

    config = {"connections": {"c": {"provider": "fake"}}}
    async with nothing_left(), Mesh.from_config(config, registry=Registry.of(Plugin())) as mesh:
        task = asyncio.create_task(both(mesh)[kind]())
        if how == "cancelled":
            await waiting.wait()
            await cancelled(task)
        elif how == "broken":
            with pytest.raises(ProviderError):
                await task
        else:
            await task
        assert left == [1]


async def test_leaving_the_block_early_closes_the_upstream_at_once(server):
    server.answer(streamed(*PIECES[:2], *PIECES[3:], stall_after=3, done=False))
    async with nothing_left(server), mesh_for(server.url, max_parallel=1) as mesh:
        async with mesh.stream_chat("c:m", "hi") as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    break
        await server.wait_disconnected(1)
        assert stream.response.text == "he"
        assert not stream.response.complete
        await usable(mesh, server)


async def test_usage_that_was_read_but_not_delivered_is_kept_on_a_break(server):
    pieces = b"".join(Answer.sse(PIECES).chunks)
    server.answer(Answer.stream([pieces], "text/event-stream", stall_after=1))
    async with mesh_for(server.url) as mesh:
        async with mesh.stream_chat("c:m", "hi") as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    break
        assert stream.response.text == "he"
        assert stream.response.usage.output_tokens == 2


async def test_an_exception_in_the_block_closes_the_upstream_and_comes_out(server):
    server.answer(streamed(stall_after=2))
    async with nothing_left(server), mesh_for(server.url) as mesh:
        with pytest.raises(ZeroDivisionError):
            async with mesh.stream_chat("c:m", "hi") as stream:
                async for _ in stream:
                    raise ZeroDivisionError
        await server.wait_disconnected(1)


async def test_closing_from_another_task_ends_the_iteration(server):
    server.answer(streamed(stall_after=2))
    async with nothing_left(server), mesh_for(server.url, max_parallel=1) as mesh:
        async with mesh.stream_chat("c:m", "hi") as stream:

            async def go_on():
                return [event async for event in stream]

            task = asyncio.create_task(go_on())
            await asyncio.sleep(0.05)
            await stream.aclose()
            assert text_of(await asyncio.wait_for(task, 1)) == "he"
            assert not stream.response.complete
        await server.wait_disconnected(1)
        await usable(mesh, server)


async def test_leaving_the_mesh_cuts_what_is_under_way(server):
    server.answer(streamed(stall_after=2), Answer.never())
    async with nothing_left(server):
        async with mesh_for(server.url) as mesh:
            stream = asyncio.create_task(read(mesh.stream_chat("c:m", "hi")))
            whole = asyncio.create_task(mesh.chat("c:m", "hi", timeout=2))
            await server.wait_requests(2)
            await asyncio.sleep(0.05)
        with pytest.raises(StreamInterruptedError):
            await stream
        with pytest.raises(Exception) as caught:
            await whole
    assert type(caught.value).__module__.startswith("jackfield")


async def test_a_cancel_in_a_middleware_that_holds_a_stream_closes_it(server):
    thoughts = [5]

    async def thinks_long(call, proceed):
        stream = await proceed(call)
        await asyncio.sleep(thoughts.pop() if thoughts else 0)
        return stream

    server.answer(streamed(stall_after=2))
    async with (
        nothing_left(server),
        mesh_for(server.url, mesh={"middlewares": [thinks_long]}, max_parallel=1) as mesh,
    ):
        task = asyncio.create_task(read(mesh.stream_chat("c:m", "hi")))
        await server.wait_requests()
        await asyncio.sleep(0.05)
        await cancelled(task)
        await server.wait_disconnected(1)
        await usable(mesh, server)


async def test_parts_of_a_call_are_cancelled_with_it(server):
    import attrs
    from plain_provider import TABLE

    from jackfield.plugin import Limits

    plugin = PlainProvider(capabilities=attrs.evolve(TABLE, limits=Limits(max_inputs=1)))
    server.route("POST", "/embed", Answer.never())
    async with nothing_left(server), mesh_for(server.url, plugin) as mesh:
        task = asyncio.create_task(mesh.embed("c:m", list("abcdef")))
        await server.wait_requests(4)
        await cancelled(task)
        await server.wait_disconnected(1, count=4)
    assert len(server.requests) == 4


# The watchdog, where a cancel and a limit come together


async def test_a_cancel_and_a_limit_in_one_moment_are_a_cancel():
    for order in ("cancel first", "limit first"):
        watchdog = Watchdog(None)

        async def wait(watchdog=watchdog):
            with watchdog("idle", 10):
                await asyncio.sleep(10)

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        watchdog._ends_at = 0
        steps = [task.cancel, watchdog._look]
        for step in steps if order == "cancel first" else reversed(steps):
            step()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        watchdog.stop()


async def test_after_a_time_out_the_task_is_not_cancelled():
    watchdog = Watchdog(None)
    with pytest.raises(TimeoutError):
        with watchdog("idle", 0.01):
            await asyncio.sleep(1)
    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        await asyncio.sleep(0)


async def test_a_callers_own_timeout_is_his_and_not_ours(server):
    server.answer(Answer.never())
    async with mesh_for(server.url) as mesh:
        with pytest.raises(asyncio.TimeoutError) as caught:
            async with asyncio.timeout(0.05):
                await mesh.chat("c:m", "hi", timeout=5)
        assert not isinstance(caught.value, TimeoutError)
        await server.wait_disconnected(1)
