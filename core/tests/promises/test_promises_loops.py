"""A mesh belongs to the event loop and the process in which it was opened; elsewhere it is refused before anything is sent."""

import asyncio
import os
import threading

import pytest
from plain_provider import hello, mesh_for, streamed, text_of

from jackfield import ConfigurationError, Mesh, Registry
from jackfield.testing import FakeProvider


async def read_stream(mesh):
    async with mesh.stream_chat("c:m", "hi") as stream:
        return [event async for event in stream]


CALLS = {
    "chat": lambda mesh: mesh.chat("c:m", "hi"),
    "stream": read_stream,
    "embed": lambda mesh: mesh.embed("c:m", ["hi"]),
    "rerank": lambda mesh: mesh.rerank("c:m", "hi", ["a", "b"]),
    "count": lambda mesh: mesh.count_tokens("c:m", "hi"),
    "models": lambda mesh: mesh.models("c"),
    "all models": lambda mesh: mesh.models(),
    "check": lambda mesh: mesh.check("c"),
}


async def elsewhere(make_call):
    """Run a call in another thread, in an event loop of its own; return what it raised."""
    raised = []

    async def call():
        try:
            await make_call()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=lambda: asyncio.run(call()))
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.001)
    return raised


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("used", [False, True])
async def test_another_event_loop_is_refused_before_anything_is_sent(server, call, used):
    server.route("*", "*", hello())
    async with mesh_for(server.url) as mesh:
        if used:
            await mesh.chat("c:m", "hi")
        sent = len(server.requests)
        (error,) = await elsewhere(lambda: CALLS[call](mesh))
        assert type(error) is ConfigurationError
        assert "another event loop" in str(error)
        assert len(server.requests) == sent
        await mesh.chat("c:m", "hi")  # nothing was harmed


async def test_a_closed_mesh_may_be_opened_in_another_loop(server):
    server.route("*", "*", hello())
    mesh = mesh_for(server.url)

    async def in_its_block():
        async with mesh:
            await mesh.chat("c:m", "hi")

    await in_its_block()
    assert await elsewhere(in_its_block) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
async def test_a_forked_process_is_refused_and_the_first_goes_on(server):
    server.route("*", "*", hello())
    async with mesh_for(server.url) as mesh:
        await mesh.chat("c:m", "hi")
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover -- another process
            said = b"it worked"
            try:
                asyncio._set_running_loop(None)
                asyncio.run(leave_after_call(mesh))
            except BaseException as error:
                said = f"{type(error).__name__}: {error}".encode()
            os.write(writing, said)
            os._exit(0)
        os.close(writing)
        said = await asyncio.to_thread(os.read, reading, 1000)
        os.close(reading)
        os.waitpid(child, 0)
        assert said.startswith(b"ConfigurationError: this mesh was opened before the process forked")
        await asyncio.wait_for(mesh.chat("c:m", "hi"), 5)
    assert len(server.requests) == 2


async def leave_after_call(mesh):
    try:
        await mesh.chat("c:m", "hi")
    finally:
        await mesh.__aexit__(None, None, None)


# What is entered in another way


async def test_with_instead_of_async_with(server):
    mesh = mesh_for(server.url)
    with pytest.raises(ConfigurationError, match="`async with`, not `with`"), mesh:
        pass
    async with mesh:
        with (
            pytest.raises(ConfigurationError, match="`async with`, not `with`"),
            mesh.stream_chat("c:m", "hi"),
        ):
            pass
        with pytest.raises(ConfigurationError, match="entered, not awaited"):
            await mesh.stream_chat("c:m", "hi")
    assert server.requests == []


@pytest.mark.parametrize("read", ["events", "text"])
async def test_a_stream_that_was_read_is_not_read_again_in_silence(server, read):
    server.answer(streamed())
    async with mesh_for(server.url) as mesh, mesh.stream_chat("c:m", "hi") as stream:
        first = [event async for event in stream]
        assert text_of(first)
        with pytest.raises(ConfigurationError, match="read to its end"):
            async for _ in stream if read == "events" else stream.text():
                pass
        assert stream.response.complete


async def test_a_stream_that_is_mapped_is_not_read_again_either(server):
    server.answer(streamed())
    async with mesh_for(server.url) as mesh, mesh.stream_chat("c:m", "hi").map(lambda event: event) as stream:
        assert [event async for event in stream]
        with pytest.raises(ConfigurationError, match="read to its end"):
            async for _ in stream:
                pass


async def test_a_stream_may_be_read_on_after_a_break(server):
    server.answer(streamed())
    async with mesh_for(server.url) as mesh, mesh.stream_chat("c:m", "hi") as stream:
        first = []
        async for event in stream:
            first.append(event)
            break
        rest = [event async for event in stream]
    assert len(first) == 1
    assert text_of([*first, *rest]) == stream.response.text


def test_the_repr_of_a_mesh_names_connections_and_no_secret():
    config = {
        "connections": {"mine": {"provider": "fake"}, "other": {"provider": "fake"}},
        "aliases": {"default": "mine:m"},
    }
    mesh = Mesh.from_config(config, registry=Registry.of(FakeProvider()))
    assert repr(mesh) == "<Mesh, not open; connections: mine, other; aliases: default>"
