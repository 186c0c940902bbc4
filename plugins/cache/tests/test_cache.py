"""Equal calls are answered once, and nothing but whole answers is kept."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import stat
import time
from array import array

import pytest

from jackfield import (
    ConfigurationError,
    Finish,
    JackfieldError,
    Mesh,
    Message,
    RawEvent,
    Registry,
    ServerError,
    StreamInterruptedError,
    Text,
    TextDelta,
    TimeoutError,
    Tool,
    Usage,
)
from jackfield.plugin import RateCard
from jackfield.testing import FakeAnswer, FakeProvider
from jackfield_cache import CACHE, ResponseCache
from jackfield_cache._cache import NAME
from jackfield_cache._stores import MemoryStore, SqliteStore

PRICE = RateCard.of(source="test", input="1000000", output="2000000")


def counting(*answers):
    """A provider that says which answer it is, so that one from the cache is told from a new one."""
    provider = FakeProvider(answers=answers or (lambda request: f"answer {len(provider.wires)}"), price=PRICE)
    return provider


def mesh_for(provider, settings=None, **connection):
    registry = Registry.of(provider, middlewares={"cache": CACHE})
    config = {
        "defaults": {"middlewares": ["cache"], "retry": {"attempts": 1}},
        "connections": {"fake": {"provider": "fake", **connection}, "other": {"provider": "fake"}},
        "middleware": {"cache": settings or {}},
    }
    return Mesh.from_config(config, registry=registry)


@pytest.fixture(params=["memory", "file"])
def settings(request, tmp_path):
    return {} if request.param == "memory" else {"path": str(tmp_path / "answers.sqlite")}


async def read(mesh, *args, **kwargs):
    async with mesh.stream_chat(*args, **kwargs) as stream:
        events = [event async for event in stream]
    return events, stream.response


async def test_the_second_of_two_equal_calls_is_answered_from_the_cache(settings):
    provider = counting()
    async with mesh_for(provider, settings) as mesh:
        first = await mesh.chat("fake:echo", "Hi", temperature=0)
        second = await mesh.chat("fake:echo", "Hi", temperature=0)
    assert len(provider.wires) == 1
    assert first.text == second.text == "answer 1"
    assert first.replay is None
    assert second.replay.by == NAME
    assert second.finish_reason == "stop"
    assert second.complete
    assert (second.id, second.model) == (first.id, first.model)


async def test_a_hit_costs_nothing_and_says_what_it_saved(settings):
    async with mesh_for(counting(), settings) as mesh:
        first = await mesh.chat("fake:echo", "Hi")
        second = await mesh.chat("fake:echo", "Hi")
    assert first.cost.amount == 5
    assert (second.cost.status, second.cost.amount, second.cost.currency) == ("complete", 0, "USD")
    assert "saved 5 USD" in second.cost.items[0].source
    assert second.usage == Usage(input_tokens=0, output_tokens=0)
    assert second.replay.cost == first.cost
    assert second.replay.usage == first.usage
    assert second.attempts == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"temperature": 0}, {"temperature": 0.5}),
        ({"temperature": 0}, {}),
        ({"max_tokens": 5}, {"max_tokens": 6}),
        ({"system": "a"}, {"system": ""}),
        ({"tools": [Tool("look")]}, {"tools": [Tool("see")]}),
        ({"extra": {"fake": {"a": 1}}}, {"extra": {"fake": {"a": 2}}}),
        ({"unsupported": "drop"}, {}),
    ],
)
async def test_calls_that_differ_are_asked_each(one, other):
    provider = counting()
    async with mesh_for(provider) as mesh:
        await mesh.chat("fake:echo", "Hi", **one)
        await mesh.chat("fake:echo", "Hi", **other)
        await mesh.chat("fake:echo", "Ho", **one)
        await mesh.chat("other:echo", "Hi", **one)
        await mesh.chat("fake:else", "Hi", **one)
        await mesh.complete("fake:echo", "Hi")
        await mesh.summarize("fake:echo", "Hi")
    assert len(provider.wires) == 7


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"temperature": 1}, {"temperature": 1.0}),
        ({"stop": ["a"]}, {"stop": ("a",)}),
        ({"user": "ann"}, {"user": "bob"}),
        ({"timeout": 5}, {"timeout": 9}),
        ({"extra": {"openai": {"a": 1}}}, {}),
        ({"tools": [Tool("look", cache="5m")]}, {"tools": [Tool("look")]}),
        (
            {"response_format": {"type": "object", "properties": {}}},
            {"response_format": {"properties": {}, "type": "object"}},
        ),
    ],
)
async def test_calls_that_mean_the_same_are_equal(one, other):
    provider = counting('{"a": 1}', '{"a": 2}')
    async with mesh_for(provider) as mesh:
        await mesh.chat("fake:echo", "Hi", **one)
        second = await mesh.chat("fake:echo", [Message("user", (Text("Hi", cache="1h"),))], **other)
    assert len(provider.wires) == 1
    if "response_format" in one:
        assert second.parsed == {"a": 1}


async def test_users_are_told_apart_if_that_is_wished():
    provider = counting()
    async with mesh_for(provider, {"per_user": True}) as mesh:
        await mesh.chat("fake:echo", "Hi", user="ann")
        await mesh.chat("fake:echo", "Hi", user="bob")
    assert len(provider.wires) == 2


async def test_a_stream_is_recorded_and_replayed_event_by_event(settings):
    provider = counting(FakeAnswer(chunks=["Good ", "day"], thinking="hm", tool_calls=[("look", {"a": 1})]))
    async with mesh_for(provider, settings) as mesh:
        first, one = await read(mesh, "fake:echo", "Hi")
        second, two = await read(mesh, "fake:echo", "Hi")
        whole = await mesh.chat("fake:echo", "Hi")
    assert len(provider.wires) == 1
    assert first == second
    assert one.choices == two.choices == whole.choices
    assert one.replay is None
    assert two.replay.by == whole.replay.by == NAME
    assert two.cost.amount == 0


async def test_a_whole_answer_is_replayed_as_a_stream():
    provider = counting()
    async with mesh_for(provider) as mesh:
        whole = await mesh.chat("fake:echo", "Hi")
        events, streamed = await read(mesh, "fake:echo", "Hi")
    assert len(provider.wires) == 1
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["answer 1"]
    assert sum(isinstance(event, Finish) for event in events) == 1
    assert streamed.choices == whole.choices


async def test_a_reader_who_changes_events_changes_no_record():
    provider = counting()
    async with mesh_for(provider) as mesh:
        for _ in range(2):
            async with mesh.stream_chat("fake:echo", "Hi") as stream:
                async for event in stream:
                    if isinstance(event, TextDelta):
                        event.text = "mine"
        assert (await mesh.chat("fake:echo", "Hi")).text == "answer 1"


async def test_embeddings_and_rankings_are_kept_too(settings):
    provider = FakeProvider()
    async with mesh_for(provider, settings) as mesh:
        first = await mesh.embed("fake:echo", ["a", "b"])
        second = await mesh.embed("fake:echo", ["a", "b"])
        ranked = await mesh.rerank("fake:echo", "b", ["a", "b"])
        again = await mesh.rerank("fake:echo", "b", ["a", "b"])
    assert len(provider.wires) == 2
    assert [array("f", v).tolist() for v in first.embeddings] == [
        array("f", v).tolist() for v in second.embeddings
    ]
    assert type(second.embeddings[0]) is type(first.embeddings[0])
    assert ranked.results == again.results
    assert again.replay.by == NAME


async def test_tokens_are_counted_anew():
    provider = FakeProvider()
    async with mesh_for(provider) as mesh:
        await mesh.count_tokens("fake:echo", "Hi")
        await mesh.count_tokens("fake:echo", "Hi")
    assert len(provider.wires) == 2


async def test_only_the_kinds_that_are_named_are_kept():
    provider = counting()
    async with mesh_for(provider, {"kinds": ["embedding"]}) as mesh:
        await mesh.chat("fake:echo", "Hi")
        await mesh.chat("fake:echo", "Hi")
    assert len(provider.wires) == 2


# What is never kept


async def test_an_error_is_never_kept(settings):
    provider = counting(503, "well")
    async with mesh_for(provider, settings) as mesh:
        with pytest.raises(JackfieldError):
            await mesh.chat("fake:echo", "Hi")
        assert (await mesh.chat("fake:echo", "Hi")).text == "well"


@pytest.mark.parametrize("finish", ["length", "content_filter", "refusal", "pause", "other"])
async def test_an_answer_that_ended_otherwise_is_never_kept(finish):
    provider = counting(FakeAnswer(text="cut", finish=finish), FakeAnswer(text="cut", finish=finish), "whole")
    async with mesh_for(provider) as mesh:
        assert (await mesh.chat("fake:echo", "Hi")).text == "cut"
        assert (await read(mesh, "fake:echo", "Hi"))[1].text == "cut"
        assert (await mesh.chat("fake:echo", "Hi")).text == "whole"


async def test_an_answer_cut_by_its_limit_is_kept_if_that_is_wished():
    provider = counting(FakeAnswer(text="cut", finish="length"))
    async with mesh_for(provider, {"finish_reasons": ["stop", "length"]}) as mesh:
        await mesh.chat("fake:echo", "Hi")
        assert (await mesh.chat("fake:echo", "Hi")).replay is not None


async def test_a_stream_that_breaks_or_is_left_is_never_kept(settings):
    provider = counting(FakeAnswer(text="half of it", truncate=True), "all of it", "all of it")
    async with mesh_for(provider, settings) as mesh:
        with pytest.raises(StreamInterruptedError):
            await read(mesh, "fake:echo", "Hi")
        async with mesh.stream_chat("fake:echo", "Hi") as stream:
            await anext(aiter(stream))
        assert (await mesh.chat("fake:echo", "Hi")).replay is None
    assert len(provider.wires) == 3


async def test_what_has_no_form_in_json_is_not_kept():
    cache = ResponseCache(CACHE.settings())
    from jackfield_cache._record import Record, encode

    with pytest.raises(TypeError, match="object cannot be recorded"):
        encode(Record([RawEvent("x", object())], None))
    with pytest.raises(TypeError):
        encode(Record([RawEvent("x", float("inf"))], None))
    await cache.aclose()


async def test_a_price_that_fails_breaks_no_call(caplog):
    from jackfield import Choice, Reply
    from jackfield.plugin import Call, ChatRequest, ModelRef

    def broken():
        raise ZeroDivisionError("the price")

    answered = Reply(
        choices=(Choice(index=0, message=Message("assistant", "well"), finish_reason="stop"),), cost=broken
    )

    async def proceed(call):
        return answered

    call = Call(
        id="1", kind="chat", target="c:m", connection="c", provider="p", model=ModelRef("m"),
        request=ChatRequest((Message("user", "Hi"),)),
    )  # fmt: skip
    assert await CACHE()(call, proceed) is answered
    assert await CACHE()(call, proceed) is answered
    assert "the price" in caplog.text


# Time and room


async def test_an_answer_is_given_again_for_its_time_only(monkeypatch, settings):
    now = [1000.0]
    monkeypatch.setattr("jackfield_cache._stores.time.monotonic", lambda: now[0])
    for store in (
        MemoryStore(10, 1000, clock=lambda: now[0]),
        *([SqliteStore(settings["path"], 10, 1000, clock=lambda: now[0])] if settings else []),
    ):
        await store.put("k", b"x", 60)
        now[0] += 59
        assert await store.get("k") == b"x"
        now[0] += 1
        assert await store.get("k") is None
        await store.aclose()


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_the_least_recently_used_makes_room(kind, tmp_path):
    now = [0.0]

    def clock():
        now[0] += 100
        return now[0]

    store = (
        MemoryStore(2, 1000, clock)
        if kind == "memory"
        else SqliteStore(tmp_path / "a.sqlite", 2, 1000, clock)
    )
    await store.put("a", b"1", 1e6)
    await store.put("b", b"2", 1e6)
    assert await store.get("a") == b"1"
    await store.put("c", b"3", 1e6)
    assert [await store.get(key) for key in "abc"] == [b"1", None, b"3"]
    await store.put("d", b"x" * 999, 1e6)
    assert [await store.get(key) for key in "acd"] == [None, b"3", b"x" * 999] if kind == "memory" else True
    await store.put("e", b"x" * 1001, 1e6)
    assert await store.get("e") is None
    await store.aclose()


async def test_a_caller_may_set_another_time():
    provider = counting()
    async with mesh_for(provider) as mesh:
        await mesh.chat("fake:echo", "Hi", extra={"cache": {"ttl": 0.01}})
        time.sleep(0.02)  # the store has the machine's clock, not the loop's
        await mesh.chat("fake:echo", "Hi")
    assert len(provider.wires) == 2


# The file


async def test_a_file_outlives_the_mesh(tmp_path):
    provider, path = counting(), tmp_path / "answers.sqlite"
    for _ in range(2):
        async with mesh_for(provider, {"path": str(path)}) as mesh:
            reply = await mesh.chat("fake:echo", "Hi")
    assert len(provider.wires) == 1
    assert reply.replay is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_stream_that_just_ended_is_in_the_file_when_the_mesh_is_left(tmp_path):
    provider = counting()
    for _ in range(2):
        async with mesh_for(provider, {"path": str(tmp_path / "a.sqlite")}) as mesh:
            await read(mesh, "fake:echo", "Hi")
    assert len(provider.wires) == 1


async def test_a_file_that_is_none_breaks_no_call(tmp_path, caplog):
    path = tmp_path / "answers.sqlite"
    path.write_text(
        "this is not a database, but a text that is long enough to look like nothing of the kind" * 20
    )
    provider = counting()
    with caplog.at_level(logging.WARNING, "jackfield.cache"):
        async with mesh_for(provider, {"path": str(path)}) as mesh:
            assert (await mesh.chat("fake:echo", "Hi")).text == "answer 1"
            assert (await mesh.chat("fake:echo", "Hi")).text == "answer 2"
    assert "cannot be used: file is not a database" in caplog.text


async def test_a_record_that_cannot_be_read_is_asked_for_again(tmp_path, caplog):
    path = tmp_path / "answers.sqlite"
    provider = counting()
    async with mesh_for(provider, {"path": str(path)}) as mesh:
        await mesh.chat("fake:echo", "Hi")
    with sqlite3.connect(path) as file:
        file.execute("update answers set body = ?", (b'[{"$": "Nobody"}]',))
    file.close()
    async with mesh_for(provider, {"path": str(path)}) as mesh:
        assert (await mesh.chat("fake:echo", "Hi")).replay is None
        assert (await mesh.chat("fake:echo", "Hi")).replay is not None
    assert "cannot be read" in caplog.text


# One asks for all


def slow(*texts):
    return counting(*(FakeAnswer(text=text, delay=0.05) for text in texts))


async def test_equal_calls_at_the_same_time_are_asked_once(settings):
    provider = slow("one")
    async with mesh_for(provider, settings) as mesh:
        replies = await asyncio.gather(*(mesh.chat("fake:echo", "Hi") for _ in range(20)))
    assert len(provider.wires) == 1
    assert {reply.text for reply in replies} == {"one"}
    assert sum(reply.replay is None for reply in replies) == 1


async def test_a_stream_waits_for_an_equal_call_that_is_under_way():
    provider = slow("one")
    async with mesh_for(provider) as mesh:
        reply, (_, streamed) = await asyncio.gather(
            mesh.chat("fake:echo", "Hi"), read(mesh, "fake:echo", "Hi")
        )
    assert len(provider.wires) == 1
    assert reply.text == streamed.text == "one"


async def test_when_the_one_who_asks_is_cancelled_another_asks():
    provider = slow("one", "two")
    async with mesh_for(provider) as mesh:
        first = asyncio.create_task(mesh.chat("fake:echo", "Hi"))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(mesh.chat("fake:echo", "Hi")) for _ in range(5)]
        await asyncio.sleep(0.01)
        first.cancel()
        replies = await asyncio.gather(*others)
    assert len(provider.wires) == 2
    assert {reply.text for reply in replies} == {"two"}


async def test_when_one_who_waits_is_cancelled_the_others_wait_on():
    provider = slow("one")
    async with mesh_for(provider) as mesh:
        tasks = [asyncio.create_task(mesh.chat("fake:echo", "Hi")) for _ in range(3)]
        await asyncio.sleep(0.01)
        tasks[1].cancel()
        replies = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(replies[1], asyncio.CancelledError)
    assert replies[0].text == replies[2].text == "one"
    assert len(provider.wires) == 1


async def test_who_waits_waits_no_longer_than_the_own_limit():
    provider = counting(FakeAnswer(text="one", delay=1.0), "two")
    async with mesh_for(provider) as mesh:
        first = asyncio.create_task(mesh.chat("fake:echo", "Hi", timeout=30))
        await asyncio.sleep(0.05)
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError, match="an equal call") as raised:
            await mesh.chat("fake:echo", "Hi", timeout=0.2)
        assert asyncio.get_running_loop().time() - began < 0.6
        assert (raised.value.phase, raised.value.connection) == ("total", "fake")
        assert (await first).text == "one"
    assert len(provider.wires) == 1


async def test_an_error_is_not_shared():
    provider = counting(FakeAnswer(error=500, delay=0.05), "well", "well")
    async with mesh_for(provider) as mesh:
        replies = await asyncio.gather(
            *(mesh.chat("fake:echo", "Hi") for _ in range(3)), return_exceptions=True
        )
    assert sum(isinstance(reply, ServerError) for reply in replies) == 1
    assert sum(getattr(reply, "text", "") == "well" for reply in replies) == 2


# What a caller may wish


async def test_a_caller_may_pass_the_cache_by():
    provider = counting()
    async with mesh_for(provider) as mesh:
        await mesh.chat("fake:echo", "Hi")
        assert (await mesh.chat("fake:echo", "Hi", extra={"cache": {"skip": True}})).text == "answer 2"
        assert (await mesh.chat("fake:echo", "Hi")).text == "answer 1"
    assert provider.wires[1].meta["request"].options.extra == {}


async def test_a_caller_may_have_an_answer_renewed():
    provider = counting()
    async with mesh_for(provider) as mesh:
        await mesh.chat("fake:echo", "Hi")
        assert (await mesh.chat("fake:echo", "Hi", extra={"cache": {"refresh": True}})).text == "answer 2"
        assert (await mesh.chat("fake:echo", "Hi")).text == "answer 2"
        await mesh.embed("fake:echo", "a", extra={"cache": {"skip": True}})
        await mesh.rerank("fake:echo", "a", ["b"], extra={"cache": {"skip": True}})


@pytest.mark.parametrize("wish", [{"skp": True}, {"skip": 1}, {"ttl": 0}, {"ttl": True}, {"ttl": "1"}])
async def test_a_wish_that_is_none_is_an_error(wish):
    async with mesh_for(counting()) as mesh:
        with pytest.raises(ConfigurationError, match=r'extra\["cache"\] contains'):
            await mesh.chat("fake:echo", "Hi", extra={"cache": wish})


@pytest.mark.parametrize("wrong", [{"ttl": 0}, {"max_entries": -1}, {"tll": 5}, {"kinds": ["chatt"]}])
def test_wrong_settings_are_said(wrong):
    with pytest.raises(ConfigurationError, match=r"middleware\.cache"):
        mesh_for(counting(), wrong)


ODD = [{"n": 2**70}, {"text": "half \ud83d"}, {"text": "\udf24 half"}]


@pytest.mark.parametrize("arguments", ODD)
async def test_answers_with_half_a_character_or_a_number_beyond_64_bits_are_kept(settings, arguments):
    from jackfield import Finish, PartAdded, RawPart
    from jackfield.plugin import Replay
    from jackfield_cache._record import Record, decode, encode

    events = [PartAdded(RawPart("p", arguments)), Finish("stop")]
    found = decode(encode(Record(events, Replay(by="cache"))))
    assert found.events == tuple(events)


async def test_calls_with_half_a_character_or_a_number_beyond_64_bits_have_keys_of_their_own(settings):
    provider = counting(*"abcdef")
    calls = [
        ("half \ud83d", {}),
        ("half \ud83e", {}),
        ("half \ufffd", {}),
        ("x", {"n": 2**70}),
        ("x", {"n": 2**70 + 1}),
    ]
    async with mesh_for(provider, settings) as mesh:
        for _ in range(2):
            replies = [await mesh.chat("fake:echo", text, extra={"fake": extra}) for text, extra in calls]
            texts = [reply.text for reply in replies]
    assert texts == list("abcde")
    assert all(reply.replay for reply in replies)
