"""Budgets: everything inside a block, whatever mesh and task makes the calls."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

import jackfield_limits
from jackfield import ConfigurationError, Mesh, Registry
from jackfield.plugin import RateCard
from jackfield.testing import FakeProvider
from jackfield_limits import LimitReachedError, MemoryStore, budget
from jackfield_limits._budget import read_amount

PRICE = RateCard.of(input=3, output=15, source="test")


def mesh_of(fake=None, middlewares=()):
    fake = fake or FakeProvider(price=PRICE)
    return Mesh.from_config(
        {"connections": {"f": {"provider": "fake"}}}, registry=Registry.of(fake), middlewares=middlewares
    )


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2 USD", ("money", "USD", Decimal(2))),
        ("0.50 EUR", ("money", "EUR", Decimal("0.5"))),
        ("500000 tokens", ("tokens", None, Decimal(500_000))),
        ("1,000 requests", ("requests", None, Decimal(1000))),
        ("3 DBU", ("DBU", None, Decimal(3))),
        ("90 seconds", ("second", None, Decimal(90))),
        ("2.5 credits", ("credit", None, Decimal("2.5"))),
    ],
)
def test_amounts_are_read_as_people_write_them(text, read):
    assert read_amount(text) == read


@pytest.mark.parametrize(
    "text", ["2", "USD", "-1 USD", "two USD", "1.5 tokens", "3 parallel", "2 USD EUR", ""]
)
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ConfigurationError):
        budget(text)


async def test_a_budget_needs_no_configuration_and_holds_for_any_mesh_and_task():
    async with mesh_of() as one, mesh_of() as other:
        async with budget("1 USD", owner="job-17") as spent:
            task = asyncio.create_task(other.chat("f:echo", "in a task", max_tokens=50))
            replies = [await one.chat("f:echo", "hi", max_tokens=50), await task]
            async with one.stream_chat("f:echo", "hi", max_tokens=50) as stream:
                async for _ in stream:
                    pass
            replies.append(stream.response)
            assert spent.used == sum(reply.cost.amount for reply in replies) > 0
            assert spent.left == 1 - spent.used
        await one.chat("f:echo", "outside", max_tokens=50)
        assert spent.used == sum(reply.cost.amount for reply in replies)


async def test_calls_inside_are_made_for_its_owner():
    seen = []

    async def look(call, proceed):
        seen.append(call.owner)
        return await proceed(call)

    async with mesh_of(middlewares=[look]) as mesh, budget("5 requests", owner="job-17"):
        await mesh.chat("f:echo", "hi")
        await mesh.chat("f:echo", "hi", owner="other")
        with jackfield_limits.owner("third"):
            await mesh.chat("f:echo", "hi")
    assert seen == ["job-17", "other", "third"]


async def test_a_budget_refuses_what_does_not_fit():
    fake = FakeProvider()
    async with mesh_of(fake) as mesh, budget("3 requests") as requests:
        results = await asyncio.gather(
            *(mesh.chat("f:echo", "hi") for _ in range(10)), return_exceptions=True
        )
    assert sum(isinstance(result, LimitReachedError) for result in results) == 7
    assert len(fake.requests) == 3
    assert (requests.used, requests.left) == (3, 0)


async def test_a_call_needs_room_in_each_of_nested_budgets():
    async with mesh_of() as mesh, budget("3 requests", name="outer") as outer:
        async with budget("1 requests", name="inner") as inner:
            await mesh.chat("f:echo", "hi")
            with pytest.raises(LimitReachedError, match="limit inner"):
                await mesh.chat("f:echo", "hi")
        assert (inner.used, outer.used) == (1, 1)
        for _ in range(2):
            reply = await mesh.chat("f:echo", "hi")
        with pytest.raises(LimitReachedError, match="limit outer"):
            await mesh.chat("f:echo", "hi")
    assert set(reply.metadata["limits"]) == {"outer"}


async def test_processes_may_share_a_budget_by_its_store():
    store = MemoryStore()
    async with mesh_of() as mesh:
        async with budget("2 requests", name="run-7", store=store):
            await mesh.chat("f:echo", "hi")
        async with budget("2 requests", name="run-7", store=store) as again:
            await mesh.chat("f:echo", "hi")
            assert again.used == 2
            with pytest.raises(LimitReachedError):
                await mesh.chat("f:echo", "hi")


def test_owners_are_checked():
    with pytest.raises(ConfigurationError, match="owner must be a path"):
        budget("1 USD", owner="a b")
    with pytest.raises(ConfigurationError, match="owner must be a path"), jackfield_limits.owner("/"):
        pass
