"""Owner and labels of a call, middlewares of a context, the end of a stream, and what a call may use."""

from __future__ import annotations

import asyncio
import gc
from decimal import Decimal

import pytest

from jackfield import ConfigurationError, Image, Mesh, Message, Registry, Text
from jackfield.plugin import OWNER, Capabilities, Limits, RateCard, WatchedStream, around_calls, is_owner
from jackfield.testing import FakeProvider

PRICE = RateCard.of(input=3, output=15, cache_write_1h=6, source="test")


def mesh_of(*middlewares, provider=None, **connection):
    provider = provider or FakeProvider(price=PRICE)
    config = {"connections": {"f": {"provider": "fake", **connection}}}
    return Mesh.from_config(config, registry=Registry.of(provider), middlewares=middlewares)


class Watcher:
    def __init__(self):
        self.calls = []

    async def __call__(self, call, proceed):
        self.calls.append(call)
        return await proceed(call)

    @property
    def call(self):
        return self.calls[-1]


async def test_every_kind_of_call_says_who_it_is_for():
    watcher, who = Watcher(), {"owner": "org/team", "labels": {"run": "7"}}
    async with mesh_of(watcher) as mesh:
        await mesh.chat("f:echo", "hi", **who)
        await mesh.complete("f:echo", "hi", **who)
        await mesh.summarize("f:echo", "hi", **who)
        await mesh.embed("f:echo", ["hi"], **who)
        await mesh.rerank("f:echo", "q", ["hi"], **who)
        await mesh.count_tokens("f:echo", "hi", **who)
        async with mesh.stream_chat("f:echo", "hi", **who):
            pass
    assert len(watcher.calls) >= 6
    assert {(call.owner, dict(call.labels)["run"]) for call in watcher.calls} == {("org/team", "7")}


async def test_tasks_inherit_the_owner_of_the_context_and_a_call_may_name_another():
    watcher = Watcher()
    async with mesh_of(watcher) as mesh:
        token = OWNER.set("org/batch")
        task = asyncio.create_task(mesh.chat("f:echo", "hi"))
        OWNER.reset(token)
        await task
        assert watcher.call.owner == "org/batch"
        await mesh.chat("f:echo", "hi")
        assert (watcher.call.owner, dict(watcher.call.labels)) == ("", {})
        OWNER.set("org/batch")
        await mesh.chat("f:echo", "hi", owner="org/other")
        assert watcher.call.owner == "org/other"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"owner": "org//x"}, "owner must be a path"),
        ({"owner": "/org"}, "owner must be a path"),
        ({"owner": "org\n"}, "owner must be a path"),
        ({"owner": 7}, "owner must be a path"),
        ({"owner": "x" * 501}, "owner must be a path"),
        ({"labels": "a"}, "labels must be a mapping"),
        ({"labels": {"a b": "c"}}, "name of a label"),
        ({"labels": {"a": 1}}, "label a must be"),
        ({"labels": {"a": "x\ny"}}, "label a must be"),
        ({"owners": "x"}, "did you mean 'owner'"),
    ],
)
async def test_mistakes_are_refused_before_anything_is_sent(options, message):
    async with mesh_of() as mesh:
        with pytest.raises(ConfigurationError, match=message):
            await mesh.chat("f:echo", "hi", **options)


def test_paths_of_owners():
    assert is_owner("org/team.a/app_1@x-y")
    assert not any(map(is_owner, ["", "/", "a/", "a b", "a\n", "a//b"]))


# Middlewares of a context


async def test_a_middleware_of_a_context_stands_around_the_calls_of_any_mesh_and_task():
    watcher, inner = Watcher(), Watcher()
    async with mesh_of(inner) as one, mesh_of() as other:
        await one.chat("f:echo", "before")
        with around_calls(watcher):
            task = asyncio.create_task(other.chat("f:echo", "in a task"))
            await one.chat("f:echo", "inside")
        await task
        await one.chat("f:echo", "after")
    assert len(watcher.calls) == 2
    assert len(inner.calls) == 3


# The end of a stream


async def test_the_end_is_awaited_before_the_reader_hears_of_it():
    ended = []

    async def book(call, proceed):
        async def settle():
            await asyncio.sleep(0)
            ended.append(call.id)

        return WatchedStream(await proceed(call), lambda response, error: settle())

    async with mesh_of(book) as mesh:
        async with mesh.stream_chat("f:echo", "hi") as stream:
            async for _ in stream:
                pass
            assert len(ended) == 1
        async with mesh.stream_chat("f:echo", "hi") as stream:
            await anext(stream)
        assert len(ended) == 2


@pytest.mark.filterwarnings("ignore:a stream of f.echo was dropped:ResourceWarning")
async def test_the_end_of_a_stream_that_its_reader_forgot_is_told_once():
    ended = []

    async def watch(call, proceed):
        return WatchedStream(await proceed(call), lambda response, error: ended.append(response.ended))

    async with mesh_of(watch) as mesh:
        stream = mesh.stream_chat("f:echo", "hi there")
        await stream.__aenter__()
        await anext(stream)
        del stream
        gc.collect()
        for _ in range(5):
            await asyncio.sleep(0)
        assert ended == [False]


# Forecasts


def limited(**limits):
    capabilities = Capabilities(known=True, limits=Limits(**limits))
    return FakeProvider(price=PRICE, capabilities=capabilities)


async def forecast_of(content, provider=None, **options):
    watcher = Watcher()
    async with mesh_of(watcher, provider=provider) as mesh:
        await mesh.chat("f:echo", content, **options)
    forecast = watcher.call.forecast
    assert forecast is watcher.call.forecast
    return forecast


async def test_a_forecast_holds_for_any_tokenizer():
    for text in ("hi", "x" * 4000, "日本語" * 500, "🦜" * 100, "0123456789" * 200):
        forecast = await forecast_of(text, max_tokens=50)
        assert forecast.most_input_tokens >= len(text.encode())
        assert forecast.input_tokens <= forecast.most_input_tokens
        assert forecast.most_output_tokens == 50
        least = Decimal(len(text.encode()) * 3 + 50 * 15) / 1_000_000
        assert forecast.most_cost.amount >= least


async def test_all_choices_count():
    forecast = await forecast_of("hi", max_tokens=50, n=3)
    assert (forecast.choices, forecast.most_output_tokens) == (3, 150)


async def test_without_max_tokens_the_limits_of_the_model_hold():
    assert (await forecast_of("hi", limited(max_output_tokens=700))).most_output_tokens == 700
    assert (await forecast_of("hi", limited(context_window=9000))).most_output_tokens == 9000
    unknown = await forecast_of("hi", limited())
    assert (unknown.most_output_tokens, unknown.most_cost) == (None, None)
    assert unknown.price(1_000_000, 0).amount == 3


async def test_input_is_never_more_than_the_window_and_what_is_not_seen_may_fill_it():
    forecast = await forecast_of("x" * 4000, limited(context_window=1500), max_tokens=1)
    assert forecast.most_input_tokens == 1500
    there = [Message("user", (Text("what is this?"), Image(url="https://example.com/a.png")))]
    assert (await forecast_of(there, limited(context_window=90_000), max_tokens=1)).most_input_tokens >= 5000


async def test_input_that_is_written_to_a_cache_costs_its_rate():
    kept = [Message("user", (Text("x" * 1000, cache="1h"),))]
    plain, cached = await forecast_of("x" * 1000, max_tokens=1), await forecast_of(kept, max_tokens=1)
    assert plain.price(1_000_000, 0).amount == 3
    assert cached.price(1_000_000, 0).amount == 6


async def test_embeddings_have_no_output():
    watcher = Watcher()
    async with mesh_of(watcher) as mesh:
        await mesh.embed("f:echo", ["a" * 100, "b" * 50])
    forecast = watcher.call.forecast
    assert forecast.most_output_tokens == 0
    assert 150 <= forecast.most_input_tokens < 300
    assert forecast.most_cost.status == "complete"


async def test_metadata_of_replies_is_there_when_it_is_used():
    async with mesh_of() as mesh:
        reply = await mesh.chat("f:echo", "hi")
        reply.metadata["mine"] = 1
        assert reply.metadata == {"mine": 1}
        assert (await mesh.embed("f:echo", ["hi"])).metadata == {}
