"""Every phase of a call has a limit of its own, and says which one it was."""

import asyncio
import contextlib
import json
import socket

import pytest
from plain_provider import (
    PIECES,
    PlainDecoder,
    PlainProvider,
    hello,
    mesh_for,
    nothing_left,
    read,
    streamed,
    text_of,
)

from jackfield import ConfigurationError, Mesh, Started, TimeoutError
from jackfield._plugins.registry import Registry
from jackfield.testing import Answer, FakeProvider

ONCE = {"attempts": 1}


@contextlib.contextmanager
def a_full_backlog():
    """A port that takes no connection: its queue is full, so the kernel lets further ones wait."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(8):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listening.getsockname())
        yield "http://{}:{}".format(*listening.getsockname())


async def phase_of(awaitable):
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(
            3
        ):  # Python's own, which is not ours: a limit that does not hold fails here
            await awaitable
    assert f"phase {caught.value.phase}" in str(caught.value)
    assert caught.value.connection == "c"
    return caught.value.phase


async def test_connect():
    with a_full_backlog() as url:
        async with nothing_left(), mesh_for(url, timeout={"connect": 0.1}, retry=ONCE) as mesh:
            assert await phase_of(mesh.chat("c:m", "hi")) == "connect"


async def test_connect_covers_the_lookup_of_the_name(monkeypatch, server):
    async def slow(*args, **options):
        await asyncio.sleep(5)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", slow)
    async with mesh_for("http://localhost:9", timeout={"connect": 0.1}, retry=ONCE) as mesh:
        assert await phase_of(mesh.chat("c:m", "hi", timeout=2)) == "connect"


@pytest.mark.parametrize("answer", [Answer.never(), streamed(stall_after=0)])
async def test_first_event_of_a_stream(server, answer):
    server.answer(answer)
    async with nothing_left(), mesh_for(server.url, timeout={"first_event": 0.1}, retry=ONCE) as mesh:
        assert await phase_of(read(mesh.stream_chat("c:m", "hi"))) == "first_event"
        await server.wait_disconnected()


async def test_first_event_is_one_that_a_frame_brought(server):
    class EagerDecoder(PlainDecoder):
        def start(self, head):
            return [Started("from start", None)]

    server.answer(streamed(stall_after=0))
    plugin = PlainProvider(decoder=EagerDecoder)
    async with nothing_left(), mesh_for(server.url, plugin, timeout={"first_event": 0.1}, retry=ONCE) as mesh:
        assert await phase_of(read(mesh.stream_chat("c:m", "hi"))) == "first_event"
        await server.wait_disconnected()


async def test_first_event_of_a_whole_answer(server):
    server.answer(Answer.never())
    async with mesh_for(server.url, timeout={"first_event": 0.1}, retry=ONCE) as mesh:
        assert await phase_of(mesh.chat("c:m", "hi")) == "first_event"
        await server.wait_disconnected()


async def test_first_event_counts_for_each_attempt(server, pauses):
    server.answer(Answer.never(), Answer.never(), hello())
    async with mesh_for(server.url, timeout={"first_event": 0.1}) as mesh:
        reply = await mesh.chat("c:m", "hi")
    assert [attempt.error for attempt in reply.attempts] == ["TimeoutError", "TimeoutError", None]


async def test_idle_between_two_events(server):
    server.answer(streamed(stall_after=2))
    async with nothing_left(), mesh_for(server.url, timeout={"idle": 0.1}) as mesh:
        stream = mesh.stream_chat("c:m", "hi")
        assert await phase_of(read(stream)) == "idle"
        assert stream.response.text == "he"
        assert not stream.response.complete
        await server.wait_disconnected()
    assert len(server.requests) == 1


async def test_idle_begins_anew_with_each_event(server):
    server.answer(streamed(interval=0.06))
    async with mesh_for(server.url, timeout={"idle": 0.15}) as mesh:
        assert text_of(await read(mesh.stream_chat("c:m", "hi"))) == "hello"


SIGNS_OF_LIFE = {
    "comments": [b": keep-alive\n\n"] * 5,
    "line ends": [b"\n"] * 5,
    "named events of a gateway": [b"event: ping\ndata: {}\n\n"] * 5,
    "the bytes of one event": [b'data: {"id', b'": "a', b"1", b'"}', b"\n\n"],
}


@pytest.mark.parametrize("what", SIGNS_OF_LIFE)
@pytest.mark.parametrize("phase", ["first_event", "idle"])
async def test_whatever_comes_is_not_silence(server, what, phase):
    first, *rest = [f"data: {json.dumps(piece)}\n\n".encode() for piece in PIECES]
    signs = SIGNS_OF_LIFE[what]
    chunks = [*signs, first, *rest] if phase == "first_event" else [first, *signs, *rest]
    server.answer(Answer.stream([*chunks, b"data: [DONE]\n\n"], "text/event-stream", interval=0.06))
    async with mesh_for(server.url, timeout={phase: 0.15}, retry=ONCE) as mesh:
        assert text_of(await read(mesh.stream_chat("c:m", "hi"))) == "hello"


async def test_a_whole_answer_with_line_ends_before_it_is_not_silent(server):
    chunks = [*[b"\n"] * 5, b'{"text": "hello", "finish": "stop"}']
    server.answer(Answer.stream(chunks, "application/json", interval=0.06))
    async with mesh_for(server.url, timeout={"first_event": 0.15}, retry=ONCE) as mesh:
        assert (await mesh.chat("c:m", "hi")).text == "hello"


async def test_a_listing_that_comes_slowly_is_not_silent(server):
    chunks = [b'{"models"', b": [", b'"a"', b"]}"]
    server.route("GET", "/models*", Answer.stream(chunks, "application/json", interval=0.06))
    async with mesh_for(server.url, timeout={"first_event": 0.15}, retry=ONCE) as mesh:
        assert [card.id for card in await mesh.models("c")] == ["a"]


@pytest.mark.parametrize("phase", ["first_event", "idle"])
async def test_silence_behind_signs_of_life_is_silence(server, phase):
    first = b'data: {"id": "a1"}\n\n' if phase == "idle" else b": hello\n\n"
    answer = Answer.stream(
        [first, b": ping\n\n", b": ping\n\n"], "text/event-stream", interval=0.06, stall_after=2
    )
    server.answer(answer)
    async with nothing_left(), mesh_for(server.url, timeout={phase: 0.15}, retry=ONCE) as mesh:
        assert await phase_of(read(mesh.stream_chat("c:m", "hi"))) == phase
        await server.wait_disconnected()


async def test_total_ends_a_service_that_sends_nothing_but_signs_of_life(server):
    server.answer(Answer.stream([b": ping\n\n"] * 200, "text/event-stream", interval=0.05))
    async with nothing_left(), mesh_for(server.url, timeout={"total": 0.4}, retry=ONCE) as mesh:
        assert await phase_of(read(mesh.stream_chat("c:m", "hi"))) == "total"
        await server.wait_disconnected()


async def test_a_slow_reader_is_not_the_services_silence(server):
    server.answer(streamed())
    async with mesh_for(server.url, timeout={"idle": 0.05}) as mesh:
        async with mesh.stream_chat("c:m", "hi") as stream:
            async for _ in stream:
                await asyncio.sleep(0.08)
        assert stream.response.complete


async def test_total_of_a_whole_answer(server):
    server.answer(Answer.never())
    async with nothing_left(), mesh_for(server.url, timeout={"total": 0.1}) as mesh:
        assert await phase_of(mesh.chat("c:m", "hi")) == "total"
        await server.wait_disconnected()


async def test_total_of_a_stream_that_never_pauses(server):
    server.answer(streamed(*[{"text": "x"}] * 200, interval=0.01))
    async with nothing_left(), mesh_for(server.url, timeout={"total": 0.15}) as mesh:
        stream = mesh.stream_chat("c:m", "hi")
        assert await phase_of(read(stream)) == "total"
        assert stream.response.text.startswith("xx")
        await server.wait_disconnected()


async def test_total_covers_every_attempt(server):
    server.route("POST", "/chat", Answer.json({}, 503, delay=0.06))
    async with mesh_for(server.url, retry={"attempts": 50, "initial_delay": 0.001}) as mesh:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(Exception) as caught:
            await mesh.chat("c:m", "hi", timeout=0.2)
        assert loop.time() - began < 0.4
    assert 1 < len(caught.value.attempts) < 10


async def test_total_covers_all_targets_of_an_alias(server):
    server.route("POST", "/chat", Answer.never())
    tables = {"aliases": {"best": ["c:m", "c:n", "c:o"]}}
    async with mesh_for(server.url, tables=tables, retry=ONCE) as mesh:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(TimeoutError):
            await mesh.chat("best", "hi", timeout={"first_event": 0.2, "total": 0.3})
        assert loop.time() - began < 0.37


async def test_total_covers_all_parts_of_a_call(server):
    plugin = FakeProvider(capabilities=_in_parts(1))
    config = {"connections": {"c": {"provider": "fake", "delay": 0.06}}}
    async with Mesh.from_config(config, registry=Registry.of(plugin)) as mesh:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(TimeoutError):
            await mesh.embed("c:m", list("abcdefghij" * 4), timeout=0.15)
        assert loop.time() - began < 0.3


async def test_waiting_for_a_slot_is_the_phase_queue(server):
    server.answer(streamed(stall_after=1))
    async with nothing_left(), mesh_for(server.url, max_parallel=1) as mesh:
        async with mesh.stream_chat("c:m", "hi"):
            assert await phase_of(mesh.chat("c:m", "hi", timeout=0.1)) == "queue"
    assert len(server.requests) == 1


async def test_waiting_for_a_slot_counts_into_total(server):
    server.answer(streamed(interval=0.04), Answer.never())
    async with mesh_for(server.url, max_parallel=1) as mesh:
        loop = asyncio.get_running_loop()
        began = loop.time()
        _, phase = await asyncio.gather(
            read(mesh.stream_chat("c:m", "hi")), phase_of(mesh.chat("c:m", "hi", timeout=0.3))
        )
    assert phase == "total"
    assert loop.time() - began < 0.45
    assert len(server.requests) == 2


async def test_a_refresh_of_credentials_counts_into_total(server):
    import time

    from plain_provider import PlainProvider

    from jackfield.plugin import Bearer, Token

    fetched = []

    def fetch():
        if fetched:
            time.sleep(0.4)
        fetched.append(1)
        return Token("t")

    server.answer(Answer.json({}, 401), hello())
    async with mesh_for(server.url, PlainProvider(auth=Bearer(fetch))) as mesh:
        assert await phase_of(mesh.chat("c:m", "hi", timeout=0.15)) == "total"


async def test_a_number_is_the_total_and_a_mapping_goes_by_phase(server):
    server.route("POST", "/chat", Answer.never())
    async with mesh_for(server.url, retry=ONCE) as mesh:
        assert await phase_of(mesh.chat("c:m", "hi", timeout=0.05)) == "total"
        assert await phase_of(mesh.chat("c:m", "hi", timeout={"first_event": 0.05})) == "first_event"
        assert await phase_of(mesh.chat("c:m", "hi", timeout={"total": 0.05})) == "total"


@pytest.mark.parametrize(
    ("timeout", "words"),
    [
        ({"totl": 1}, "did you mean 'total'"),
        ("soon", "seconds or a mapping"),
        (True, "seconds or a mapping"),
        ({"idle": "long"}, "idle"),
        (-1, "0 or more"),
    ],
)
async def test_a_timeout_that_makes_no_sense_is_refused(server, timeout, words):
    async with mesh_for(server.url) as mesh:
        with pytest.raises(ConfigurationError, match=words):
            await mesh.chat("c:m", "hi", timeout=timeout)
    assert server.requests == []


async def test_a_time_out_is_pythons_own_too(server):
    server.answer(Answer.never())
    async with mesh_for(server.url) as mesh:
        with pytest.raises(asyncio.TimeoutError):
            await mesh.chat("c:m", "hi", timeout=0.05)


async def test_a_whole_answer_may_take_longer_than_streams_may_before_their_first_event(server, monkeypatch):
    monkeypatch.setattr("jackfield._types.policies._STREAM_FIRST_EVENT", 0.05)
    server.answer(Answer.json({"text": "ok", "finish": "stop"}, delay=0.15), Answer.never())
    async with mesh_for(server.url, retry=ONCE) as mesh:
        assert (await mesh.chat("c:m", "hi")).text == "ok"
        assert await phase_of(read(mesh.stream_chat("c:m", "hi"))) == "first_event"


async def test_no_limit_at_all_is_no_timer(server):
    none = dict.fromkeys(("connect", "first_event", "idle", "total"), None)
    server.answer(streamed(*PIECES, interval=0.01))
    async with mesh_for(server.url) as mesh:
        assert text_of(await read(mesh.stream_chat("c:m", "hi", timeout=none))) == "hello"


def _in_parts(most):
    from jackfield.plugin import Capabilities, Limits

    return Capabilities(kinds=frozenset({"embedding"}), limits=Limits(max_inputs=most))
