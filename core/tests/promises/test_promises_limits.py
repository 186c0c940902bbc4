"""What a connection is held to: calls at once, and what goes with every request."""

import asyncio
import gc
import os

import pytest
from plain_provider import PIECES, PlainProvider, hello, mesh_for, nothing_left, streamed, text_of

from jackfield import ConfigurationError, Mesh, StreamInterruptedError
from jackfield._plugins.registry import Registry
from jackfield.testing import Answer


class Gate:
    """Answers after a while, and knows how many it answered at once."""

    def __init__(self):
        self.now = self.most = 0

    async def __call__(self, request):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.02)
        self.now -= 1
        return hello()


@pytest.mark.parametrize("most", [1, 3])
async def test_no_more_calls_at_once_than_allowed(server, most):
    gate = Gate()
    server.route("POST", "/chat", gate)
    async with mesh_for(server.url, max_parallel=most) as mesh:
        await asyncio.gather(*(mesh.chat("c:m", "hi") for _ in range(9)))
        assert mesh._open["c"].slots._value == most
    assert gate.most == most
    assert server.connections == most


async def test_without_a_limit_all_go_at_once(server):
    gate = Gate()
    server.route("POST", "/chat", gate)
    async with mesh_for(server.url) as mesh:
        await asyncio.gather(*(mesh.chat("c:m", "hi") for _ in range(50)))
    assert gate.most == 50


async def test_a_stream_holds_its_slot_until_it_is_closed(server):
    server.answer(streamed(), hello())
    async with mesh_for(server.url, max_parallel=1) as mesh:
        async with mesh.stream_chat("c:m", "hi") as stream:
            await anext(stream)
            waiting = asyncio.create_task(mesh.chat("c:m", "hi"))
            await asyncio.sleep(0.05)
            assert len(server.requests) == 1
        assert (await waiting).text == "hello"
        assert mesh._open["c"].slots._value == 1


async def test_a_stream_that_was_read_to_its_end_gives_its_slot_back_inside_the_block(server):
    server.answer(streamed(), hello())
    async with mesh_for(server.url, max_parallel=1) as mesh:
        async with mesh.stream_chat("c:m", "hi") as stream:
            assert text_of([event async for event in stream]) == "hello"
            assert (await mesh.chat("c:m", "hi", timeout=1)).text == "hello"


async def test_a_broken_stream_gives_its_slot_back_at_once(server):
    server.answer(streamed(*PIECES[:2], done=False), hello())
    async with mesh_for(server.url, max_parallel=1) as mesh:
        async with mesh.stream_chat("c:m", "hi") as stream:
            with pytest.raises(StreamInterruptedError):
                while True:
                    await anext(stream)
            assert (await mesh.chat("c:m", "hi", timeout=1)).text == "hello"


async def test_a_slot_is_held_over_all_attempts_of_a_call(server, pauses):
    server.answer(Answer.json({}, 503), hello("first"), hello("second"))
    async with mesh_for(server.url, max_parallel=1) as mesh:
        replies = await asyncio.gather(mesh.chat("c:m", "1"), mesh.chat("c:m", "2"))
    assert [reply.text for reply in replies] == ["first", "second"]


async def test_each_connection_has_its_own_slots(server):
    server.answer(streamed(stall_after=1), hello())
    table = {"provider": "plain", "base_url": server.url, "api_key": "none", "max_parallel": 1}
    config = {"connections": {"a": table, "b": table}}
    async with Mesh.from_config(config, registry=Registry.of(PlainProvider())) as mesh:
        async with mesh.stream_chat("a:m", "hi"):
            assert (await mesh.chat("b:m", "hi", timeout=1)).text == "hello"


async def test_headers_of_the_connection_go_with_every_request(server):
    server.route("POST", "/chat", hello())
    server.route("GET", "/models*", Answer.json({"models": []}))
    headers = {"X-Team": "blue", "user-agent": "ours", "x-plain": "2"}
    async with mesh_for(server.url, headers=headers) as mesh:
        await mesh.chat("c:m", "hi")
        await mesh.models("c")
    for request in server.requests:
        assert request.headers["x-team"] == "blue"
        assert request.headers["user-agent"] == "ours"
        assert request.headers["x-plain"] == "2"


async def test_a_proxy_of_the_connection_is_used(server):
    server.route("POST", "*", hello())
    async with mesh_for("http://service.invalid/v1", proxy=server.url) as mesh:
        assert (await mesh.chat("c:m", "hi")).text == "hello"
    assert server.requests[0].path_qs == "http://service.invalid/v1/chat"


async def test_a_ca_bundle_that_is_none_is_named_when_the_connection_opens(server, tmp_path):
    (tmp_path / "ca.pem").write_text("nonsense")
    async with mesh_for(server.url, ca_bundle=str(tmp_path / "ca.pem")) as mesh:
        with pytest.raises(ConfigurationError, match="ca.pem") as caught:
            await mesh.chat("c:m", "hi")
    assert caught.value.connection == "c"


# Many at once


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files the Linux way")
async def test_five_hundred_streams_at_once_leave_nothing_behind(server):
    pieces = [PIECES[0], *({"text": "x"} for _ in range(8)), *PIECES[3:]]
    server.route("POST", "/chat", streamed(*pieces))

    async def one(mesh, number):
        async with mesh.stream_chat("c:m", f"number {number}") as stream:
            seen = 0
            async for _ in stream:
                seen += 1
                if number % 5 == 0 and seen == 4:
                    break  # a fifth of the readers go early
        return stream.response.complete, seen

    async def everybody():
        async with nothing_left(server):
            async with mesh_for(server.url) as mesh:
                results = await asyncio.gather(*(one(mesh, number) for number in range(500)))
        assert results.count((True, 11)) == 400
        return len(os.listdir("/proc/self/fd"))

    def objects():
        server.requests.clear()
        server.disconnects.clear()
        gc.collect()
        return len(gc.get_objects())

    await everybody()
    before = objects()
    files = await everybody()
    assert objects() - before < 1000, "objects are left after a second round of 500 streams"
    assert await everybody() <= files


async def test_many_calls_share_a_few_slots_and_none_is_lost(server):
    server.route("POST", "/chat", lambda request: hello(request.json["messages"][0]["text"]))
    async with nothing_left(server), mesh_for(server.url, max_parallel=8) as mesh:
        replies = await asyncio.gather(*(mesh.chat("c:m", str(number)) for number in range(200)))
        assert mesh._open["c"].slots._value == 8
    assert [reply.text for reply in replies] == [str(number) for number in range(200)]
    assert server.connections <= 8
