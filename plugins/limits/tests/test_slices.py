"""Slices: few round trips, the limit holds, nearly all of it can be used, and what is lost comes back."""

from __future__ import annotations

import asyncio
import random

import pytest
from limit_stores import START, counter, take

from jackfield_limits import Grant, MemoryStore, Refusal, SlicedStore, StoreAwayError, Take, open_store
from jackfield_limits._stores import _without_slices


class Shared:
    """A store that several processes share: counts what it is asked, takes a moment to answer, may be away."""

    def __init__(self):
        loop = asyncio.get_running_loop()
        self.memory = MemoryStore(lambda: START + loop.time())
        self.trips = 0
        self.is_away = False

    def __getattr__(self, name):
        operation = getattr(self.memory, name)

        async def ask(*arguments):
            self.trips += 1
            await asyncio.sleep(0)
            if self.is_away:
                raise StoreAwayError("away")
            return await operation(*arguments)

        return ask


@pytest.fixture
async def shared():
    return Shared()


async def total(shared, *args, **options):
    (state,) = await shared.memory.read([counter(*args, **options)])
    return state.used, state.reserved


async def call(store, name, amount, used, *args, pause=0.01, **options):
    answer = await store.reserve(name, [take(amount, *args, **options)], 60)
    if isinstance(answer, Refusal):
        return 0
    await asyncio.sleep(pause)
    await store.settle(answer, {"a": used})
    return used


async def in_turn(store, name, calls, **options):
    return sum(
        [await call(store, f"{name}-{number}", 10, 7, most=1_000_000, **options) for number in range(calls)]
    )


async def test_a_wide_limit_is_asked_less_than_once_in_ten_calls(shared):
    store = SlicedStore(shared)
    sums = await asyncio.gather(*(in_turn(store, name, 100) for name in range(20)))
    assert shared.trips < 2000 / 10
    await store.aclose()
    assert await total(shared, most=1_000_000) == (sum(sums), 0) == (2000 * 7, 0)


async def test_a_narrow_limit_is_asked_for_each_call(shared):
    """A slice of it would hold from others what they could use."""
    store = SlicedStore(shared)
    for number in range(50):
        assert await call(store, f"{number}", 10, 1, most=1000)
        assert await total(shared, most=1000) == (number + 1, 0)
    await store.aclose()


@pytest.mark.parametrize("seed", range(4))
async def test_with_slices_in_four_processes_a_limit_holds_and_can_be_used(shared, seed):
    chance = random.Random(seed)
    most = 200_000
    stores = [SlicedStore(shared) for _ in range(4)]
    settled = []

    async def work(name):
        for number in range(400):
            store = chance.choice(stores)
            amount = chance.choice([100, 100, 150, 500])
            answer = await store.reserve(f"{name}-{number}", [take(amount, most=most)], 60)
            if isinstance(answer, Refusal):
                return
            await asyncio.sleep(0.25 * chance.randrange(4))  # few moments: each costs real time
            if chance.random() < 0.1:
                await store.release(answer.call_id)
                continue
            used = chance.randrange(amount // 2, amount + 1)
            await store.settle(answer, {"a": used})
            settled.append(used)
            assert sum(await total(shared, most=most)) <= most
            assert sum(settled) <= most

    await asyncio.gather(*(work(name) for name in range(20)))
    await asyncio.sleep(5)  # what idle slices have left comes back
    number = 0
    while isinstance(answer := await stores[0].reserve(f"rest-{number}", [take(100, most=most)], 60), Grant):
        number += 1
        await stores[0].settle(answer, {"a": 100})
        settled.append(100)
    assert 0.99 * most <= sum(settled) <= most
    for store in stores:
        await store.aclose()
    assert await total(shared, most=most) == (sum(settled), 0)


async def test_many_owners_below_one_limit_hold_no_more_of_it_than_one(shared):
    store = SlicedStore(shared)
    wide = counter(most=1_000_000, key="all")

    async def work(owner):
        for number in range(5):
            own = take(10, most=1_000_000, key=owner)
            grant = await store.reserve(f"{owner}-{number}", [own, Take(counter=wide, amount=10)], 60)
            _, reserved = await total(shared, most=1_000_000, key="all")
            assert reserved <= 1_000_000 / 400 + 100 * 10  # the slices, and what calls without one hold
            await store.settle(grant, {"all": 10, owner: 10})

    await asyncio.gather(*(work(f"owner-{number}") for number in range(100)))
    await store.aclose()
    assert not store._shared
    assert await total(shared, most=1_000_000, key="all") == (100 * 5 * 10, 0)


async def test_a_process_that_dies_gives_back_with_its_lease(shared):
    dead, alive = SlicedStore(shared), SlicedStore(shared)
    dead._look_after = dead._end_leases = lambda part: 0.0  # nothing of it runs on its own
    await in_turn(dead, "dead", 30)
    used, reserved = await total(shared, most=1_000_000)
    assert reserved > 0
    assert isinstance(await alive.reserve("all", [take(1_000_000 - used, most=1_000_000)], 60), Refusal)
    await asyncio.sleep(63)
    assert await total(shared, most=1_000_000) == (used, 0)
    assert isinstance(await alive.reserve("all again", [take(1_000_000 - used, most=1_000_000)], 60), Grant)
    await alive.aclose()


async def test_a_long_call_keeps_what_it_needs_and_no_more(shared):
    store = SlicedStore(shared)
    await in_turn(store, "first", 3)
    long = await store.reserve("long", [take(10, most=1_000_000)], 600)
    await in_turn(store, "other", 10)
    await asyncio.sleep(10)
    assert await total(shared, most=1_000_000) == (13 * 7, 10)
    assert await store.renew("long", 900)
    await asyncio.sleep(800)
    assert await total(shared, most=1_000_000) == (13 * 7, 10)
    await store.settle(long, {"a": 9})
    await asyncio.sleep(1)
    assert await total(shared, most=1_000_000) == (13 * 7 + 9, 0)
    await store.aclose()


async def test_a_lost_call_ends_with_its_lease(shared):
    store = SlicedStore(shared)
    await in_turn(store, "first", 3)
    lost = await store.reserve("lost", [take(10, most=1_000_000)], 60)
    await asyncio.sleep(70)
    assert await total(shared, most=1_000_000) == (3 * 7, 0)
    assert not await store.renew("lost", 60)
    with pytest.raises(ValueError, match="has ended"):
        await store.reserve("lost", [take(10, most=1_000_000)], 60)
    await store.settle(lost, {"a": 4})
    await store.settle(lost, {"a": 4})
    assert await total(shared, most=1_000_000) == (3 * 7 + 4, 0)
    await store.aclose()


async def test_a_call_takes_once_and_is_booked_once(shared):
    store = SlicedStore(shared)
    await in_turn(store, "first", 3)
    grant = await store.reserve("1", [take(10, most=1_000_000)], 60)
    assert await store.reserve("1", [take(10, most=1_000_000)], 60) == grant
    for _ in range(2):
        (state,) = await store.settle(grant, {"a": 6})
        assert (state.used, state.reserved) == (3 * 7 + 6, 0)
    with pytest.raises(ValueError, match="has ended"):
        await store.reserve("1", [take(10, most=1_000_000)], 60)
    await store.release("never came")
    with pytest.raises(ValueError, match="has ended"):
        await store.reserve("never came", [take(10, most=1_000_000)], 60)
    await store.aclose()
    assert await total(shared, most=1_000_000) == (3 * 7 + 6, 0)


async def test_a_slice_ends_with_the_window(shared):
    store = SlicedStore(shared)
    seconds = 60 - START % 60
    for number in range(4):
        await call(store, f"old-{number}", 10, 7, "minute", most=1_000_000)
    await asyncio.sleep(seconds - 0.5)
    over = await store.reserve("over", [take(10, "minute", most=1_000_000)], 60)
    await asyncio.sleep(1)
    for number in range(4):
        await call(store, f"new-{number}", 10, 7, "minute", most=1_000_000)
    await store.settle(over, {"a": 10})
    await store.aclose()
    assert await total(shared, "minute", most=1_000_000) == (4 * 7, 0)


async def test_what_was_used_while_the_store_is_away_is_booked_when_it_is_back(shared):
    store = SlicedStore(shared)
    await in_turn(store, "first", 5)
    shared.is_away = True
    spent = await in_turn(store, "away", 20)
    await asyncio.sleep(3)
    with pytest.raises(StoreAwayError):
        await call(store, "late", 10, 0, most=1_000_000)
    await asyncio.sleep(20)
    shared.is_away = False
    await asyncio.sleep(60)
    assert await total(shared, most=1_000_000) == (5 * 7 + spent, 0)
    await store.aclose()


async def test_what_is_shown_has_what_this_process_has_used_and_not_what_it_could(shared):
    store = SlicedStore(shared)
    await in_turn(store, "first", 5)
    grant = await store.reserve("now", [take(10, most=1_000_000)], 60)
    assert (await total(shared, most=1_000_000))[1] > 10
    (state,) = await store.read([counter(most=1_000_000)])
    assert (state.used, state.reserved) == (5 * 7, 10)
    assert (grant.states[0].used, grant.states[0].reserved) == (5 * 7, 10)
    await store.aclose()


async def test_a_cancelled_call_leaves_its_slice_to_others(shared):
    store = SlicedStore(shared)
    await in_turn(store, "first", 2)
    await asyncio.sleep(5)
    asked = asyncio.ensure_future(store.reserve("left", [take(10, most=1_000_000)], 60))
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await store.release("left")
    trips = shared.trips
    await in_turn(store, "other", 5)
    assert shared.trips <= trips + 1
    await store.aclose()
    assert await total(shared, most=1_000_000) == (7 * 7, 0)


@pytest.mark.parametrize(
    ("address", "rest", "is_sliced"),
    [
        ("redis://host/0", "redis://host/0", False),
        ("redis://host/0?slices=true", "redis://host/0", True),
        ("redis://host/0?cluster=true&slices=true", "redis://host/0?cluster=true", True),
        (
            "postgresql://host/name?slices=false&sslmode=require",
            "postgresql://host/name?sslmode=require",
            False,
        ),
    ],
)
def test_an_address_says_whether_there_are_slices(address, rest, is_sliced):
    assert _without_slices(address) == (rest, is_sliced)
    assert isinstance(open_store(address), SlicedStore) == is_sliced
