"""Events that came together can be read together, and nothing else changes."""

import pytest

from jackfield import Mesh, Registry, TextDelta
from jackfield.testing import Answer, RecordingServer

CHUNK = '{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]}'


def events(*texts):
    sent = [("data: " + CHUNK % (text, "null") + "\n\n").encode() for text in texts]
    return [
        *sent[:2],
        b"".join(sent[2:]) + ("data: " + CHUNK % ("", '"stop"') + "\n\ndata: [DONE]\n\n").encode(),
    ]


def mesh_at(server):
    connection = {"provider": "openai", "base_url": f"{server.url}/v1", "api_key": "none"}
    return Mesh.from_config({"connections": {"c": connection}})


@pytest.fixture
async def server():
    async with RecordingServer() as server:
        yield server


async def test_all_events_come_in_order_each_once(server):
    texts = [f"t{number} " for number in range(50)]
    server.answer(Answer.stream(events(*texts), "text/event-stream", interval=0.01))
    async with mesh_at(server) as mesh, mesh.stream_chat("c:m", "hi") as stream:
        batches = [[event, *stream.ready()] async for event in stream]
    read = [event.text for batch in batches for event in batch if type(event) is TextDelta]
    assert read == texts
    assert len(batches) < 10
    assert stream.response.text == "".join(texts)
    assert stream.response.complete


async def test_what_is_ready_counts_as_read(server):
    server.answer(Answer.stream([b"".join(events("a", "b", "c"))], "text/event-stream"))
    async with mesh_at(server) as mesh, mesh.stream_chat("c:m", "hi") as stream:
        await anext(stream)
        await anext(stream)
        assert stream.response.text == "a"
        stream.ready()
        assert stream.response.text == "abc"
        assert stream.ready() == []


async def test_observers_change_nothing_and_middlewares_that_map_give_one_at_a_time(server):
    async def shout(call, proceed):
        source = await proceed(call)
        return source.map(lambda event: TextDelta(event.text.upper()) if type(event) is TextDelta else event)

    registry = Registry.installed().extended(middlewares={"shout": lambda settings: shout})
    server.answer(Answer.stream([b"".join(events("a", "b", "c"))], "text/event-stream"))
    config = {
        "connections": {
            "c": {
                "provider": "openai",
                "base_url": f"{server.url}/v1",
                "api_key": "none",
                "middlewares": ["shout"],
            }
        }
    }
    async with Mesh.from_config(config, registry=registry) as mesh, mesh.stream_chat("c:m", "hi") as stream:
        read = [[event, *stream.ready()] async for event in stream]
    assert all(len(batch) == 1 for batch in read)
    assert "".join(event.text for batch in read for event in batch if type(event) is TextDelta) == "ABC"
