"""The cache's file: nobody waits for it, it is never somebody else's, and its size costs nothing."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from contextlib import closing
from types import SimpleNamespace

import pytest

from jackfield import ConfigurationError, Mesh, Registry
from jackfield.testing import FakeProvider
from jackfield_cache import CACHE, CacheSettings, ResponseCache, _stores
from jackfield_cache._database import Database
from jackfield_cache._stores import SqliteStore
from jackfield_cache._worker import LateError, Worker

pytestmark = pytest.mark.real_time  # the file has a thread of its own

OLD_TABLE = """
create table answers (
  key text primary key, expires real not null, used real not null, size integer not null, body blob not null
) without rowid
"""


def mesh_for(path, provider=None):
    config = {
        "defaults": {"middlewares": ["cache"]},
        "connections": {"fake": {"provider": "fake"}},
        "middleware": {"cache": {"path": str(path)}},
    }
    provider = provider or FakeProvider()
    return Mesh.from_config(config, registry=Registry.of(provider, middlewares={"cache": CACHE}))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "answers.sqlite"


@pytest.fixture
def clock(monkeypatch):
    """The clock of how long a file is left alone."""
    now = [1000.0]
    monkeypatch.setattr(_stores, "time", SimpleNamespace(monotonic=lambda: now[0], time=time.time))
    return now


def written(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for statement in statements:
            file.execute(statement)


# Somebody else's


FOREIGN = {
    "a table of that name": ["create table answers (question text)", "insert into answers values ('why')"],
    "our table and another": [OLD_TABLE, "create table users (name)", "pragma user_version = 1"],
    "our table of no version of ours": [OLD_TABLE, "pragma user_version = 99"],
    "other tables": ["create table users (name)", "insert into users values ('ann')"],
    "an application's, still empty": ["pragma application_id = 77", "create table x (y)", "drop table x"],
    "with a write-ahead log": ["pragma journal_mode = wal", "create table answers (question text)"],
}


@pytest.mark.parametrize("statements", FOREIGN.values(), ids=FOREIGN)
async def test_a_database_of_somebody_else_is_refused_and_left_as_it_is(path, statements):
    written(path, *statements)
    before, beside = path.read_bytes(), sorted(path.parent.iterdir())
    with pytest.raises(ConfigurationError, match=r"answers\.sqlite, is a database of another program"):
        await mesh_for(path).__aenter__()
    store = SqliteStore(path, 10, 1000)
    with pytest.raises(ConfigurationError, match="a database of another program"):
        await store.put("k", b"x", 60)
    await store.aclose()
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == beside


async def test_a_database_that_somebody_else_is_writing_is_seen_through_its_log(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("pragma journal_mode = wal")
        file.execute("create table answers (question text)")
        file.execute("insert into answers values ('why')")
        before = path.read_bytes()
        with pytest.raises(ConfigurationError, match="a database of another program"):
            CACHE({"path": str(path)})
        assert path.read_bytes() == before
        assert file.execute("select * from answers").fetchall() == [("why",)]


async def test_a_database_of_somebody_else_that_comes_later_breaks_no_call(path, caplog):
    async with mesh_for(path) as mesh:
        written(path, "create table users (name)")
        assert (await mesh.chat("fake:echo", "Hi")).text
        assert (await mesh.chat("fake:echo", "Ho")).text
    assert caplog.text.count("a database of another program") == 1
    with closing(sqlite3.connect(path)) as file:
        assert [name for (name,) in file.execute("select name from sqlite_schema")] == ["users"]


@pytest.mark.parametrize(
    "statements",
    [
        [OLD_TABLE, "insert into answers values ('k', 9e9, 1, 1, 'x')", "pragma user_version = 1"],
        [OLD_TABLE, "pragma user_version = 2", "pragma journal_mode = wal"],
        [
            "create table answers (key text)",
            f"pragma application_id = {0x4A465243}",
            "pragma user_version = 99",
        ],
        [],
    ],
    ids=["the first version", "the second", "a version to come", "an empty file"],
)
async def test_an_old_file_of_our_own_is_begun_anew(path, statements):
    written(path, *statements)
    store = SqliteStore(path, 10, 1000)
    assert await store.get("k") is None
    await store.put("k", b"x", 60)
    assert await store.get("k") == b"x"
    await store.aclose()
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("pragma application_id").fetchone() == (0x4A465243,)
        assert file.execute("select entries, bytes from sums").fetchone() == (1, 1)


# A file that is locked, slow or broken


async def test_a_locked_file_delays_no_call_and_is_used_when_it_is_free(path, clock, caplog, monkeypatch):
    provider, found, asked = FakeProvider(), SqliteStore._found, []
    monkeypatch.setattr(SqliteStore, "_found", lambda self, key: asked.append(key) or found(self, key))
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("begin exclusive")
        async with mesh_for(path, provider) as mesh:
            await mesh.chat("fake:echo", "first")  # which computes a fingerprint, too
            replies = await asyncio.gather(*(mesh.chat("fake:echo", str(number)) for number in range(20)))
            assert len(asked) == 1, "the first has waited for the lock, and nobody after it"
            assert len(provider.wires) == 21
            assert all(reply.replay is None for reply in replies)
            holder.execute("rollback")
            clock[0] += 6
            await mesh.chat("fake:echo", "again")
            assert (await mesh.chat("fake:echo", "again")).replay is not None
    assert "cannot be used: database is locked" in caplog.text


async def test_who_writes_keeps_nobody_from_hits(path):
    async with mesh_for(path) as mesh:
        await mesh.chat("fake:echo", "Hi")
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("begin immediate")
            for number in range(5):
                await mesh.chat("fake:echo", str(number))
                assert (await mesh.chat("fake:echo", "Hi")).replay is not None
            holder.execute("rollback")


async def test_a_use_that_cannot_be_noted_is_a_hit_all_the_same(path):
    now = [1000.0]
    store = SqliteStore(path, 10, 1000, clock=lambda: now[0])
    await store.put("k", b"x", 1e6)
    now[0] += 3600
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("begin immediate")
        assert await store.get("k") == b"x"
        holder.execute("rollback")
    await store.aclose()


@pytest.fixture
def is_soon_stuck(monkeypatch):
    """Nobody waits for a piece of work for long; for those before it everybody would."""
    monkeypatch.setattr(_stores, "_PIECE_WITHIN", 0.1)
    monkeypatch.setattr(_stores, "_ALL_WITHIN", 3600)


async def test_a_file_that_does_not_answer_delays_no_call(path, monkeypatch, caplog, is_soon_stuck):
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def found(self, key, now):
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

    async with mesh_for(path) as mesh:
        await mesh.chat("fake:echo", "first")
        monkeypatch.setattr(Database, "found", found)
        async with asyncio.timeout(60):
            replies = await asyncio.gather(*(mesh.chat("fake:echo", str(number)) for number in range(20)))
        assert all(reply.replay is None for reply in replies)
        release.set()
    assert caplog.text.count("cannot be used: it does not respond") == 1


async def test_a_mesh_is_left_though_the_file_does_not_answer(path, monkeypatch, caplog, is_soon_stuck):
    store = SqliteStore(path, 10, 1000)
    release = asyncio.Event()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(
        Database, "found", lambda *_: asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
    )
    assert await store.get("k") is None
    async with asyncio.timeout(60):
        await store.aclose()
    assert "it is closed when it does" in caplog.text
    release.set()


@pytest.mark.parametrize("fault", [OSError("no such disk"), ValueError("odd"), ConnectionError("gone")])
async def test_a_store_that_fails_breaks_no_call(fault, caplog):
    class Broken:
        async def get(self, key):
            raise fault

        async def put(self, key, data, ttl):
            raise fault

        async def aclose(self):
            pass

    provider = FakeProvider()
    config = {"connections": {"fake": {"provider": "fake"}}}
    cache = ResponseCache(CacheSettings(), Broken())
    async with Mesh.from_config(config, registry=Registry.of(provider), middlewares=[cache]) as mesh:
        assert (await mesh.chat("fake:echo", "Hi")).text
        async with mesh.stream_chat("fake:echo", "Hi") as stream:
            assert [event async for event in stream]
    await cache.aclose()
    assert f"the cache cannot be asked: {type(fault).__name__}: {fault}" in caplog.text
    assert f"is not cached: {type(fault).__name__}: {fault}" in caplog.text


async def test_an_answer_does_not_wait_for_a_slow_store():
    go_on = asyncio.Event()

    class Slow:
        kept = 0

        async def get(self, key):
            return None

        async def put(self, key, data, ttl):
            await go_on.wait()
            self.kept += 1

        async def aclose(self):
            pass

    store = Slow()
    cache = ResponseCache(CacheSettings(), store)
    config = {"connections": {"fake": {"provider": "fake"}}}
    async with Mesh.from_config(config, registry=Registry.of(FakeProvider()), middlewares=[cache]) as mesh:
        await mesh.chat("fake:echo", "first")
        await mesh.chat("fake:echo", "Hi")
        assert store.kept == 0
        assert (await mesh.chat("fake:echo", "Hi")).replay is not None  # it is here until it is there
    go_on.set()
    await cache.aclose()
    assert store.kept == 2


# Room


def steps_of_a_put(path, rows):
    """Count the instructions of SQLite's machine for one put: no clock is asked."""
    database = Database(path, 10**6, 10**9)
    database.file.execute("begin")
    for number in range(rows):
        row = (f"k{number}", 9e9, float(number), 4, b"data")
        database.file.execute("insert or replace into answers values (?, ?, ?, ?, ?)", row)
    database.file.execute("commit")
    steps = [0]
    database.file.set_progress_handler(lambda: steps.__setitem__(0, steps[0] + 1), 1)
    database.keep("new", b"data", 1e6, 9e9)
    database.file.set_progress_handler(None, 1)
    database.close()
    return steps[0]


def test_a_put_does_not_cost_more_when_there_are_more_records(tmp_path):
    few, many = steps_of_a_put(tmp_path / "few", 10), steps_of_a_put(tmp_path / "many", 20_000)
    assert many < 1.5 * few


def test_a_file_that_is_far_too_large_shrinks_put_by_put(path):
    database = Database(path, 10**6, 10**9)
    for number in range(1000):
        database.keep(f"k{number}", b"data", float(number), 9e9)
    database.close()
    database = Database(path, 10, 10**9)
    sizes = []
    for number in range(5):
        database.keep(f"n{number}", b"data", 1e6 + number, 9e9)
        sizes.append(database.file.execute("select count(*) from answers").fetchone()[0])
    assert sizes == [745, 490, 235, 10, 10]
    assert database.found("n4", 1e6) is not None
    assert database.file.execute("select entries, bytes from sums").fetchone() == (10, 40)
    database.close()


def test_the_sums_are_right_whatever_is_done_to_the_records(path):
    database = Database(path, 5, 100)
    for number in range(50):
        database.keep(
            f"k{number % 8}", b"x" * (number % 30), float(number), number + (3 if number % 2 else 1e6)
        )
    told = database.file.execute("select entries, bytes from sums").fetchone()
    assert told == database.file.execute("select count(*), sum(size) from answers").fetchone()
    assert told[0] <= 5
    assert told[1] <= 100
    database.close()


def test_expired_records_go(path):
    database = Database(path, 1000, 10**6)
    for number in range(300):
        database.keep(f"k{number}", b"x", 1.0, 2.0)
    for _ in range(2):
        database.keep("new", b"x", 3.0, 9e9)
    assert database.file.execute("select key from answers").fetchall() == [("new",)]
    database.close()


# The thread


async def test_one_piece_that_hangs_releases_all_who_wait():
    worker = Worker("test", piece_within=0.1, all_within=10)
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang():
        return asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

    waiting = [asyncio.create_task(worker.do(hang)), *(asyncio.create_task(worker.do(int)) for _ in range(3))]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [LateError] * 4
    assert all(result.stuck for result in results)
    release.set()
    assert await worker.do(lambda: 5) == 5
    worker.leave()


async def test_who_waits_for_many_pieces_is_not_taken_for_stuck():
    worker = Worker("test", piece_within=0.5, all_within=60)
    done = await asyncio.gather(*(worker.do(lambda: time.sleep(0.05)) for _ in range(25)))
    assert len(done) == 25
    worker.leave()


async def test_nobody_waits_for_ever_behind_others():
    worker = Worker("test", piece_within=60, all_within=1)
    slow = (worker.do(lambda: time.sleep(0.25)) for _ in range(8))
    first, *results = await asyncio.gather(worker.do(int), *slow, return_exceptions=True)
    assert first == 0
    late = [result for result in results if result is not None]
    assert late
    assert not any(result.stuck for result in late)
    worker.leave()


async def test_an_event_loop_that_stands_still_makes_nothing_late():
    worker = Worker("test", piece_within=0.1, all_within=10)
    task = asyncio.create_task(worker.do(lambda: time.sleep(0.2)))
    await asyncio.sleep(0.01)
    time.sleep(1)  # which no program should do
    assert await task is None
    worker.leave()


async def test_what_nobody_waits_for_any_more_is_not_done():
    worker = Worker("test", piece_within=60, all_within=60)
    seen, go_on = [], threading.Event()
    first = asyncio.create_task(worker.do(go_on.wait))
    second = asyncio.create_task(worker.do(lambda: seen.append("second")))
    await asyncio.sleep(0)  # both are in the queue
    second.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await first
    await worker.do(lambda: seen.append("third"))
    assert seen == ["third"]
    worker.leave()


async def test_what_the_work_raises_is_raised():
    worker = Worker("test", piece_within=1, all_within=10)
    with pytest.raises(ZeroDivisionError):
        await worker.do(lambda: 1 / 0)
    worker.leave()


def test_a_store_may_be_used_by_one_event_loop_after_another(path, caplog):
    store = SqliteStore(path, 10, 1000)
    asyncio.run(store.put("k", b"x", 60))
    assert asyncio.run(store.get("k")) == b"x"
    asyncio.run(store.aclose())
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
