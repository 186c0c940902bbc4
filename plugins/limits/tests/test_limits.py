"""The middleware: what is reserved, what is settled, and what is refused."""

from __future__ import annotations

import asyncio
import logging
import pickle
from decimal import Decimal

import pytest

from jackfield import (
    JackfieldError,
    Mesh,
    OverloadedError,
    QuotaExceededError,
    Registry,
    StreamInterruptedError,
    UnsupportedError,
    Usage,
)
from jackfield.plugin import (
    Capabilities,
    Limits as Sizes,
    MiddlewareKind,
    ParameterRule,
    RateCard,
    Replay,
    around_calls,
    events_of,
    replayed_reply,
)
from jackfield.testing import FakeAnswer, FakeProvider
from jackfield_limits import LimitReachedError, Limits, LimitsSettings, MemoryStore, StoreAwayError

PRICE = RateCard.of(input=3, output=15, source="test")
MONEY = {"measure": "money", "most": "1", "currency": "USD", "window": "ever"}
SIZES = Capabilities(known=True, limits=Sizes(max_output_tokens=1000, context_window=100_000))


def rule(name="a", **table):
    return {"name": name, "measure": "requests", "most": "10", "window": "ever", **table}


def money(name="a", **table):
    return {"name": name, **MONEY, **table}


def read_table(table):
    """Read settings as configuration is read."""
    return MiddlewareKind(LimitsSettings, lambda settings: settings)(table)


class Setup:
    """A mesh with limits over a scripted provider, and the store behind it."""

    def __init__(
        self, *limits, answers=(), price=PRICE, outside=None, connection=None, retry=None, **settings
    ):
        self.fake = FakeProvider(answers=answers, price=price, capabilities=SIZES)
        self.store = MemoryStore()
        self.made = []

        def make(table):
            self.made.append(Limits(read_table({**settings, "limit": list(limits)}), self.store))
            return self.made[-1]

        middlewares = {"limits": make, **({} if outside is None else {"outside": lambda settings: outside})}
        config = {
            "defaults": {
                "middlewares": ["limits", *([] if outside is None else ["outside"])],
                "retry": retry or {"attempts": 1},
            },
            "connections": {name: {"provider": "fake", **(connection or {})} for name in ("f", "g")},
            "aliases": {"both": ["f:echo", "g:echo"]},
        }
        self.mesh = Mesh.from_config(config, registry=Registry.of(self.fake, middlewares=middlewares))

    async def counts(self, *names):
        counters = {rule.name: rule.counter_of(rule.name) for rule in self.made[0].rules}
        states = await self.store.read([counters[name] for name in names or counters])
        found = [(state.used, state.reserved) for state in states]
        return found[0] if len(found) == 1 else found


async def test_a_call_is_settled_with_what_it_used():
    setup = Setup(money(), rule("n"), rule("t", measure="tokens", most="100000"))
    async with setup.mesh as mesh:
        reply = await mesh.chat("f:echo", "hello there", max_tokens=50)
        cost = int(reply.cost.amount * 10**12)
        assert await setup.counts() == [(cost, 0), (1, 0), (reply.usage.total_tokens, 0)]
    told = reply.metadata["limits"]["a"]
    assert Decimal(told["settled"]) == reply.cost.amount
    assert Decimal(told["reserved"]) >= reply.cost.amount
    assert not told["estimated"]


async def test_what_may_be_used_is_reserved_while_a_call_runs():
    seen = []

    async def look(call, proceed):
        seen.append(await setup.counts())
        return await proceed(call)

    setup = Setup(rule(measure="output_tokens", most="1000"), outside=look)
    async with setup.mesh as mesh:
        await mesh.chat("f:echo", "hi", max_tokens=700)
    assert seen == [(0, 700)]


async def test_a_refusal_says_what_stands_in_the_way_and_what_would_pass():
    setup = Setup(money(most="0.001"), rule("n"))
    async with setup.mesh as mesh:
        with pytest.raises(LimitReachedError) as caught:
            await mesh.chat("f:echo", "hi", max_tokens=5000)
        error = caught.value
        assert isinstance(error, QuotaExceededError)
        assert (error.limit, error.measure, error.currency, error.most) == (
            "a",
            "money",
            "USD",
            Decimal("0.001"),
        )
        assert (error.used, error.reserved, error.largest) == (0, 0, Decimal("0.001"))
        assert not error.is_retryable
        assert 0 < error.largest_output < 5000
        assert f"max_tokens={error.largest_output}" in error.message
        assert setup.fake.requests == []
        assert await setup.counts() == [(0, 0), (0, 0)], "a refused call counts nothing"
        await mesh.chat("f:echo", "hi", max_tokens=error.largest_output)
    again = pickle.loads(pickle.dumps(error))
    assert (again.limit, again.largest, str(again)) == (error.limit, error.largest, str(error))


async def test_a_window_that_ends_in_time_may_be_retried():
    setup = Setup(rule(most="1", window="minute"))
    async with setup.mesh as mesh:
        await mesh.chat("f:echo", "hi")
        with pytest.raises(LimitReachedError) as caught:
            await mesh.chat("f:echo", "hi", timeout=90)
        assert caught.value.is_retryable
        assert 0 < caught.value.retry_after <= 60
        assert caught.value.resets_at % 60 == 0


@pytest.mark.parametrize("way", ["chat", "stream"])
async def test_parallel_calls_never_use_more_than_there_is(way):
    setup = Setup(money(most="0.1"))

    async def one(mesh):
        try:
            if way == "chat":
                reply = await mesh.chat("f:echo", "one two three", max_tokens=100)
            else:
                async with mesh.stream_chat("f:echo", "one two three", max_tokens=100) as stream:
                    async for _ in stream:
                        pass
                reply = stream.response
        except LimitReachedError:
            return Decimal(0)
        return reply.cost.amount

    async with setup.mesh as mesh:
        costs = await asyncio.gather(*(one(mesh) for _ in range(1000)))
        used, reserved = await setup.counts()
    assert reserved == 0
    assert used == sum(costs) * 10**12 <= 10**11
    assert any(costs)


# What was used by calls that did not go well


async def test_a_failed_call_is_a_request_and_costs_nothing_that_nobody_bills():
    setup = Setup(money(), rule("n"), answers=[503])
    async with setup.mesh as mesh:
        with pytest.raises(JackfieldError):
            await mesh.chat("f:echo", "hi", max_tokens=5)
        assert await setup.counts() == [(0, 0), (1, 0)]


async def test_retries_are_charged_once():
    setup = Setup(money(), rule("n"), answers=[503, 503], retry={"attempts": 3, "max_delay": 0.001})
    async with setup.mesh as mesh:
        reply = await mesh.chat("f:echo", "hi", max_tokens=5)
        assert len(reply.attempts) == 3
        assert await setup.counts() == [(reply.cost.amount * 10**12, 0), (1, 0)]


async def test_an_attempt_that_timed_out_is_settled_at_its_estimate_and_says_so():
    answers = [FakeAnswer(text="late", delay=60), "in time"]
    setup = Setup(
        rule("t", measure="output_tokens", most="1000"),
        answers=answers,
        retry={"attempts": 2, "max_delay": 0.001},
    )
    async with setup.mesh as mesh:
        reply = await mesh.chat("f:echo", "hi", max_tokens=300, timeout={"first_event": 0.05})
        assert len(reply.attempts) == 2
        used, reserved = await setup.counts()
    assert (used, reserved) == (300 + reply.usage.output_tokens, 0)
    assert reply.metadata["limits"]["t"]["estimated"]


async def test_what_was_never_sent_is_given_back():
    setup = Setup(money(), rule("n"))
    cold = {"temperature": ParameterRule(maximum=1)}
    setup.fake.capabilities = Capabilities(known=True, parameters=cold)
    async with setup.mesh as mesh:
        with pytest.raises(UnsupportedError):
            await mesh.chat("f:echo", "hi", max_tokens=5, temperature=3)
        assert setup.fake.requests == []
        assert await setup.counts() == [(0, 0), (0, 0)]


async def test_a_stream_that_is_left_is_booked_with_what_came():
    words = "word " * 200
    setup = Setup(
        rule("t", measure="output_tokens", most="1000"),
        rule("n"),
        answers=[FakeAnswer(text=words, usage=None)],
    )
    async with setup.mesh as mesh:
        async with mesh.stream_chat("f:echo", "hi", max_tokens=900) as stream:
            async for _ in stream:
                if len(stream.response.text) > 400:
                    break
        (used, reserved), requests = await setup.counts()
    assert reserved == 0
    assert 50 < used < 300
    assert requests == (1, 0)
    assert stream.response.metadata["limits"]["t"]["estimated"]


async def test_a_stream_that_breaks_is_booked():
    broken = FakeAnswer(text="some words that come", error=StreamInterruptedError("broken"), after=3)
    setup = Setup(rule("t", measure="output_tokens", most="1000"), answers=[broken])
    async with setup.mesh as mesh:
        with pytest.raises(StreamInterruptedError):
            async with mesh.stream_chat("f:echo", "hi", max_tokens=900) as stream:
                async for _ in stream:
                    pass
        used, reserved = await setup.counts()
    assert reserved == 0
    assert 0 < used <= 900


async def test_a_call_that_is_cancelled_is_booked():
    setup = Setup(
        rule("t", measure="output_tokens", most="1000"),
        rule("n"),
        answers=[FakeAnswer(text="late", delay=60)],
    )
    async with setup.mesh as mesh:
        task = asyncio.create_task(mesh.chat("f:echo", "hi", max_tokens=300))
        while not setup.fake.requests:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await setup.counts() == [(300, 0), (1, 0)]


async def test_a_cached_answer_costs_nothing():
    async def cache(call, proceed):
        reply = await proceed(call)
        return replayed_reply(call, events_of(reply), replay=Replay(by="cache"))

    setup = Setup(money(), rule("n"), outside=cache)
    async with setup.mesh as mesh:
        await mesh.chat("f:echo", "hi", max_tokens=5)
        assert await setup.counts() == [(0, 0), (0, 0)]


async def test_an_alias_reserves_for_each_target_and_gives_back_what_failed():
    setup = Setup(money(), money("f", connection="f"), money("g", connection="g"), answers=[503])
    async with setup.mesh as mesh:
        reply = await mesh.chat("both", "hi", max_tokens=5)
        cost = reply.cost.amount * 10**12
        assert await setup.counts() == [(cost, 0), (0, 0), (cost, 0)]


async def test_parts_of_an_embedding_are_booked_once():
    setup = Setup(rule("t", measure="tokens", most="100000"), rule("n"))
    setup.fake.capabilities = Capabilities(known=True, limits=Sizes(max_inputs=2))
    async with setup.mesh as mesh:
        reply = await mesh.embed("f:echo", ["a b", "c", "d", "e", "f g"])
        assert len(reply.attempts) == 3
        assert await setup.counts() == [(reply.usage.input_tokens, 0), (1, 0)]


async def test_tokens_are_counted_where_they_are_not_limited_by_the_caller():
    setup = Setup(rule("t", measure="output_tokens", most="999"))
    async with setup.mesh as mesh:
        with pytest.raises(LimitReachedError, match="may use 1000 output tokens"):
            await mesh.chat("f:echo", "hi")


# Prices


async def test_a_model_without_a_known_price_spends_no_budget_unseen():
    setup = Setup(money(), price=None)
    async with setup.mesh as mesh:
        with pytest.raises(LimitReachedError, match='no known price; declare one, or set unpriced = "allow"'):
            await mesh.chat("f:echo", "hi", max_tokens=5)
    assert setup.fake.requests == []


async def test_unpriced_calls_may_be_allowed():
    setup = Setup(money(), price=None, unpriced="allow")
    async with setup.mesh as mesh:
        await mesh.chat("f:echo", "hi", max_tokens=5)
        assert await setup.counts() == (0, 0)


async def test_another_currency_is_no_known_price():
    setup = Setup(money(currency="EUR"))
    async with setup.mesh as mesh:
        with pytest.raises(LimitReachedError, match="no known price in EUR"):
            await mesh.chat("f:echo", "hi", max_tokens=5)


async def test_output_that_nothing_limits_is_assumed_or_refused():
    for settings, message in (
        (
            {},
            r"limit t cannot count this call: nothing limits its output; .* assume_output of \[middleware.limits\]",
        ),
        ({"assume_output": 700}, "may use 700 output tokens"),
    ):
        setup = Setup(rule("t", measure="output_tokens", most="500"), **settings)
        setup.fake.capabilities = Capabilities(known=True)
        async with setup.mesh as mesh:
            with pytest.raises(LimitReachedError, match=message):
                await mesh.chat("f:echo", "hi")


async def test_a_connection_paid_by_the_hour_spends_money_and_seconds():
    setup = Setup(
        money(most="10"),
        rule("s", measure="second", most="36000"),
        price=None,
        connection={"rate": {"hour": "3600", "currency": "USD"}},
    )
    async with setup.mesh as mesh:
        with pytest.raises(LimitReachedError, match="may use 60 USD"):
            await mesh.chat("f:echo", "hi", timeout=60)
        reply = await mesh.chat("f:echo", "hi", timeout=5)
        (used, _), (seconds, _) = await setup.counts()
    assert used == -(-reply.cost.amount * 10**12 // 1)
    assert 0 < seconds < 5 * 10**12


async def test_units_of_a_service_are_measures():
    answer = FakeAnswer(text="hello", usage=Usage(10, 10, units={"DBU": Decimal("0.07")}))
    setup = Setup(rule("d", measure="DBU", most="0.1"), answers=[answer, answer])
    async with setup.mesh as mesh:
        await mesh.chat("f:echo", "hi", max_tokens=10)
        assert await setup.counts() == (7 * 10**10, 0)
        with pytest.raises(LimitReachedError, match=r"0\.07 DBU used"):
            await mesh.chat("f:echo", "hi", max_tokens=100)


# Whom a limit concerns


async def test_a_limit_on_an_owner_holds_for_all_below_it_and_nobody_else():
    setup = Setup(rule(owner="org/a"))
    async with setup.mesh as mesh:
        for owner in ("org/a", "org/a/b", "org/a/b/c", "org/ab", "org", "other"):
            await mesh.chat("f:echo", "hi", owner=owner)
        await mesh.chat("f:echo", "hi")
        assert await setup.counts() == (3, 0)


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        ({"connection": "f"}, 2), ({"connection": "*"}, 4), ({"model": "ec*"}, 4), ({"model": "e"}, 0),
        ({"key": "alice"}, 1), ({"kind": "embedding"}, 1), ({"kind": "chat", "connection": "g"}, 1),
    ],
)  # fmt: skip
async def test_selectors(selector, count):
    setup = Setup(rule(**selector))
    async with setup.mesh as mesh:
        await mesh.chat("f:echo", "hi", labels={"key": "alice"})
        await mesh.chat("f:echo", "hi")
        await mesh.chat("g:echo", "hi")
        await mesh.embed("g:echo", ["hi"])
        assert await setup.counts() == (count, 0)


async def test_a_limit_may_count_for_each_owner_apart():
    setup = Setup(rule(each="owner", most="1"))
    async with setup.mesh as mesh:
        await mesh.chat("f:echo", "hi", owner="a")
        await mesh.chat("f:echo", "hi", owner="b")
        with pytest.raises(LimitReachedError):
            await mesh.chat("f:echo", "hi", owner="a")
    assert await setup.store.find("a:") == ("a:a", "a:b")


async def test_counting_tokens_is_no_call():
    setup = Setup(rule())
    async with setup.mesh as mesh:
        await mesh.count_tokens("f:echo", "hi")
        assert await setup.counts() == (0, 0)


# Waiting and warning


async def test_parallel_calls_wait_for_one_another_or_are_refused():
    answers = [FakeAnswer(text="slow", delay=0.05) for _ in range(6)]
    setup = Setup(rule(measure="parallel", most="2", window=None, action="wait", wait=5.0), answers=answers)
    async with setup.mesh as mesh:
        replies = await asyncio.gather(*(mesh.chat("f:echo", "hi") for _ in range(6)))
        assert [reply.text for reply in replies] == ["slow"] * 6
        assert await setup.counts() == (0, 0)


async def test_calls_one_after_another_are_not_parallel():
    setup = Setup(rule(measure="parallel", most="1", window=None))
    async with setup.mesh as mesh:
        for _ in range(5):
            await mesh.chat("f:echo", "hi")
            async with mesh.stream_chat("f:echo", "hi") as stream:
                async for _ in stream:
                    pass


async def test_nobody_waits_for_what_does_not_come_in_time():
    setup = Setup(rule(most="1", window="month", action="wait", wait=5.0))
    async with setup.mesh as mesh:
        await mesh.chat("f:echo", "hi")
        async with asyncio.timeout(1):
            with pytest.raises(LimitReachedError, match="wait until"):
                await mesh.chat("f:echo", "hi")


async def test_a_limit_that_warns_refuses_nothing(caplog):
    setup = Setup(rule(most="2", action="warn", warn_at=[0.5, 1.0]))
    with caplog.at_level(logging.WARNING, "jackfield.limits"):
        async with setup.mesh as mesh:
            for _ in range(5):
                await mesh.chat("f:echo", "hi")
    assert [record.getMessage() for record in caplog.records] == [
        "limit a: 1 requests of 2 requests are used (50 %)",
        "limit a: 2 requests of 2 requests are used (100 %)",
    ]


async def test_expected_amounts_let_more_calls_run_side_by_side():
    setup = Setup(rule("t", measure="output_tokens", most="1000"), reserve="expected")
    async with setup.mesh as mesh:
        for _ in range(20):
            reply = await mesh.chat("f:echo", "hi", max_tokens=900 - 20 * 4)
    reserved = Decimal(reply.metadata["limits"]["t"]["reserved"])
    assert reserved < 500


# The store


class Away(MemoryStore):
    async def reserve(self, call_id, takes, lease):
        raise StoreAwayError("no route")


@pytest.mark.parametrize("store_away", ["refuse", "serve"])
async def test_while_the_store_is_away_calls_are_refused_or_served(store_away, caplog):
    setup = Setup(rule(), store_away=store_away)
    setup.store = Away()
    async with setup.mesh as mesh:
        if store_away == "serve":
            assert (await mesh.chat("f:echo", "hi")).text
            assert "uncounted" in caplog.text
        else:
            with pytest.raises(OverloadedError, match="store of limits is away"):
                await mesh.chat("f:echo", "hi")
            assert setup.fake.requests == []


async def test_a_settlement_is_tried_again():
    class Shaky(MemoryStore):
        tries = 0

        async def settle(self, grant, used):
            self.tries += 1
            if self.tries < 3:
                raise StoreAwayError("no route")
            return await super().settle(grant, used)

    setup = Setup(rule())
    setup.store = Shaky()
    async with setup.mesh as mesh:
        await mesh.chat("f:echo", "hi")
        assert await setup.counts() == (1, 0)


async def test_a_settlement_goes_on_when_its_caller_is_cancelled():
    class Slow(MemoryStore):
        async def settle(self, grant, used):
            await asyncio.sleep(0.05)
            return await super().settle(grant, used)

    setup = Setup(rule())
    setup.store = Slow()
    async with setup.mesh as mesh:
        task = asyncio.create_task(mesh.chat("f:echo", "hi"))
        while not setup.fake.requests:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await setup.counts() == (1, 0)


async def test_a_call_without_a_time_limit_keeps_its_lease(monkeypatch):
    monkeypatch.setattr("jackfield_limits._limits._UNLIMITED", 0.1)
    setup = Setup(
        rule(measure="parallel", window=None, most="1"),
        answers=[FakeAnswer(text="slow", delay=0.5)],
        margin=0.0,
    )
    async with setup.mesh as mesh:
        task = asyncio.create_task(mesh.chat("f:echo", "hi", timeout={"total": None}))
        await asyncio.sleep(0.35)
        assert await setup.counts() == (0, 1)
        await task
        assert await setup.counts() == (0, 0)


async def test_explaining_says_what_would_be_reserved():
    setup = Setup(rule("t", measure="output_tokens", most="500"), rule("other", owner="else"))
    async with setup.mesh as mesh:
        seen = []

        async def keep(call, proceed):
            seen.append(call)
            return await proceed(call)

        with around_calls(keep):
            await mesh.chat("f:echo", "hi", max_tokens=100)
        (row,) = (await setup.made[0].explain(seen[0]))["limits"]
    assert row["limit"] == "t"
    assert (row["would_reserve"], row["passes"], row["most"]) == ("100", True, "500")


class Unread(MemoryStore):
    async def read(self, counters):
        raise StoreAwayError("no route")


@pytest.mark.parametrize("store_away", ["refuse", "serve"])
async def test_explaining_says_that_the_store_is_away(store_away, caplog):
    setup = Setup(rule("t", measure="output_tokens", most="500"), store_away=store_away)
    setup.store = Unread()
    async with setup.mesh as mesh:
        seen = []

        async def keep(call, proceed):
            seen.append(call)
            return await proceed(call)

        with around_calls(keep):
            await mesh.chat("f:echo", "hi", max_tokens=100)
        (row,) = (await setup.made[0].explain(seen[0]))["limits"]
    assert (row["limit"], row["most"], row["would_reserve"]) == ("t", "500", "100")
    assert [row[name] for name in ("used", "reserved", "remaining", "resets_at")] == [None] * 4
    assert row["passes"] is (store_away == "serve")
    assert "the store of limits is away" in row["why"]
    assert "no route" in caplog.text


def test_settings_are_documented_in_the_class():
    for name in ("store", "store_away", "reserve", "unpriced", "assume_output", "margin", "limit"):
        assert f"{name}:" in LimitsSettings.__doc__
