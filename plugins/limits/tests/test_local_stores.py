from __future__ import annotations

import pytest

from jackfield_limits import Counter, Grant, MemoryStore, Refusal, Take
from jackfield_limits._sqlite import SQLiteStore
from jackfield_limits._windows import parse_window


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, clock, tmp_path):
    made = MemoryStore(clock) if request.param == "memory" else SQLiteStore(tmp_path / "limits.db", clock)
    yield made
    await made.aclose()


def counter(window: str = "ever", most: int | None = 100, key: str = "a") -> Counter:
    return Counter(key=key, window=parse_window(window), most=most)


def take(amount: int, *args, **options) -> Take:
    return Take(counter=counter(*args, **options), amount=amount)


async def used(store: MemoryStore, *args, **options) -> tuple[int, int]:
    (state,) = await store.read([counter(*args, **options)])
    return state.used, state.reserved


async def test_all_is_taken_or_nothing(store):
    refused = await store.reserve("1", [take(50), take(101, key="b")], 60)
    assert isinstance(refused, Refusal)
    assert refused.take.counter.key == "b"
    assert await used(store) == (0, 0)
    assert isinstance(await store.reserve("1", [take(50), take(100, key="b")], 60), Grant)
    assert await used(store) == (0, 50)


async def test_the_same_call_takes_once_and_is_booked_once(store):
    grant = await store.reserve("1", [take(60)], 60)
    again = await store.reserve("1", [take(60)], 60)
    assert again == grant
    assert await used(store) == (0, 60)
    await store.settle(grant, {"a": 10})
    await store.settle(grant, {"a": 10})
    assert await used(store) == (10, 0)
    with pytest.raises(ValueError, match="has ended"):
        await store.reserve("1", [take(60)], 60)


async def test_a_reservation_that_arrives_after_its_release_takes_nothing(store):
    await store.release("1")
    with pytest.raises(ValueError, match="has ended"):
        await store.reserve("1", [take(60)], 60)


async def test_a_lease_ends_by_itself_and_what_was_used_is_booked_nevertheless(store, clock):
    grant = await store.reserve("1", [take(60)], 60)
    clock.now += 59
    assert await store.renew("1", 60)
    clock.now += 59
    assert await used(store) == (0, 60)
    clock.now += 1
    assert await used(store) == (0, 0)
    assert not await store.renew("1", 60)
    await store.settle(grant, {"a": 7})
    await store.settle(grant, {"a": 7})
    assert await used(store) == (7, 0)


async def test_what_is_reserved_before_midnight_is_booked_before_midnight(store, clock):
    clock.now = 1_800_057_600.0 - 1  # a second before midnight
    grant = await store.reserve("1", [take(60, "day")], 60)
    clock.now += 2
    assert await used(store, "day") == (0, 0)
    await store.settle(grant, {"a": 60})
    assert await used(store, "day") == (0, 0)


async def test_a_window_ends_whether_it_is_asked_or_not(store, clock):
    """One that is written to all the time must not begin anew with every write, or it never ends."""
    grant = await store.reserve("0", [take(100, "minute")], 60)
    await store.settle(grant, {"a": 100})
    for number in range(1, 59):
        clock.now += 1
        refused = await store.reserve(str(number), [take(1, "minute")], 60)
        assert isinstance(refused, Refusal)
        assert refused.passes_at == 1_800_000_060
    clock.now += 3
    assert isinstance(await store.reserve("60", [take(100, "minute")], 60), Grant)


async def test_a_refused_call_counts_nothing(store):
    await store.reserve("1", [take(100)], 60)
    for number in range(5):
        assert isinstance(await store.reserve(f"r{number}", [take(1)], 60), Refusal)
    assert await used(store) == (0, 100)
    await store.release("1")
    assert isinstance(await store.reserve("2", [take(100)], 60), Grant)


async def test_in_no_time_of_its_length_a_rolling_window_lets_more_through(store, clock):
    booked: list[tuple[float, int]] = []
    for number in range(1000):
        clock.now += 61.7
        answer = await store.reserve(str(number), [take(10, "rolling 1h")], 60)
        if isinstance(answer, Grant):
            await store.settle(answer, {"a": 10})
            booked.append((clock.now, 10))
        else:
            assert answer.passes_at is not None
            assert clock.now < answer.passes_at <= clock.now + 3660
    assert len(booked) > 150
    for moment, _ in booked:
        assert sum(amount for when, amount in booked if moment - 3600 < when <= moment) <= 100


async def test_a_rolling_window_tells_when_enough_has_left(store, clock):
    for number in range(2):
        grant = await store.reserve(str(number), [take(50, "rolling 1h")], 60)
        await store.settle(grant, {"a": 50})
        clock.now += 600
    refused = await store.reserve("x", [take(60, "rolling 1h")], 60)
    assert isinstance(refused, Refusal)
    assert refused.passes_at is not None
    clock.now = refused.passes_at - 1
    assert isinstance(await store.reserve("y", [take(60, "rolling 1h")], 60), Refusal)
    clock.now = refused.passes_at
    assert isinstance(await store.reserve("z", [take(60, "rolling 1h")], 60), Grant)


async def test_a_clock_that_goes_back_gives_nothing_back(store, clock):
    await store.reserve("1", [take(100, "minute")], 600)
    clock.now -= 3600
    assert isinstance(await store.reserve("2", [take(1, "minute")], 60), Refusal)


async def test_leases_of_calls_that_have_ended_take_no_memory(clock):
    store = MemoryStore(clock)
    for number in range(30_000):
        grant = await store.reserve(str(number), [take(1)], 600)
        await store.settle(grant, {})
    assert len(store._leases) < 21_000
    assert len(store._ended) <= 10_000


async def test_only_counters_in_use_are_found(store):
    await store.reserve("1", [take(1, key="each:a"), take(1, key="each:b"), take(1, key="other")], 60)
    assert await store.find("each:") == ("each:a", "each:b")
    await store.release("1")
    assert await store.find("each:") == ()


async def test_another_kind_of_window_begins_anew(store):
    grant = await store.reserve("1", [take(60, "day")], 60)
    await store.settle(grant, {"a": 60})
    assert await used(store, "day") == (60, 0)
    assert await used(store, "hour") == (0, 0)


async def test_amounts_may_be_large_and_stay_exact(store):
    large = 10**23 + 1
    grant = await store.reserve("1", [take(large, most=2 * large)], 60)
    assert isinstance(grant, Grant)
    await store.settle(grant, {"a": large})
    assert await used(store, most=2 * large) == (large, 0)
    assert isinstance(await store.reserve("2", [take(large + 1, most=2 * large)], 60), Refusal)
    assert isinstance(await store.reserve("3", [take(large, most=2 * large)], 60), Grant)


async def test_a_counter_without_most_only_counts(store):
    for number in range(3):
        assert isinstance(await store.reserve(str(number), [take(10**6, most=None)], 60), Grant)
    assert await used(store, most=None) == (0, 3 * 10**6)
