"""Nothing happens at import; everything that opens is closed by the block; one mesh, several loops."""

import asyncio
import gc
import json
import os
import subprocess
import sys
import textwrap
import warnings

import pytest
from plain_provider import PlainProvider, hello, mesh_for, nothing_left, read, streamed

from jackfield import ConfigurationError, Mesh, TimeoutError
from jackfield._plugins.registry import Registry
from jackfield.plugin import hookimpl
from jackfield.testing import FakeProvider, RecordingServer
from jackfield.testing._fakes import FakeTransport


def in_a_fresh_process(code):
    script = textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout)


def test_import_opens_nothing_and_loads_neither_client_nor_plugins():
    seen = in_a_fresh_process(
        """
        import json, socket, sys, threading
        before = set(sys.modules)
        made = []
        init = socket.socket.__init__
        socket.socket.__init__ = lambda self, *a, **k: (made.append(1), init(self, *a, **k))[1]
        import jackfield
        heavy = ("aiohttp", "tenacity", "pluggy", "orjson", "numpy", "asyncio", "ssl", "jackfield_openai")
        print(json.dumps({
            "sockets": len(made), "threads": threading.active_count(),
            "heavy": [name for name in heavy if name in set(sys.modules) - before],
        }))
        """
    )
    assert seen == {"sockets": 0, "threads": 1, "heavy": []}


def test_a_mesh_that_was_not_entered_opens_nothing_either():
    seen = in_a_fresh_process(
        """
        import json, sys, threading
        import jackfield
        from jackfield._plugins.registry import Registry
        from jackfield.testing import FakeProvider
        mesh = jackfield.Mesh.from_config({"connections": {"c": {"provider": "fake"}}}, registry=Registry.of(FakeProvider()))
        mesh.explain("c:m", "hi")
        print(json.dumps({"threads": threading.active_count(), "client": "aiohttp" in sys.modules,
                          "plugins": [n for n in sys.modules if n.startswith("jackfield_")]}))
        """
    )
    assert seen == {"threads": 1, "client": False, "plugins": []}


async def test_calls_outside_the_block_are_refused(server):
    mesh = mesh_for(server.url)

    async def every_call():
        for call in (
            lambda: mesh.chat("c:m", "hi"),
            lambda: mesh.complete("c:m", "hi"),
            lambda: mesh.embed("c:m", ["hi"]),
            lambda: mesh.rerank("c:m", "q", ["hi"]),
            lambda: mesh.summarize("c:m", "hi"),
            lambda: mesh.count_tokens("c:m", "hi"),
            mesh.models,
            lambda: mesh.models("c"),
            lambda: mesh.check("c"),
            lambda: read(mesh.stream_chat("c:m", "hi")),
            lambda: read(mesh.stream_complete("c:m", "hi")),
        ):
            with pytest.raises(ConfigurationError, match="async with"):
                await call()

    await every_call()
    async with mesh:
        pass
    await every_call()
    assert server.connections == 0


async def test_what_opens_nothing_works_outside_the_block(server):
    mesh = mesh_for(server.url)
    assert list(mesh.connections) == ["c"]
    assert mesh.explain("c:m", "hi").url == server.url + "/chat"
    assert server.connections == 0


async def test_everything_is_closed_at_the_end_of_the_block(server):
    server.route("POST", "/chat", lambda request: streamed() if request.json.get("stream") else hello())
    async with nothing_left(server):
        async with mesh_for(server.url) as mesh:
            await asyncio.gather(*(mesh.chat("c:m", "hi") for _ in range(10)))
            await read(mesh.stream_chat("c:m", "hi"))
            assert server.open_connections > 0
    assert server.open_connections == 0


async def test_everything_is_closed_when_the_block_fails(server):
    server.answer(hello())
    async with nothing_left(server):
        with pytest.raises(ZeroDivisionError):
            async with mesh_for(server.url) as mesh:
                await mesh.chat("c:m", "hi")
                raise ZeroDivisionError


async def test_one_pool_for_all_calls_of_a_connection(server):
    server.route("POST", "/chat", hello())
    async with mesh_for(server.url) as mesh:
        for _ in range(5):
            await mesh.chat("c:m", "hi")
    assert server.connections == 1


async def test_nothing_opens_before_the_first_call():
    fake = FakeProvider()
    async with Mesh.from_config(
        {"connections": {"c": {"provider": "fake"}}}, registry=Registry.of(fake)
    ) as mesh:
        assert fake.opened == 0
        await asyncio.gather(*(mesh.chat("c:m", "hi") for _ in range(10)))
        assert (fake.opened, fake.closed) == (1, 0)
    assert (fake.opened, fake.closed) == (1, 1)


async def test_a_mesh_is_entered_once_at_a_time_and_again_after(server):
    server.route("POST", "/chat", hello())
    mesh = mesh_for(server.url)
    for _ in range(2):
        async with mesh:
            with pytest.raises(ConfigurationError, match="open already"):
                await mesh.__aenter__()
            assert (await mesh.chat("c:m", "hi")).text == "hello"
    assert server.connections == 2


def test_two_event_loops_in_turn():
    mesh = None

    async def once():
        nonlocal mesh
        async with RecordingServer() as server:
            server.route(
                "POST", "/chat", lambda request: streamed() if request.json.get("stream") else hello()
            )
            if mesh is None:
                mesh = mesh_for("http://127.0.0.1:1", max_parallel=1)
            # Each loop has its own server; the mesh stays the same.
            object.__setattr__(mesh.connections["c"].settings, "base_url", server.url)
            async with nothing_left(server), mesh:
                replies = await asyncio.gather(*(mesh.chat("c:m", "hi") for _ in range(3)))
                await read(mesh.stream_chat("c:m", "hi"))
                return [reply.text for reply in replies]

    assert [asyncio.run(once()) for _ in range(3)] == [["hello"] * 3] * 3


async def test_two_meshes_share_nothing(server):
    server.route("POST", "/chat", hello())
    registry = Registry.of(PlainProvider())
    async with mesh_for(server.url, registry=registry) as one:
        async with mesh_for(server.url, registry=registry) as other:
            await one.chat("c:m", "hi")
            await other.chat("c:m", "hi")
        await one.chat("c:m", "hi")
    assert server.connections == 2


async def test_one_connection_that_cannot_be_closed_does_not_keep_the_others_open():
    class Stuck(FakeTransport):
        async def aclose(self):
            await super().aclose()
            if self._fake.id == "stuck":
                raise OSError("cannot close")

    class Plugin(FakeProvider):
        @hookimpl
        def jackfield_transport(self):
            return Stuck(self)

    stuck, fine = Plugin("stuck"), Plugin("fine")
    config = {"connections": {"a": {"provider": "stuck"}, "b": {"provider": "fine"}}}
    mesh = Mesh.from_config(config, registry=Registry.of(stuck, fine))
    with pytest.raises(OSError, match="cannot close"):
        async with mesh:
            await mesh.chat("a:m", "hi")
            await mesh.chat("b:m", "hi")
    assert fine.closed == 1


async def test_a_call_that_outlives_the_block_opens_nothing_again(server):
    started = asyncio.Event()

    async def slow(call, proceed):
        started.set()
        await asyncio.sleep(0.05)
        return await proceed(call)

    async with mesh_for(server.url, mesh={"middlewares": [slow]}) as mesh:
        task = asyncio.create_task(mesh.chat("c:m", "hi"))
        await started.wait()
    with pytest.raises(ConfigurationError, match="left"):
        await task
    assert server.connections == 0


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files the Linux way")
async def test_no_file_is_left_open(server):
    server.route("POST", "/chat", hello())

    async def round_trip():
        async with mesh_for(server.url) as mesh:
            await asyncio.gather(*(mesh.chat("c:m", "hi") for _ in range(20)))
        await server.wait_closed()

    await round_trip()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await round_trip()
    assert len(os.listdir("/proc/self/fd")) <= before


async def enter(mesh):
    """Enter a stream by hand, and read one event."""
    stream = await mesh.stream_chat("c:m", "hi").__aenter__()
    await anext(stream)
    return stream


async def test_a_stream_that_is_dropped_gives_its_slot_and_its_connection_back(server):
    server.answer(streamed(stall_after=1), hello())
    async with nothing_left(server), mesh_for(server.url, max_parallel=1) as mesh:
        stream = await enter(mesh)
        with pytest.warns(ResourceWarning, match=r"a stream of c:m was dropped.*async with"):
            del stream
        async with asyncio.timeout(5):
            assert (await mesh.chat("c:m", "hi")).text == "hello"
        await server.wait_disconnected()


async def test_a_stream_that_is_closed_or_read_to_its_end_is_not_warned_of(server):
    server.answer(streamed(), streamed(stall_after=1), hello())
    async with mesh_for(server.url, max_parallel=1) as mesh:
        stream = await enter(mesh)
        [event async for event in stream]
        stream = await enter(mesh)
        await stream.aclose()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del stream
            gc.collect()
        assert caught == []
        assert (await mesh.chat("c:m", "hi")).text == "hello"


async def test_a_stream_that_nobody_reads_ends_at_the_limit_of_its_call(server):
    server.answer(streamed(stall_after=1), hello())
    limits = {"total": 3, "first_event": 1, "idle": 1}
    async with mesh_for(server.url, max_parallel=1, timeout=limits) as mesh:
        stream = await enter(mesh)
        await asyncio.sleep(5)
        await server.wait_disconnected()
        async with asyncio.timeout(2):
            assert (await mesh.chat("c:m", "hi")).text == "hello"
        with pytest.raises(TimeoutError, match="total") as caught:
            [event async for event in stream]
        assert caught.value.phase == "total"
        assert not stream.response.complete
        await stream.aclose()
