"""Windows of the calendar and what others' limits got wrong, by the clock of each kind of store."""

from __future__ import annotations

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from limit_stores import KINDS, counter, open_place, take

from jackfield_limits import Grant, Refusal

pytestmark = pytest.mark.real_time


@pytest.fixture(params=KINDS)
def place(request):
    return open_place(request.param, request)


def at(text, zone="UTC"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


async def spent(store, name, *args, **options):
    """Use one of a window at this moment, and return what is used in it now."""
    grant = await store.reserve(name, [take(1, *args, **options)], 60)
    assert isinstance(grant, Grant)
    (state,) = await store.settle(grant, {grant.takes[0].counter.key: 1})
    return state


@pytest.mark.parametrize(
    ("window", "zone", "last", "first", "ends"),
    [
        ("month", "Europe/Berlin", "2028-01-31T23:59:59", "2028-02-01T00:00:00", "2028-03-01T00:00:00"),
        ("month", "Europe/Berlin", "2028-02-29T23:59:59", "2028-03-01T00:00:00", "2028-04-01T00:00:00"),
        ("month", "America/New_York", "2028-12-31T23:59:59", "2029-01-01T00:00:00", "2029-02-01T00:00:00"),
        (
            "day",
            "Europe/Berlin",
            "2028-03-25T23:59:59",
            "2028-03-26T00:00:00",
            "2028-03-27T00:00:00",
        ),  # of 23 hours
        (
            "day",
            "Europe/Berlin",
            "2028-10-28T23:59:59",
            "2028-10-29T00:00:00",
            "2028-10-30T00:00:00",
        ),  # of 25 hours
        ("week", "Asia/Kolkata", "2028-01-02T23:59:59", "2028-01-03T00:00:00", "2028-01-10T00:00:00"),
        ("hour", "Asia/Kolkata", "2028-01-02T10:59:59", "2028-01-02T11:00:00", "2028-01-02T12:00:00"),
        ("minute", "UTC", "2028-01-02T10:59:59", "2028-01-02T11:00:00", "2028-01-02T11:01:00"),
    ],
)
async def test_a_window_ends_with_the_calendar_of_its_zone(place, window, zone, last, first, ends):
    place.set(at(last, zone))
    store = place.open(skew=-7200.0)
    assert (await spent(store, "1", window, zone=zone)).used == 1
    state = await spent(store, "2", window, zone=zone)
    assert (state.used, state.resets_at) == (2, at(first, zone))
    place.set(at(first, zone))
    state = await spent(store, "3", window, zone=zone)
    assert (state.used, state.begin, state.resets_at) == (1, at(first, zone), at(ends, zone))
    place.set(at(ends, zone) - 1)
    assert (await spent(store, "4", window, zone=zone)).used == 2
    await store.aclose()


async def test_processes_whose_clocks_differ_by_months_share_a_window(place):
    place.set(at("2028-05-31T23:59:00"))
    stores = [place.open(skew=skew) for skew in (0.0, 90 * 86400.0, -90 * 86400.0, 86400.0)]
    for number, store in enumerate(stores):
        assert (await spent(store, f"{number}", "minute")).used == number + 1
    states = [(await store.read([counter("minute")]))[0] for store in stores]
    assert {(state.used, state.begin) for state in states} == {(4, at("2028-05-31T23:59:00"))}
    for store in stores:
        await store.aclose()


async def test_a_call_over_midnight_is_booked_before_midnight(place):
    place.set(at("2028-05-31T23:59:59"))
    store = place.open()
    grant = await store.reserve("1", [take(60, "month")], 600)
    place.set(at("2028-06-01T00:00:01"))
    fresh = await store.reserve("2", [take(100, "month")], 600)
    assert isinstance(fresh, Grant)
    (state,) = await store.settle(grant, {"a": 60})
    assert (state.used, state.reserved) == (0, 100)
    await store.aclose()


async def test_what_is_written_to_all_the_time_ends_all_the_same(place):
    """Others renew the life of a window with each write, so a busy one never ends."""
    began = at("2028-05-31T12:00:00")
    place.set(began)
    store = place.open()
    for number in range(100):
        await store.reserve(f"{number}", [take(1, "minute")], 3)
        await store.settle(await store.reserve(f"s{number}", [take(0, "minute")], 3), {"a": 1})
        place.set(began + number * 0.5)
    assert isinstance(await store.reserve("full", [take(1, "minute")], 60), Refusal)
    place.set(began + 60)
    assert isinstance(await store.reserve("anew", [take(100, "minute")], 60), Grant)
    await store.aclose()


async def test_a_refused_call_counts_nothing_and_takes_nothing_elsewhere(place):
    """Others raise a counter first and look at it then, so who is refused often is refused for ever."""
    store = place.open()
    held = await store.reserve("1", [take(95, key="narrow")], 600)
    for number in range(20):
        answer = await store.reserve(f"r{number}", [take(1, key="wide"), take(6, key="narrow")], 600)
        assert isinstance(answer, Refusal)
        assert (answer.take.counter.key, answer.state.reserved) == ("narrow", 95)
    wide, narrow = await store.read([counter(key="wide"), counter(key="narrow")])
    assert (wide.reserved, narrow.reserved) == (0, 95)
    await store.release(held.call_id)
    await store.aclose()


async def test_a_clock_that_goes_back_gives_nothing_back(place):
    place.set(at("2028-05-31T12:00:30"))
    store = place.open()
    await spent(store, "1", "minute", most=1)
    await store.reserve("2", [take(1, "rolling 1m", most=1, key="r")], 600)
    place.set(at("2028-05-31T11:58:30"))
    assert isinstance(await store.reserve("3", [take(1, "minute", most=1)], 60), Refusal)
    assert isinstance(await store.reserve("4", [take(1, "rolling 1m", most=1, key="r")], 60), Refusal)
    await store.aclose()


async def test_many_calls_at_once_get_exactly_what_is_there(place):
    stores = [place.open() for _ in range(2)]
    answers = await asyncio.gather(
        *(
            stores[number % 2].reserve(f"{number}", [take(1), take(1, "month", key="m")], 60)
            for number in range(300)
        )
    )
    assert sum(isinstance(answer, Grant) for answer in answers) == 100
    for store in stores:
        await store.aclose()


async def test_in_no_time_of_its_length_a_rolling_window_lets_more_through(place):
    store = place.open()
    now = place.now
    booked = []
    for number in range(150):
        now += 7.3
        place.set(now)
        answer = await store.reserve(f"{number}", [take(10, "rolling 2m")], 60)
        if isinstance(answer, Grant):
            await store.settle(answer, {"a": 10})
            booked.append(now)
        else:
            assert now < answer.passes_at <= now + 122
    assert 60 < len(booked) < 150
    assert all(sum(end - 120 < moment <= end for moment in booked) <= 10 for end in booked)
    await store.aclose()
