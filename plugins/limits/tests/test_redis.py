"""The store in Redis beside its laws: what lives how long, a server that goes and comes, what is not ours."""

from __future__ import annotations

import asyncio
import time

import pytest
from limit_stores import counter, take
from servers import RedisServer, redis_program

from jackfield import ConfigurationError
from jackfield_limits import Grant, StoreAwayError, _redis, open_store

pytestmark = pytest.mark.real_time

MONTH = 31 * 86400


@pytest.fixture
def server(redis_server):
    redis_server.clear()
    return redis_server


@pytest.fixture
async def store(server):
    store = open_store(server.url)
    yield store
    await store.aclose()


@pytest.fixture
def own_server(tmp_path):
    """A server of this test alone, which keeps what it has over a crash."""
    server = RedisServer(tmp_path, program=redis_program(), durable=True).start()
    yield server
    server.stop()


def lifetimes(server):
    """Return the seconds that each key lives; -1 for those that live for ever."""
    found = server.ask("KEYS *").split(b"\r\n")[2::2]
    keys = [key.decode() for key in found if key]
    return {key: int(server.ask(f"TTL {key}").strip(b":\r\n")) for key in keys}


async def test_nothing_stays_for_ever_but_what_was_used_of_an_endless_limit(server, store):
    takes = [
        take(1, "minute", key="m"),
        take(1, "rolling 1h", key="r"),
        take(1, "ever", key="e"),
        take(1, "month", key="y"),
    ]
    granted = await store.reserve("lost", takes, 600)
    ended = await store.reserve("ended", takes, 600)
    await store.settle(ended, {"m": 1, "r": 1, "y": 1})
    await store.release("never-came")
    assert isinstance(granted, Grant)
    lives = lifetimes(server)
    assert len(lives) == 9
    assert all(0 < seconds < MONTH + 3 * 3600 for seconds in lives.values()), lives
    assert lives["{jackfield-limits:1}:c:minute@UTC:m"] <= 60 + 3600
    # What holds reservations lives as long as any counter: else nobody would give back.
    assert (
        min(lives[f"{{jackfield-limits:1}}:{name}"] for name in ("held", "leases", "index"))
        >= max(lives.values()) - 1
    )

    await store.settle(granted, {"e": 1})
    lives = lifetimes(server)
    assert lives["{jackfield-limits:1}:c:ever@UTC:e"] == -1
    assert lives["{jackfield-limits:1}:c:minute@UTC:m"] > 0


async def test_a_released_call_leaves_nothing_of_an_endless_limit(server, store):
    for number in range(3):
        await store.reserve(f"{number}", [take(1, "ever", key=f"budget-{number}")], 60)
        await store.release(f"{number}")
    assert not [key for key in lifetimes(server) if ":c:" in key]
    assert await store.find("budget") == ()


async def test_a_write_does_not_lengthen_the_life_of_a_window(server, store):
    name = "{jackfield-limits:1}:c:minute@UTC:a"
    grant = await store.reserve("1", [take(1, "minute")], 60)
    ends = int(server.ask(f"PEXPIRETIME {name}").strip(b":\r\n"))
    for number in range(2, 6):
        await asyncio.sleep(0.01)
        await store.settle(grant, {"a": 1})
        grant = await store.reserve(f"{number}", [take(1, "minute")], 60)
    if grant.states[0].resets_at * 1000 + 3_600_000 == ends:  # else a minute has ended meanwhile
        assert int(server.ask(f"PEXPIRETIME {name}").strip(b":\r\n")) == ends


async def test_one_operation_is_one_round_trip(server, store):
    await store.read([counter()])
    server.ask("CONFIG RESETSTAT")
    grant = await store.reserve("1", [take(1, key=f"{number}") for number in range(8)], 60)
    await store.settle(grant, {})
    stats = server.ask("INFO commandstats")
    assert b"cmdstat_evalsha:calls=2," in stats
    assert b"cmdstat_eval:" not in stats


async def test_a_server_that_has_forgotten_the_script_gets_it_again(server, store):
    await store.reserve("1", [take(1)], 60)
    server.ask("SCRIPT FLUSH")
    await store.reserve("2", [take(1)], 60)
    (state,) = await store.read([counter()])
    assert state.reserved == 2


async def test_a_connection_that_the_server_closed_is_opened_again(server, store):
    await asyncio.gather(*(store.read([counter()]) for _ in range(10)))
    server.ask("CLIENT KILL TYPE normal")
    answers = await asyncio.gather(*(store.reserve(f"{number}", [take(1)], 60) for number in range(20)))
    assert all(isinstance(answer, Grant) for answer in answers)


async def test_a_server_that_crashes_and_comes_back_has_lost_nothing(own_server):
    store = open_store(own_server.url)
    grant = await store.reserve("1", [take(60), take(7, "month", key="m")], 60)
    own_server.crash()
    with pytest.raises(StoreAwayError, match="Redis at 127.0.0.1"):
        await store.settle(grant, {"a": 50})
    with pytest.raises(StoreAwayError):
        await store.reserve("2", [take(1)], 60)
    own_server.start()
    first, second = await store.settle(grant, {"a": 50, "m": 7})
    assert (first.used, first.reserved, second.used, second.reserved) == (50, 0, 7, 0)
    assert isinstance(await store.reserve("2", [take(50)], 60), Grant)
    await store.aclose()


async def test_a_server_that_hangs_is_away(own_server):
    store = _redis.RedisStore(own_server.url, timeout=0.2)
    grant = await store.reserve("1", [take(60)], 60)
    own_server.pause()
    began = time.monotonic()
    with pytest.raises(StoreAwayError):
        await store.settle(grant, {"a": 50})
    assert time.monotonic() - began < 30
    own_server.resume()
    (state,) = await store.settle(grant, {"a": 50})
    assert (state.used, state.reserved) == (50, 0)
    await store.aclose()


async def test_a_cancelled_reservation_can_be_released(server, store):
    await store.read([counter()])
    for number in range(30):
        asked = asyncio.ensure_future(store.reserve(f"{number}", [take(1)], 60))
        await asyncio.sleep(0.0001 * (number % 5))
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await store.release(f"{number}")
    (state,) = await store.read([counter()])
    assert (state.used, state.reserved) == (0, 0)


async def test_a_key_of_another_program_is_not_touched(server, store):
    name = "{jackfield-limits:1}:c:ever@UTC:a"
    server.ask(f"SET {name} theirs")
    with pytest.raises(StoreAwayError, match="not ours; name another database"):
        await store.reserve("1", [take(1, key="b"), take(1)], 60)
    assert server.ask(f"GET {name}") == b"$6\r\ntheirs\r\n"
    (state,) = await store.read([counter(key="b")])
    assert state.reserved == 0


async def test_a_server_that_has_no_room_takes_nothing(own_server):
    store = open_store(own_server.url)
    await store.read([counter()])
    own_server.ask("CONFIG SET maxmemory 1")
    with pytest.raises(StoreAwayError, match="cannot"):
        await store.reserve("1", [take(1)], 60)
    own_server.ask("CONFIG SET maxmemory 0")
    (state,) = await store.read([counter()])
    assert state.reserved == 0
    await store.aclose()


async def test_a_cluster_holds_it(tmp_path):
    class Cluster(RedisServer):
        def command(self):
            return [*super().command(), "--cluster-enabled", "yes"]

    server = Cluster(tmp_path, program=redis_program()).start()
    try:
        assert server.ask("CLUSTER ADDSLOTSRANGE 0 16383") == b"+OK\r\n"
        while b"cluster_state:ok" not in server.ask("CLUSTER INFO"):
            await asyncio.sleep(0.01)
        store = open_store(server.url + "?cluster=true")
        grant = await store.reserve("1", [take(1), take(1, "month", key="m")], 60)
        first, _ = await store.settle(grant, {"a": 1})
        assert first.used == 1
        assert await store.find("") == ("a",)
        await store.aclose()
    finally:
        server.stop()


def test_event_loops_have_connections_of_their_own(server):
    store = open_store(server.url)

    async def call(number):
        grant = await store.reserve(f"{number}", [take(1)], 60)
        (state,) = await store.settle(grant, {"a": 1})
        await store.aclose()
        return state.used

    assert [asyncio.run(call(number)) for number in range(3)] == [1, 2, 3]
    assert not store._clients


async def test_what_is_found_begins_so_whatever_letters_it_has(store):
    for number, key in enumerate(["a*b", "a?b", "axb", "a[b", "other"]):
        await store.reserve(f"{number}", [take(1, key=key)], 60)
    assert await store.find("a*") == ("a*b",)
    assert await store.find("a[") == ("a[b",)
    assert await store.find("a") == ("a*b", "a?b", "a[b", "axb")


def test_a_missing_package_and_a_wrong_address_are_told_before_anything_is_opened(monkeypatch):
    with pytest.raises(ConfigurationError, match="address of Redis is not valid"):
        open_store("redis://host:port/0")
    monkeypatch.setattr(_redis, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install jackfield-limits\[redis\]"):
        open_store("redis://127.0.0.1")


async def test_an_error_holds_no_password():
    store = open_store("redis://me:sesame@127.0.0.1:1/0")
    with pytest.raises(StoreAwayError) as caught:
        await store.read([counter()])
    assert "sesame" not in f"{caught.value!r}{store!r}"
    await store.aclose()
