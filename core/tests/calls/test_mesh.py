"""The API: every call, what it sends and what it gives back."""

import asyncio
import logging
import pickle
from decimal import Decimal

import attrs
import pytest
from plain_provider import (
    PIECES,
    TABLE,
    PlainProvider,
    hello,
    mesh_for,
    read,
    streamed,
    text_of,
)

from jackfield import (
    ConfigurationError,
    InvalidRequestError,
    MalformedResponseError,
    Mesh,
    Message,
    ModelCard,
    OverloadedError,
    RateLimitError,
    Reply,
    ServerError,
    StreamInterruptedError,
    TextDelta,
    Tool,
    UnsupportedError,
)
from jackfield._plugins.registry import Registry
from jackfield.plugin import Limits, Listing, RateCard, Wire, hookimpl
from jackfield.testing import Answer, FakeProvider, no_sockets

PRICE = RateCard.of(source="table 2026-01-01", input="1", output="2")


def in_parts(most, **more):
    return PlainProvider(capabilities=attrs.evolve(TABLE, limits=Limits(max_inputs=most)), **more)


# chat and complete


async def test_chat(server):
    server.answer(hello(model="m-2026"))
    async with mesh_for(server.url, PlainProvider(price=PRICE)) as mesh:
        reply = await mesh.chat(
            "c:m", [Message("user", "hi"), {"role": "user", "content": "there"}], system="brief"
        )
    assert (reply.id, reply.text, reply.finish_reason, reply.model) == ("a1", "hello", "stop", "m-2026")
    assert (reply.connection, reply.provider, reply.complete) == ("c", "plain", True)
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (3, 2)
    assert reply.cost.amount == Decimal("0.000007")
    assert reply.raw["text"] == "hello"
    assert reply.message == reply.choices[0].message
    assert server.requests[0].json["messages"] == [
        {"role": "user", "text": "hi"},
        {"role": "user", "text": "there"},
    ]


async def test_what_a_call_gives_can_be_pickled(server):
    """With its cost, which nobody has asked for yet."""
    server.route("POST", "/chat", hello())
    async with mesh_for(server.url) as mesh:
        reply = await mesh.chat("c:m", "hi")
        async with mesh.stream_chat("c:m", "hi") as stream:
            async for _ in stream:
                break
        error = pickle.loads(pickle.dumps(ServerError("no", partial=await mesh.chat("c:m", "hi"))))
        for sent in (reply, stream.response):
            there = pickle.loads(pickle.dumps(sent))
            assert (there.text, there.cost, there.usage) == (sent.text, sent.cost, sent.usage)
            assert (there.id, there.complete, there.attempts) == (sent.id, sent.complete, sent.attempts)
    assert error.partial.cost == reply.cost


async def test_a_model_id_may_have_colons(server):
    server.answer(hello())
    async with mesh_for(server.url) as mesh:
        await mesh.chat("c:ft:m:org::id", "hi")
    assert server.requests[0].json["model"] == "ft:m:org::id"


async def test_stream_chat(server):
    server.answer(streamed())
    async with mesh_for(server.url, PlainProvider(price=PRICE)) as mesh:
        async with mesh.stream_chat("c:m", "hi") as stream:
            assert "".join([piece async for piece in stream.text()]) == "hello"
        assert stream.response.cost.amount == Decimal("0.000007")
    assert server.requests[0].json["stream"] is True


async def test_complete_and_its_stream(server):
    server.route("POST", "/complete", lambda request: streamed() if request.json.get("stream") else hello())
    async with mesh_for(server.url) as mesh:
        assert (await mesh.complete("c:m", "once")).text == "hello"
        assert text_of(await read(mesh.stream_complete("c:m", "once"))) == "hello"
    assert [request.json["prompt"] for request in server.requests] == ["once", "once"]


async def test_parsed(server):
    server.answer(hello('{"a": 1}'), hello("{oops"), hello("{}"))
    async with mesh_for(server.url) as mesh:
        assert (await mesh.chat("c:m", "hi", response_format="json")).parsed == {"a": 1}
        with pytest.raises(MalformedResponseError):
            _ = (await mesh.chat("c:m", "hi", response_format={"type": "object"})).parsed
        assert (await mesh.chat("c:m", "hi")).parsed is None


@pytest.mark.parametrize("messages", [[], "", [{"role": "usr", "content": "x"}], [{"content": "x"}], [3], {}])
async def test_messages_that_are_none_are_refused(server, messages):
    async with mesh_for(server.url) as mesh:
        if messages == "":
            server.answer(hello())
            await mesh.chat("c:m", messages)  # an empty turn is the service's business
            return
        with pytest.raises(ConfigurationError, match="messages"):
            await mesh.chat("c:m", messages)
    assert server.requests == []


# embed


def vectors(request):
    inputs = request.json["inputs"]
    return Answer.json({"vectors": [[float(text), 0.5] for text in inputs], "usage": [len(inputs), 0]})


async def test_embed(server):
    server.route("POST", "/embed", vectors)
    async with mesh_for(server.url) as mesh:
        reply = await mesh.embed("c:m", ["1", "2"], dimensions=2)
        assert reply.lists() == [[1.0, 0.5], [2.0, 0.5]]
        assert (await mesh.embed("c:m", "7")).lists() == [[7.0, 0.5]]
    assert server.requests[0].json["dimensions"] == 2


async def test_embed_cuts_what_is_too_much_and_joins_it_in_order(server):
    async def slower_first(request):
        await asyncio.sleep(0.06 if "0" in request.json["inputs"] else 0.0)
        return vectors(request)

    server.route("POST", "/embed", slower_first)
    async with mesh_for(server.url, in_parts(3, price=PRICE)) as mesh:
        reply = await mesh.embed("c:m", [str(n) for n in range(10)])
    assert [vector[0] for vector in reply.lists()] == [float(n) for n in range(10)]
    assert sorted(len(request.json["inputs"]) for request in server.requests) == [1, 3, 3, 3]
    assert reply.usage.input_tokens == 10
    assert len(reply.attempts) == 4
    assert reply.cost.amount == Decimal("0.00001")


async def test_embed_runs_at_most_four_parts_at_once(server):
    now, most = 0, 0

    async def counted(request):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        return vectors(request)

    server.route("POST", "/embed", counted)
    async with mesh_for(server.url, in_parts(1)) as mesh:
        await mesh.embed("c:m", [str(n) for n in range(12)])
    assert most == 4


async def test_one_failed_part_fails_the_call_and_ends_the_others(server):
    async def one_fails(request):
        if "2" in request.json["inputs"]:
            return Answer.json({"error": {"message": "bad part", "code": "bad"}}, 400)
        await asyncio.sleep(5)

    server.route("POST", "/embed", one_fails)
    async with mesh_for(server.url, in_parts(1)) as mesh:
        with pytest.raises(InvalidRequestError, match="bad part") as caught:
            await mesh.embed("c:m", [str(n) for n in range(12)])
        await server.wait_disconnected(count=3)
    assert len(server.requests) == 4
    assert caught.value.__context__ is None
    assert caught.value.attempts[0].status == 400


async def test_embed_keeps_to_the_tokens_of_a_request(server):
    server.route("POST", "/embed", lambda r: Answer.json({"vectors": [[1.0]] * len(r.json["inputs"])}))
    plugin = PlainProvider(capabilities=attrs.evolve(TABLE, limits=Limits(max_input_tokens_per_request=100)))
    async with mesh_for(server.url, plugin) as mesh:
        reply = await mesh.embed("c:m", ["x" * 150] * 4 + ["y" * 900])
    assert len(reply.embeddings) == 5
    assert [len(request.json["inputs"]) for request in server.requests] == [1] * 5


async def test_embeddings_that_are_missing_are_an_error(server):
    server.answer(Answer.json({"vectors": [[1.0]]}))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(MalformedResponseError, match="3 inputs") as caught:
            await mesh.embed("c:m", ["a", "b", "c"])
    assert (caught.value.connection, len(caught.value.attempts)) == ("c", 1)


@pytest.mark.parametrize("inputs", [[], (), [3], ["a", None]])
async def test_nothing_to_embed_is_an_error(server, inputs):
    async with mesh_for(server.url) as mesh:
        with pytest.raises(ConfigurationError):
            await mesh.embed("c:m", inputs)
    assert server.requests == []


# rerank


async def test_rerank(server):
    server.answer(Answer.json({"scores": [[0, 0.1], [2, 0.9], [1, 0.4]]}))
    async with mesh_for(server.url) as mesh:
        reply = await mesh.rerank("c:m", "q", ["a", "b", "c"], top_n=3)
    assert [(one.index, one.score) for one in reply.results] == [(2, 0.9), (1, 0.4), (0, 0.1)]
    assert server.requests[0].json["top_n"] == 3


async def test_rerank_cuts_and_takes_the_best_of_all(server):
    def scores(request):
        return Answer.json({"scores": [[i, float(text)] for i, text in enumerate(request.json["documents"])]})

    server.route("POST", "/rerank", scores)
    async with mesh_for(server.url, in_parts(2)) as mesh:
        reply = await mesh.rerank("c:m", "q", ["5", "1", "9", "3", "7"], top_n=3)
    assert [(one.index, one.score) for one in reply.results] == [(2, 9.0), (4, 7.0), (0, 5.0)]
    assert all("top_n" not in request.json for request in server.requests)


async def test_a_score_for_no_document_is_an_error(server):
    server.answer(Answer.json({"scores": [[5, 0.1]]}))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(MalformedResponseError, match="not sent"):
            await mesh.rerank("c:m", "q", ["a"])
        with pytest.raises(ConfigurationError):
            await mesh.rerank("c:m", "q", [])
        with pytest.raises(ConfigurationError):
            await mesh.rerank("c:m", "q", "a string")


# count_tokens


async def test_tokens_are_counted_by_the_service_where_it_can(server):
    server.answer(Answer.json({"count": 7}))
    plugin = PlainProvider(capabilities=TABLE.with_features("t", count_tokens=True))
    async with mesh_for(server.url, plugin) as mesh:
        count = await mesh.count_tokens("c:m", "hi")
    assert (count.input_tokens, count.exact, count.source) == (7, True, "service")


async def test_tokens_are_estimated_where_it_cannot(server):
    async with mesh_for(server.url) as mesh:
        count = await mesh.count_tokens("c:m", "x" * 10, system="yy")
    assert (count.input_tokens, count.exact, count.source) == (3, False, "characters / 4")
    assert server.requests == []


async def test_a_middleware_sees_what_is_counted(server):
    seen = []

    async def look(call, proceed):
        seen.append(type(call.request).__name__)
        return await proceed(call)

    server.answer(Answer.json({"count": 7}))
    plugin = PlainProvider(capabilities=TABLE.with_features("t", count_tokens=True))
    async with mesh_for(server.url, plugin, mesh={"middlewares": [look]}) as mesh:
        assert (await mesh.count_tokens("c:m", "hi")).input_tokens == 7
    assert seen == ["CountRequest"]


# models and check


async def test_pages_of_a_listing_are_followed_and_kept(server):
    server.route("GET", "/models?page=1", Answer.json({"models": ["a"], "next": "2"}))
    server.route("GET", "/models?page=2", Answer.json({"models": ["b"]}))
    async with mesh_for(server.url, models=["a", "z"]) as mesh:
        cards = await mesh.models("c")
        assert [(card.id, card.connection, card.allowed) for card in cards] == [
            ("a", "c", True), ("b", "c", False), ("z", "c", True),
        ]  # fmt: skip
        assert cards[0].kinds == TABLE.kinds
        await mesh.models("c")
        assert len(server.requests) == 2
        await mesh.models("c", refresh=True)
        assert len(server.requests) == 4


async def test_a_listing_without_end_is_not_followed_for_ever(server):
    server.route("GET", "/models*", Answer.json({"models": ["a"], "next": "1"}))
    async with mesh_for(server.url) as mesh:
        assert [card.id for card in await mesh.models("c")] == ["a"]
    assert len(server.requests) == 100


async def test_all_connections_without_those_that_cannot(server):
    server.route("GET", "/models*", Answer.json({"models": ["a"]}))
    tables = {
        "connections": {
            "c": {"provider": "plain", "base_url": server.url, "api_key": "none"},
            "dead": {"provider": "plain", "base_url": "http://127.0.0.1:9"},
        }
    }
    async with mesh_for(server.url, tables=tables) as mesh:
        assert [(card.connection, card.id) for card in await mesh.models()] == [("c", "a")]
        with pytest.raises(ConnectionError):
            await mesh.models("dead")


async def test_check_says_what_it_did_and_never_raises(server):
    server.answer(
        Answer.json({"models": ["a"]}), Answer.json({"error": {"message": "who?", "code": "x"}}, 401)
    )
    async with mesh_for(server.url) as mesh:
        good, bad = await mesh.check("c"), await mesh.check("c")
    assert (good.ok, good.what, good.error) == (True, "listed 1 model", None)
    assert not bad.ok
    assert (bad.error.status, bad.error.connection) == (401, "c")


async def test_check_asks_a_model_where_nothing_is_listed(server):
    class Unlisted(PlainProvider):
        @hookimpl
        def jackfield_discover(self, settings):
            return None

    server.answer(hello())
    async with mesh_for(server.url, Unlisted(), models=["m"]) as mesh:
        assert (await mesh.check("c")).what == "chat with m"
    async with mesh_for(server.url, Unlisted()) as mesh:
        assert "declare one" in str((await mesh.check("c")).error)


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_check_of_a_service_that_has_no_list_asks_a_model_only_if_it_may(server, status):
    none = Answer.json({"error": {"message": "no such page"}}, status)
    server.answer(none, none, hello())
    async with mesh_for(server.url, models=["m"]) as mesh:
        found = await mesh.check("c")
        assert not found.ok
        assert "the service was reached" in str(found.error)
        assert "--ask" in str(found.error)
        assert [request.method for request in server.requests] == ["GET"]
        asked = await mesh.check("c", ask=True)
    assert (asked.ok, asked.what) == (True, "chat with m")


async def test_check_asks_no_model_where_the_list_is_refused_or_fails(server, pauses):
    server.route("*", "*", Answer.json({"error": {"message": "who?"}}, 401))
    async with mesh_for(server.url, models=["m"]) as mesh:
        found = await mesh.check("c", ask=True)
    assert found.error.status == 401
    assert "was reached" not in str(found.error)


# explain


async def test_explain_says_everything_without_any_io(server, key):
    mesh = mesh_for(server.url, PlainProvider(price=PRICE), headers={"X-Team": "blue"}, models=["m"])
    with no_sockets() as attempts:
        plan = mesh.explain("c:m", "x" * 40, max_tokens=100)
        streaming = mesh.explain("c:m", "hi", stream=True)
    assert attempts == []
    assert (plan.method, plan.url) == ("POST", server.url + "/chat")
    assert plan.body == {"model": "m", "messages": [{"role": "user", "text": "x" * 40}], "limit": 100}
    assert plan.headers["X-Team"] == "blue"
    assert plan.headers["Authorization"] == "Bearer <env:PLAIN_KEY>"
    assert key not in repr(plan)
    assert plan.parameters["max_tokens"].fate == "renamed"
    assert (plan.cost.status, plan.cost.amount) == ("partial", Decimal("0.00001"))
    assert plan.most_cost.amount == Decimal("0.00021")
    assert streaming.wire.stream
    assert streaming.most_cost is None


async def test_explain_raises_what_the_call_would_and_knows_every_kind(server):
    mesh = mesh_for(server.url)
    with pytest.raises(UnsupportedError) as caught:
        mesh.explain("c:m", "hi", seed=1)
    assert (caught.value.connection, caught.value.model) == ("c", "m")
    assert mesh.explain("c:m", "hi", kind="completion").url.endswith("/complete")
    assert mesh.explain("c:m", "hi", kind="summarization").parameters["summarization"].fate == "emulated"
    assert mesh.explain("c:m", ["hi"], kind="embedding").body["inputs"] == ["hi"]
    assert mesh.explain("c:m", ["hi"], kind="rerank", query="q").body["documents"] == ["hi"]
    with pytest.raises(ConfigurationError, match="embedding"):
        mesh.explain("c:m", "hi", kind="embeding")


async def test_explain_of_what_has_no_price_is_unknown_and_never_zero(server):
    plan = mesh_for(server.url).explain("c:m", "hi")
    assert (plan.cost.status, plan.cost.amount) == ("unknown", None)


# aliases


async def test_an_alias_is_its_target(server):
    server.answer(hello())
    async with mesh_for(server.url, tables={"aliases": {"default": "c:m"}}) as mesh:
        assert (await mesh.chat("default", "hi")).text == "hello"
        assert mesh.aliases == {"default": ("c:m",)}


TWO = {"aliases": {"best": ["c:first", "c:second"]}}


async def test_an_alias_goes_on_after_what_is_retryable_and_records_everything(server, pauses):
    server.answer(Answer.json({}, 529), Answer.json({}, 529), hello())
    async with mesh_for(server.url, tables=TWO, retry={"attempts": 2}) as mesh:
        reply = await mesh.chat("best", "hi")
    assert [(attempt.model, attempt.status) for attempt in reply.attempts] == [
        ("first", 529), ("first", 529), ("second", 200),
    ]  # fmt: skip


async def test_an_alias_that_fails_everywhere_says_so(server, pauses):
    server.answer(Answer.json({}, 529), Answer.json({}, 429))
    async with mesh_for(server.url, tables=TWO, retry={"attempts": 1}) as mesh:
        with pytest.raises(RateLimitError) as caught:
            await mesh.chat("best", "hi")
    assert caught.value.model == "second"
    assert [attempt.model for attempt in caught.value.attempts] == ["first", "second"]


async def test_an_alias_stops_at_what_is_not_retryable(server):
    server.answer(Answer.json({}, 400), hello())
    async with mesh_for(server.url, tables=TWO) as mesh:
        with pytest.raises(InvalidRequestError):
            await mesh.chat("best", "hi")
    assert len(server.requests) == 1


async def test_an_alias_goes_on_before_the_first_event_of_a_stream_and_not_after(server):
    server.answer(Answer.json({}, 529), streamed(), streamed(*PIECES[:2], done=False), streamed())
    async with mesh_for(server.url, tables=TWO, retry={"attempts": 1}) as mesh:
        stream = mesh.stream_chat("best", "hi")
        assert text_of(await read(stream)) == "hello"
        assert [attempt.model for attempt in stream.response.attempts] == ["first", "second"]
        with pytest.raises(StreamInterruptedError):
            await read(mesh.stream_chat("best", "hi"))
    assert len(server.requests) == 3


# entries of `models`


async def test_options_of_an_entry_hold_unless_the_call_says_otherwise(server):
    server.route("POST", "/chat", hello())
    models = [{"id": "m", "options": {"max_tokens": 5, "temperature": 1}}]
    async with mesh_for(server.url, models=models) as mesh:
        await mesh.chat("c:m", "hi", temperature=0)
    assert (server.requests[0].json["limit"], server.requests[0].json["temperature"]) == (5, 0)


async def test_a_declared_price_wins(server):
    server.answer(hello())
    models = [{"id": "m", "price": {"input": "10", "output": "0"}}]
    async with mesh_for(server.url, PlainProvider(price=PRICE), models=models) as mesh:
        assert (await mesh.chat("c:m", "hi")).cost.amount == Decimal("0.00003")


# middlewares


def noting(log, name):
    async def middleware(call, proceed):
        log.append(f"{name} in")
        try:
            return await proceed(call)
        finally:
            log.append(f"{name} out")

    return middleware


async def test_middlewares_go_outermost_first(server):
    server.answer(hello())
    log = []
    registry = Registry.of(
        PlainProvider(),
        middlewares={
            name: lambda settings, name=name: noting(log, f"{name}{settings}") for name in ("a", "b", "idle")
        },
    )
    async with mesh_for(
        server.url,
        registry=registry,
        mesh={"middlewares": [noting(log, "program")]},
        middlewares=["a", "b"],
        tables={"middleware": {"b": {"x": 1}}},
    ) as mesh:
        await mesh.chat("c:m", "hi")
    assert log == ["program in", "a{} in", "b{'x': 1} in", "b{'x': 1} out", "a{} out", "program out"]


async def test_a_middleware_changes_the_call(server):
    async def polite(call, proceed):
        messages = (*call.request.messages, Message("user", "please"))
        return await proceed(attrs.evolve(call, request=attrs.evolve(call.request, messages=messages)))

    server.answer(hello())
    async with mesh_for(server.url, mesh={"middlewares": [polite]}) as mesh:
        await mesh.chat("c:m", "hi")
    assert [message["text"] for message in server.requests[0].json["messages"]] == ["hi", "please"]


async def test_a_middleware_answers_from_a_cache(server):
    kept = {}

    async def cache(call, proceed):
        name = pickle.dumps((call.target, call.request))
        if name not in kept:
            kept[name] = await proceed(call)
        return kept[name]

    server.route("POST", "/chat", hello())
    async with mesh_for(server.url, mesh={"middlewares": [cache]}) as mesh:
        first = await mesh.chat("c:m", "hi", temperature=0)
        assert await mesh.chat("c:m", "hi", temperature=0) is first
        await mesh.chat("c:m", "hi", temperature=1)
    assert len(server.requests) == 2


async def test_a_middleware_changes_the_answer(server):
    async def loud(call, proceed):
        reply = await proceed(call)
        return Reply(choices=reply.choices, id="changed")

    server.answer(hello())
    async with mesh_for(server.url, mesh={"middlewares": [loud]}) as mesh:
        assert (await mesh.chat("c:m", "hi")).id == "changed"


async def test_a_middleware_wraps_a_stream(server):
    def shout(event):
        return TextDelta(event.text.upper()) if isinstance(event, TextDelta) else event

    async def loud(call, proceed):
        return (await proceed(call)).map(shout)

    server.answer(streamed())
    async with mesh_for(server.url, mesh={"middlewares": [loud, loud]}) as mesh:
        stream = mesh.stream_chat("c:m", "hi")
        assert text_of(await read(stream)) == "HELLO"
    assert stream.response.text == "HELLO"
    assert stream.response.complete


async def test_a_middleware_may_try_again(server):
    async def twice(call, proceed):
        try:
            return await proceed(call)
        except OverloadedError:
            return await proceed(call)

    server.answer(Answer.json({}, 529), hello())
    async with mesh_for(server.url, mesh={"middlewares": [twice]}, retry={"attempts": 1}) as mesh:
        assert (await mesh.chat("c:m", "hi")).text == "hello"


@pytest.mark.parametrize("how", ["whole", "stream"])
async def test_a_middleware_that_forgets_to_answer_is_told(server, how):
    async def forgets(call, proceed):
        await proceed(call)

    server.route("POST", "/chat", hello() if how == "whole" else streamed(stall_after=1))
    async with mesh_for(server.url, mesh={"middlewares": [forgets]}) as mesh:
        with pytest.raises(ConfigurationError, match="a middleware answered"):
            await (mesh.chat("c:m", "hi") if how == "whole" else read(mesh.stream_chat("c:m", "hi")))
        if how == "stream":
            await server.wait_disconnected(1)


# observers


class Observer:
    def __init__(self):
        self.started, self.finished = [], []

    @hookimpl
    def jackfield_call_started(self, call):
        self.started.append(call)

    @hookimpl
    def jackfield_call_finished(self, call, outcome):
        self.finished.append((call, outcome))


def observed(url, *extensions, **more):
    return mesh_for(url, registry=Registry.of(PlainProvider(price=PRICE), extensions=extensions), **more)


async def test_a_call_is_told_once_at_its_beginning_and_once_at_its_end(server, pauses):
    ear = Observer()
    server.answer(Answer.json({}, 503), hello(), streamed())
    async with observed(server.url, ear) as mesh:
        await mesh.chat("c:m", "hi")
        stream = mesh.stream_chat("c:m", "hi")
        await read(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)  # asked once more after its end
        await stream.aclose()
    assert [call.id for call in ear.started] == [call.id for call, _ in ear.finished]
    assert len({call.id for call in ear.started}) == 2
    assert [call.stream for call in ear.started] == [False, True]
    for _, outcome in ear.finished:
        assert (outcome.status, outcome.error, outcome.finish_reasons) == ("ok", None, ("stop",))
        assert outcome.usage.output_tokens == 2
        assert outcome.cost.amount == Decimal("0.000007")
    assert [attempt.status for attempt in ear.finished[0][1].attempts] == [503, 200]


async def test_timings_are_those_of_the_call(server, monkeypatch):
    monkeypatch.setattr("time.perf_counter", asyncio.get_running_loop().time)
    ear = Observer()
    server.answer(streamed(interval=0.03), Answer.json({"text": "x", "finish": "stop"}, delay=0.05))
    async with observed(server.url, ear, max_parallel=1) as mesh:
        first = asyncio.create_task(read(mesh.stream_chat("c:m", "hi")))
        await server.wait_requests()
        await mesh.chat("c:m", "hi")
        await first
    streaming, waiting = (outcome.timings for _, outcome in ear.finished)
    for timings in (streaming, waiting):
        assert timings.queued <= timings.sent <= timings.first_event <= timings.finished
    assert waiting.sent == streaming.finished  # it had to wait for the slot
    assert waiting.first_event - waiting.sent == pytest.approx(0.05)
    assert streaming.finished - streaming.first_event == pytest.approx(0.15)  # five pauses


async def test_an_error_is_told(server):
    ear = Observer()
    server.answer(Answer.json({}, 400), streamed(*PIECES[:2], {"usage": [3, 1]}, done=False))
    async with observed(server.url, ear) as mesh:
        with pytest.raises(InvalidRequestError) as caught:
            await mesh.chat("c:m", "hi")
        with pytest.raises(StreamInterruptedError):
            await read(mesh.stream_chat("c:m", "hi"))
    (_, first), (_, second) = ear.finished
    assert (first.status, first.error, first.attempts[0].status) == ("error", caught.value, 400)
    assert (second.status, second.usage.output_tokens) == ("error", 1)
    assert first.timings.first_event is None


@pytest.mark.parametrize("how", ["cancel", "break", "cancel whole"])
async def test_a_call_that_was_left_is_cancelled_and_keeps_what_it_used(server, how):
    ear = Observer()
    server.answer(
        Answer.never() if how == "cancel whole" else streamed({"usage": [3, 1]}, {"text": "x"}, stall_after=2)
    )
    async with observed(server.url, ear) as mesh:
        if how == "break":
            async with mesh.stream_chat("c:m", "hi") as stream:
                await anext(stream)
                await anext(stream)
        else:
            call = mesh.chat("c:m", "hi") if how == "cancel whole" else read(mesh.stream_chat("c:m", "hi"))
            task = asyncio.create_task(call)
            await server.wait_requests()
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    [(_, outcome)] = ear.finished
    assert outcome.status == "cancelled"
    assert outcome.usage.output_tokens == (None if how == "cancel whole" else 1)


@pytest.mark.parametrize("stream", [False, True])
async def test_of_a_cancelled_call_every_attempt_is_told(server, pauses, stream):
    ear = Observer()
    server.answer(Answer.json({}, 503), Answer.never())
    async with observed(server.url, ear) as mesh:
        call = read(mesh.stream_chat("c:m", "hi")) if stream else mesh.chat("c:m", "hi")
        task = asyncio.create_task(call)
        await server.wait_requests(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    [(_, outcome)] = ear.finished
    assert [(attempt.status, attempt.error) for attempt in outcome.attempts] == [
        (503, "OverloadedError"),
        (None, "CancelledError"),
    ]
    assert outcome.timings.queued <= outcome.timings.sent <= outcome.timings.finished
    assert outcome.timings.first_event is None


async def test_an_observer_that_fails_is_logged_and_breaks_nothing(server, caplog):
    class Broken:
        @hookimpl
        def jackfield_call_started(self, call):
            raise ZeroDivisionError

        @hookimpl
        def jackfield_call_finished(self, call, outcome):
            raise ZeroDivisionError

    ear = Observer()
    caplog.set_level(logging.ERROR)
    server.answer(hello(), streamed())
    async with observed(server.url, Broken(), ear) as mesh:
        assert (await mesh.chat("c:m", "hi")).text == "hello"
        assert text_of(await read(mesh.stream_chat("c:m", "hi"))) == "hello"
    assert len(ear.started) == len(ear.finished) == 2
    assert caplog.text.count("the call goes on") == 4


async def test_an_extension_prices_what_the_plugin_does_not(server):
    class Prices:
        @hookimpl
        def jackfield_price(self, model):
            return PRICE if model.id == "m" else None

    server.route("POST", "/chat", hello())
    registry = Registry.of(PlainProvider(), extensions=[Prices()])
    async with mesh_for(server.url, registry=registry) as mesh:
        assert (await mesh.chat("c:m", "hi")).cost.amount == Decimal("0.000007")
        assert (await mesh.chat("c:n", "hi")).cost.status == "unknown"


async def test_the_fake_provider_serves_every_call():
    config = {"connections": {"c": {"provider": "fake"}}}
    async with Mesh.from_config(config, registry=Registry.of(FakeProvider())) as mesh:
        assert (await mesh.chat("c:m", "hi")).text
        assert text_of(await read(mesh.stream_chat("c:m", "hi")))
        assert (await mesh.complete("c:m", "hi")).text
        assert (await mesh.summarize("c:m", "hi")).text
        assert len((await mesh.embed("c:m", ["a", "b"])).embeddings) == 2
        assert len((await mesh.rerank("c:m", "a", ["a", "b"])).results) == 2
        assert (await mesh.count_tokens("c:m", "hi")).input_tokens
        assert (await mesh.models())[0].id == "echo"
        assert (await mesh.check("c")).ok
        assert mesh.explain("c:m", "hi").url is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"response_format": "jsn"}, "response_format"),
        ({"stop": ["a", 1]}, "stop is not understood: .* got 1 in it"),
        (
            {"logit_bias": {"50": "much"}},
            "logit_bias is not understood: it must be a mapping of token id to number",
        ),
        ({"tool_choice": "required"}, "no tools are given"),
        ({"tool_choice": "ad", "tools": [Tool("add")]}, "did you mean 'add'"),
    ],
)
async def test_words_that_no_provider_could_understand_are_refused(options, message):
    async with Mesh.from_config(
        {"connections": {"f": {"provider": "fake"}}}, registry=Registry.of(FakeProvider())
    ) as mesh:
        with pytest.raises(ConfigurationError, match=message):
            await mesh.chat("f:echo", "hi", **options)


async def test_a_listing_says_what_a_deployment_is_and_the_declaration_has_the_last_word(server):
    class Deployed(PlainProvider):
        @hookimpl
        def jackfield_discover(self):
            cards = [ModelCard(id="mine", underlying="big-1"), ModelCard(id="ours", underlying="big-1")]
            return Listing(Wire("models", method="GET"), lambda head, body: (cards, None))

    server.answer(Answer.json({}))
    declared = [
        {"id": "ours", "underlying": "small-1", "kind": "chat", "capabilities": {}, "price": {"input": "1"}},
        "*",
    ]
    async with mesh_for(server.url, Deployed(), models=declared) as mesh:
        cards = {card.id: card.underlying for card in await mesh.models("c")}
    assert cards == {"mine": "big-1", "ours": "small-1"}


@pytest.mark.parametrize("own", [{}, {"middlewares": []}], ids=["inherited", "overridden"])
def test_a_wrong_middleware_of_the_defaults_is_one_mistake(own):
    connection = {"provider": "plain", "base_url": "http://127.0.0.1:1", "api_key": "none", **own}
    config = {
        "defaults": {"middlewares": ["no-such"]},
        "connections": dict.fromkeys("abc", connection),
    }
    with pytest.raises(ConfigurationError) as caught:
        Mesh.from_config(config, registry=Registry.of(PlainProvider()))
    assert [mistake.partition(": ")[0] for mistake in caught.value.mistakes] == ["defaults.middlewares[0]"]


class PaidByTheHour(FakeProvider):
    jackfield_cost = None


@pytest.mark.parametrize(
    ("underlying", "host", "source"),
    [
        ("maker:big", FakeProvider("host"), "maker"),
        ("maker:big", FakeProvider("host", price=RateCard.of(source="host", input="3")), "host"),
        ("big", FakeProvider("host", models=["big"]), None),
        ("host:big", FakeProvider("host", models=["big"]), None),
        ("maker:big", PaidByTheHour("host"), None),
    ],
)
async def test_a_deployment_of_another_providers_model_has_that_ones_price(underlying, host, source):
    maker = FakeProvider("maker", models=["big"], price=RateCard.of(source="maker", input="1", output="2"))
    entry = {"id": "ours", "underlying": underlying}
    config = {"connections": {"c": {"provider": "host", "models": [entry]}}}
    async with Mesh.from_config(config, registry=Registry.of(host, maker)) as mesh:
        reply = await mesh.chat("c:ours", "hi")
        plan = mesh.explain("c:ours", "hi")
    assert {item.source for item in reply.cost.items} == ({source} if source else set())
    assert {item.source for item in plan.cost.items} == ({source} if source else set())
