"""What is paid for observers: nothing that none of them reads."""

import pickle
from decimal import Decimal

import pytest
from plain_provider import PlainProvider, hello, mesh_for, read, streamed

from jackfield import Mesh
from jackfield._plugins.registry import Registry
from jackfield.plugin import Outcome, RateCard, hookimpl
from jackfield.testing import FakeAnswer, FakeProvider

PRICE = RateCard.of(source="table 2026-01-01", input="1", output="2")


class CountingProvider(PlainProvider):
    """Count how often a call is priced."""

    def __init__(self):
        super().__init__(price=PRICE)
        self.priced = 0

    @hookimpl
    def jackfield_cost(self, model, usage, context):
        self.priced += 1
        return PRICE


class Observer:
    def __init__(self):
        self.outcomes = []

    @hookimpl
    def jackfield_call_finished(self, outcome):
        self.outcomes.append(outcome)


async def let_through(call, proceed):
    return await proceed(call)


@pytest.fixture
def provider():
    return CountingProvider()


@pytest.fixture
def observer():
    return Observer()


@pytest.fixture
def mesh(server, provider, observer):
    server.route("POST", "/chat", lambda request: streamed() if request.json.get("stream") else hello())
    registry = Registry.of(provider, extensions=[observer])
    return mesh_for(server.url, registry=registry, mesh={"middlewares": [let_through]})


async def test_a_call_is_priced_when_an_observer_reads_its_cost(mesh, provider, observer):
    async with mesh:
        await mesh.chat("c:m", "hi")
        await read(mesh.stream_chat("c:m", "hi"))
    assert provider.priced == 0
    for number, outcome in enumerate(observer.outcomes, 1):
        assert outcome.cost.amount == Decimal("0.000007")
        assert outcome.cost is outcome.cost
        assert provider.priced == number


async def test_observer_and_caller_share_one_price(mesh, provider, observer):
    async with mesh:
        reply = await mesh.chat("c:m", "hi")
    assert reply.cost is observer.outcomes[0].cost
    assert provider.priced == 1


async def test_an_outcome_that_was_not_priced_yet_can_be_pickled(mesh, observer):
    async with mesh:
        await mesh.chat("c:m", "hi")
    copy = pickle.loads(pickle.dumps(observer.outcomes[0]))
    assert copy.cost.amount == Decimal("0.000007")
    assert (copy.status, copy.usage, copy.timings) == (
        "ok",
        observer.outcomes[0].usage,
        observer.outcomes[0].timings,
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_of_a_call_whose_end_interests_nobody_no_outcome_is_made(server, monkeypatch, stream):
    class Uninterested(Observer):
        @hookimpl
        def jackfield_call_started(self, call):
            return False

    made = []
    monkeypatch.setattr("jackfield._calls.observers.Outcome", lambda **known: made.append(known))
    server.route("POST", "/chat", lambda request: streamed() if request.json.get("stream") else hello())
    for observers, outcomes in ([Uninterested()], 0), ([Uninterested(), Observer()], 1):
        registry = Registry.of(PlainProvider(), extensions=observers)
        async with mesh_for(server.url, registry=registry) as mesh:
            await (read(mesh.stream_chat("c:m", "hi")) if stream else mesh.chat("c:m", "hi"))
        assert len(made) == outcomes
        assert observers[0].outcomes == []


def test_an_outcome_without_a_reply_has_an_unknown_cost():
    assert Outcome(status="error").cost.status == "unknown"


def test_an_outcome_that_a_test_makes_may_have_a_cost_of_its_own():
    from jackfield import Cost

    cost = Cost("complete", Decimal(1), "USD")
    assert Outcome(status="ok", cost=cost).cost is cost
    assert Outcome(status="ok", cost=cost) != Outcome(status="ok")


@pytest.mark.parametrize("mapped", [False, True])
async def test_a_stream_that_was_read_to_its_end_is_ok_although_its_service_does_not_mark_the_end(mapped):
    observer = Observer()

    async def change(call, proceed):
        return (await proceed(call)).map(lambda event: event)

    registry = Registry.of(FakeProvider(answers=[FakeAnswer(unmarked=True)] * 2), extensions=[observer])
    middlewares = [change] if mapped else []
    connections = {"c": {"provider": "fake"}}
    async with Mesh.from_config(
        {"connections": connections}, registry=registry, middlewares=middlewares
    ) as mesh:
        async with mesh.stream_chat("c:echo", "one two three") as read_out:
            async for _ in read_out:
                assert not read_out.response.complete
        async with mesh.stream_chat("c:echo", "one two three") as left:
            await anext(aiter(left))
    assert (read_out.response.complete, read_out.response.ended) == (False, True)
    assert read_out.response.finish_reason == "other"
    assert (left.response.complete, left.response.ended) == (False, False)
    assert [outcome.status for outcome in observer.outcomes] == ["ok", "cancelled"]
