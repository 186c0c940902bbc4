"""Waiting for a slot: only the limit of the whole call applies to it, whatever waits and wherever."""

import asyncio
import time

import pytest
from waiting import until

from jackfield import Mesh, OverloadedError, TextDelta, TimeoutError
from jackfield_onnx import OnnxSettings
from jackfield_onnx._engine.embedder import Embedder
from jackfield_onnx._engine.engine import Engine
from jackfield_onnx._transport import OnnxTransport


@pytest.fixture
def config(tiny_folder, encoder_folder):
    def make(**keys):
        models = [
            {"id": "tiny", "folder": str(tiny_folder), "kinds": ["chat", "completion"]},
            {"id": "words", "folder": str(encoder_folder), "kind": "embedding"},
        ]
        return {"connections": {"local": {"provider": "onnx", "threads": 1, "models": models, **keys}}}

    return make


@pytest.fixture
def says(scripted, monkeypatch):
    """Put an engine that follows a script in the place of the tiny model."""

    def put(*args, **keys):
        engine = scripted(*args, **keys)

        async def load(folder, settings):
            return engine

        monkeypatch.setattr(Engine, "load", load)
        return engine

    return put


async def read_stream(mesh, **options):
    async with mesh.stream_chat("local:tiny", "hi", **options) as stream:
        return "".join([event.text async for event in stream if isinstance(event, TextDelta)])


async def test_ninety_streams_with_nothing_declared_are_all_answered(config):
    async with Mesh.from_config(config(timeout={"first_event": 5})) as mesh:
        texts = await asyncio.gather(*(read_stream(mesh, max_tokens=8, seed=1) for _ in range(90)))

    assert len(set(texts)) == 1
    assert len(texts) == 90


async def test_waiting_for_a_slot_does_not_count_against_the_first_event(config, says):
    says("abcdefg", delay=0.03, slots=8, max_queue=None).decoder.read_delay = 0.001
    began = time.monotonic()

    async with Mesh.from_config(config(timeout={"first_event": 1}, retry={"attempts": 1})) as mesh:
        texts = await asyncio.gather(*(read_stream(mesh) for _ in range(90)))

    assert texts == ["abcdefg"] * 90
    assert time.monotonic() - began > 2  # so most have waited for longer than they may for the first event


async def test_the_first_event_is_limited_from_the_slot_on(config, says):
    says("a", delay=30, slots=1)

    async with Mesh.from_config(config(timeout={"first_event": 0.1}, retry={"attempts": 1})) as mesh:
        with pytest.raises(TimeoutError) as caught:
            await read_stream(mesh)

    assert caught.value.phase == "first_event"


@pytest.mark.parametrize("call", ["chat", "stream"])
async def test_waiting_is_held_to_the_limit_of_the_whole_call(config, says, call):
    engine = says("a", delay=0.02, ends=False)

    async with Mesh.from_config(config(timeout={"total": 0.3}, retry={"attempts": 1})) as mesh:
        first = asyncio.create_task(mesh.chat("local:tiny", "hi", timeout={"total": 60}))
        await until(lambda: engine.decoder.calls > 1)
        with pytest.raises(TimeoutError) as caught:
            await (read_stream(mesh) if call == "stream" else mesh.chat("local:tiny", "hi"))
        first.cancel()
        await asyncio.wait([first])
        await until(lambda: not engine.busy)

    assert caught.value.phase == "total"


async def test_a_call_that_is_cancelled_while_it_waits_leaves_nothing(config, says, monkeypatch):
    engine, transports = says("a", delay=0.01, ends=False), []
    opened = OnnxTransport.open
    monkeypatch.setattr(OnnxTransport, "open", lambda self: transports.append(self) or opened(self))

    async with Mesh.from_config(config()) as mesh:
        calls = [asyncio.create_task(mesh.chat("local:tiny", "hi")) for _ in range(5)]
        await until(lambda: len(engine._scheduler._waiting) == 4)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        await until(lambda: not engine.busy)

        assert all(call.cancelled() for call in calls)
        assert transports[0]._admitted == {}


async def test_a_declared_queue_still_has_its_bound(config):
    assert OnnxSettings().max_queue is None
    async with Mesh.from_config(config(max_queue=0, slots=1, retry={"attempts": 1})) as mesh:
        async with mesh.stream_chat("local:tiny", "hi", max_tokens=60, seed=1):
            with pytest.raises(OverloadedError, match="raise max_queue"):
                await mesh.chat("local:tiny", "hi")


async def test_embeddings_wait_in_the_same_way_and_not_behind_chats(config, says, monkeypatch):
    says("a", delay=0.1, ends=False, max_queue=None)
    embed = Embedder._embed

    def slowly(self, *args):
        time.sleep(0.1)
        return embed(self, *args)

    monkeypatch.setattr(Embedder, "_embed", slowly)
    async with Mesh.from_config(config(timeout={"first_event": 1}, retry={"attempts": 1})) as mesh:
        chats = [asyncio.create_task(mesh.chat("local:tiny", "hi", timeout={"total": 60})) for _ in range(20)]
        replies = await asyncio.gather(*(mesh.embed("local:words", "one") for _ in range(20)))
        assert not any(chat.done() for chat in chats)
        for chat in chats:
            chat.cancel()
        await asyncio.wait(chats)

    assert len(replies) == 20


async def test_a_failure_after_the_queue_is_told_like_any_other(config, monkeypatch):
    def fail(self, *args):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(Embedder, "_embed", fail)
    async with Mesh.from_config(config(retry={"attempts": 1})) as mesh:
        with pytest.raises(Exception, match="embedder failed: out of memory") as caught:
            await mesh.embed("local:words", "one")

    assert caught.value.code == "GenerationError"
