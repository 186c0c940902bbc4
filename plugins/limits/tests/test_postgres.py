"""The store in PostgreSQL beside its laws: its schema, locks, a server that goes and comes, what is removed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import psycopg
import pytest
from limit_stores import counter, take

from jackfield import ConfigurationError
from jackfield_limits import Grant, StoreAwayError, _postgres, open_store

pytestmark = pytest.mark.real_time


@pytest.fixture
def address(postgres_server):
    return postgres_server.new_database()


@pytest.fixture
async def store(address):
    store = open_store(address)
    yield store
    await store.aclose()


def ask(address, statement):
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def rows(address):
    tables = ("counters", "pieces", "calls", "holds")
    return {name: ask(address, f"select count(*) from jackfield_limits.{name}")[0][0] for name in tables}


async def test_many_that_find_an_empty_database_create_it_once(address):
    stores = [open_store(address) for _ in range(6)]
    answers = await asyncio.gather(*(store.reserve(f"{n}", [take(1)], 60) for n, store in enumerate(stores)))
    assert all(isinstance(answer, Grant) for answer in answers)
    assert ask(address, "select version from jackfield_limits.version") == [(1,)]
    for store in stores:
        await store.aclose()


async def test_the_schema_of_another_program_is_not_touched(address, store):
    ask(address, "create schema jackfield_limits")
    with pytest.raises(StoreAwayError, match="that is not ours; name another database"):
        await store.reserve("1", [take(1)], 60)
    assert ask(address, "select count(*) from pg_tables where schemaname = 'jackfield_limits'") == [(0,)]


@pytest.mark.parametrize(
    ("version", "todo"), [(2, "update jackfield-limits"), (0, "drop schema jackfield_limits cascade")]
)
async def test_another_version_says_what_to_do(address, version, todo):
    store = open_store(address)
    await store.read([counter()])
    await store.aclose()
    ask(address, f"update jackfield_limits.version set version = {version}")
    store = open_store(address)
    with pytest.raises(StoreAwayError, match=f"has version {version}, this program needs 1; .*{todo}"):
        await store.read([counter()])
    await store.aclose()


async def test_who_may_not_create_learns_who_may(address, postgres_server):
    ask(address, "create role guest login")
    guest = open_store(address.replace("jackfield@", "guest@"))
    with pytest.raises(StoreAwayError, match="python -m jackfield_limits schema"):
        await guest.read([counter()])
    printed = subprocess.run(
        [sys.executable, "-m", "jackfield_limits", "schema"], capture_output=True, text=True, check=True
    )
    ask(address, printed.stdout)
    ask(address, "grant usage on schema jackfield_limits to guest")
    ask(address, "grant select, insert, update, delete on all tables in schema jackfield_limits to guest")
    assert isinstance(await guest.reserve("1", [take(1)], 60), Grant)
    await guest.aclose()
    ask(address, "drop owned by guest")
    ask(address, "drop role guest")


async def test_two_keys_in_opposite_order_do_not_wait_for_each_other(address):
    stores = [open_store(address) for _ in range(2)]
    takes = [take(1, "month", most=None, key=key) for key in "abcd"]

    async def call(store, name, order):
        for number in range(40):
            grant = await store.reserve(f"{name}-{number}", order, 60)
            await store.settle(grant, dict.fromkeys("abcd", 1))

    orders = [takes, takes[::-1], [takes[2], takes[0], takes[3], takes[1]], [takes[1], takes[3]]]
    before = ask(address, "select deadlocks from pg_stat_database where datname = current_database()")
    await asyncio.gather(*(call(stores[n % 2], f"{n}", order) for n, order in enumerate(orders)))
    assert [state.used for state in await stores[0].read([one.counter for one in takes])] == [
        120,
        160,
        120,
        160,
    ]
    assert ask(address, "select deadlocks from pg_stat_database where datname = current_database()") == before
    for store in stores:
        await store.aclose()


async def test_a_stricter_isolation_of_the_database_is_no_obstacle(address):
    name = address.rpartition("/")[2]
    ask(address, f"alter database {name} set default_transaction_isolation = 'serializable'")
    store = open_store(address)
    answers = await asyncio.gather(*(store.reserve(f"{n}", [take(10)], 60) for n in range(20)))
    assert sum(isinstance(answer, Grant) for answer in answers) == 10
    await store.aclose()


async def test_one_operation_is_one_statement(address, store):
    await store.reserve("1", [take(1)], 60)

    pool = await store._pool()
    statements = []
    async with pool.connection() as connection:
        execute = connection.execute
        connection.execute = lambda *told: statements.append(told[0]) or execute(*told)
    grant = await store.reserve("2", [take(1, key=f"{n}") for n in range(8)], 60)
    await store.settle(grant, {})
    assert len(statements) == 2


async def test_connections_that_the_server_closed_are_opened_again(address, store):
    await asyncio.gather(*(store.read([counter()]) for _ in range(10)))
    ask(
        address,
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    )
    answers = await asyncio.gather(*(store.reserve(f"{number}", [take(1)], 60) for number in range(20)))
    assert all(isinstance(answer, Grant) for answer in answers)
    (state,) = await store.read([counter()])
    assert state.reserved == 20


async def test_a_server_that_crashes_and_comes_back_has_lost_nothing(address, postgres_server):
    store = _postgres.PostgresStore(address, timeout=1.0)
    grant = await store.reserve("1", [take(60), take(7, "month", key="m")], 60)
    postgres_server.crash()
    try:
        with pytest.raises(StoreAwayError, match="PostgreSQL at 127.0.0.1"):
            await store.settle(grant, {"a": 50})
    finally:
        postgres_server.start()
    first, second = await store.settle(grant, {"a": 50, "m": 7})
    assert (first.used, first.reserved, second.used, second.reserved) == (50, 0, 7, 0)
    assert isinstance(await store.reserve("2", [take(50)], 60), Grant)
    await store.aclose()


async def test_a_lock_that_somebody_holds_too_long_is_an_absence(address):
    store = _postgres.PostgresStore(address, timeout=0.3)
    await store.reserve("1", [take(60)], 60)
    with psycopg.connect(address) as other:
        other.execute("lock table jackfield_limits.counters")
        began = time.monotonic()
        with pytest.raises(StoreAwayError, match="does not answer within"):
            await store.reserve("2", [take(1)], 60)
        assert time.monotonic() - began < 30
    assert isinstance(await store.reserve("2", [take(1)], 60), Grant)
    await store.aclose()


async def test_what_counts_for_nothing_any_more_is_removed(address, store):
    takes = [
        take(1, "minute", key="m"),
        take(1, "rolling 1m", key="r"),
        take(1, "ever", key="e"),
        take(1, "month", key="y"),
    ]
    grant = await store.reserve("settled", takes, 60)
    await store.settle(grant, {"m": 1, "r": 1, "y": 1})
    await store.reserve("lost", takes, 60)
    await store.reserve("kept", [take(1, "ever", key="f")], 60)
    await store.settle(await store.reserve("used", [take(1, "ever", key="f")], 60), {"f": 1})
    ask(address, "select jackfield_limits.sweep()")
    assert rows(address) == {"counters": 5, "pieces": 1, "calls": 4, "holds": 5}
    ask(
        address,
        "create or replace function jackfield_limits.moment() returns double precision language sql volatile "
        "as 'select extract(epoch from clock_timestamp())::double precision + 40 * 86400'",
    )
    ask(address, "select jackfield_limits.sweep()")
    assert rows(address) == {"counters": 1, "pieces": 0, "calls": 0, "holds": 0}
    states = await store.read([one.counter for one in takes] + [counter("ever", key="f")])
    assert [(state.used, state.reserved) for state in states] == [(0, 0)] * 4 + [(1, 0)]


def test_event_loops_have_connections_of_their_own(address):
    store = open_store(address)

    async def call(number):
        grant = await store.reserve(f"{number}", [take(1)], 60)
        (state,) = await store.settle(grant, {"a": 1})
        await store.aclose()
        return state.used

    assert [asyncio.run(call(number)) for number in range(3)] == [1, 2, 3]


def test_a_missing_package_and_a_wrong_address_are_told_before_anything_is_opened(monkeypatch):
    with pytest.raises(ConfigurationError, match="address of PostgreSQL is not valid"):
        open_store("postgresql://host:port/limits")
    monkeypatch.setattr(_postgres, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install jackfield-limits\[postgres\]"):
        open_store("postgresql://127.0.0.1/limits")


async def test_an_error_holds_no_password():
    store = _postgres.PostgresStore("postgresql://me:sesame@127.0.0.1:1/limits", timeout=0.3)
    with pytest.raises(StoreAwayError) as caught:
        await store.read([counter()])
    assert "sesame" not in f"{caught.value!r}{store!r}"
    await store.aclose()
