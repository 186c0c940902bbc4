"""The store in a file: several processes, one of which is killed, and a file that cannot be used."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from jackfield import ConfigurationError
from jackfield_limits import Counter, Grant, StoreAwayError, Take, open_store
from jackfield_limits._sqlite import SQLiteStore
from jackfield_limits._windows import parse_window

COUNTER = Counter(key="a", window=parse_window("ever"), most=100)
PROCESS = """
import asyncio, sys
from pathlib import Path
from jackfield_limits import Counter, Grant, Take
from jackfield_limits._sqlite import SQLiteStore
from jackfield_limits._windows import parse_window

COUNTER = Counter(key="a", window=parse_window("ever"), most=100)

async def one(store, name, hang):
    answer = await store.reserve(name, [Take(counter=COUNTER, amount=1)], 2)
    if not isinstance(answer, Grant):
        return 0
    if hang:
        return 1
    await asyncio.sleep(0)
    await store.settle(answer, {"a": 1})
    return 1

async def main(path, who, count, hang):
    store = SQLiteStore(Path(path))
    granted = await asyncio.gather(*(one(store, f"{who}-{n}", hang) for n in range(count)))
    print(sum(granted), flush=True)
    if hang:
        await asyncio.sleep(60)
    await store.aclose()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "hang"))
"""


def start(path, who, count, how="settle"):
    arguments = [sys.executable, "-c", PROCESS, str(path), who, str(count), how]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


@pytest.fixture
async def store(tmp_path):
    made = SQLiteStore(tmp_path / "folder" / "limits.db")
    yield made
    await made.aclose()


async def test_processes_share_what_there_is(store, tmp_path):
    path = tmp_path / "folder" / "limits.db"
    await store.read([COUNTER])
    processes = [start(path, f"p{number}", 250) for number in range(4)]
    granted = [int((await asyncio.to_thread(process.communicate))[0]) for process in processes]
    assert sum(granted) == 100
    (state,) = await store.read([COUNTER])
    assert (state.used, state.reserved) == (100, 0)


async def test_a_process_that_is_killed_gives_back_when_its_lease_is_over(store, tmp_path):
    path = tmp_path / "folder" / "limits.db"
    await store.read([COUNTER])
    process = start(path, "p", 60, "hang")
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == "60\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (state,) = await store.read([COUNTER])
    assert (state.used, state.reserved) == (0, 60)
    for _ in range(100):
        answer = await store.reserve("x", [Take(counter=COUNTER, amount=100)], 60)
        if isinstance(answer, Grant):
            break
        await asyncio.to_thread(time.sleep, 0.1)  # the clock of processes, not the test's
    assert isinstance(answer, Grant)


async def test_what_is_counted_outlives_the_process(tmp_path):
    for number in range(3):
        store = SQLiteStore(tmp_path / "limits.db")
        grant = await store.reserve(str(number), [Take(counter=COUNTER, amount=10)], 60)
        await store.settle(grant, {"a": 10})
        await store.aclose()
    store = SQLiteStore(tmp_path / "limits.db")
    assert (await store.read([COUNTER]))[0].used == 30
    await store.aclose()


async def test_calls_that_wait_are_written_together(store, monkeypatch):
    await store.read([COUNTER])
    transactions = []
    monkeypatch.setattr("jackfield_limits._sqlite._work", counting(transactions))
    await asyncio.gather(*(store.reserve(str(n), [Take(counter=COUNTER, amount=1)], 60) for n in range(100)))
    assert len(transactions) < 50


def counting(transactions):
    from jackfield_limits import _sqlite

    work = _sqlite._work

    def count(*args, **options):
        transactions.append(1)
        return work(*args, **options)

    return count


async def test_a_file_that_cannot_be_used_is_a_store_that_is_away(tmp_path):
    (tmp_path / "file").write_text("not a database, and longer than one hundred bytes" * 10)
    for path in (tmp_path / "file", tmp_path / "file" / "limits.db"):
        store = SQLiteStore(path)
        with pytest.raises(StoreAwayError, match="file"):
            await store.read([COUNTER])
        await store.aclose()


async def test_tables_of_a_later_version_are_not_touched(tmp_path):
    path = tmp_path / "limits.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    store = SQLiteStore(path)
    with pytest.raises(StoreAwayError, match="version 99"):
        await store.read([COUNTER])
    await store.aclose()


def test_addresses(monkeypatch, tmp_path):
    monkeypatch.setenv("WHERE", f"sqlite:///{tmp_path}/x.db")
    assert isinstance(open_store("env:WHERE"), SQLiteStore)
    assert open_store(f"sqlite:///{tmp_path}/x.db")._path == tmp_path / "x.db"
    with pytest.raises(ConfigurationError, match="no store of limits"):
        open_store("mysql://host")


async def test_only_its_owner_reads_a_new_file(tmp_path):
    path = tmp_path / "limits.db"
    store = SQLiteStore(path)
    await store.read([COUNTER])
    found = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()}
    await store.aclose()
    assert "limits.db" in found
    assert set(found.values()) == {0o600}


async def test_the_mode_of_a_file_that_is_there_is_left_to_whoever_set_it(tmp_path):
    path = tmp_path / "limits.db"
    path.touch(0o640)
    path.chmod(0o640)
    store = SQLiteStore(path)
    await store.read([COUNTER])
    await store.aclose()
    assert path.stat().st_mode & 0o777 == 0o640
