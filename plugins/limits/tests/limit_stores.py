"""Every kind of store, opened by tests with a clock that they set: what holds for one must hold for all.

The servers are real. Only where they look at the clock, they read what a test has written instead.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from jackfield_limits import Counter, MemoryStore, Take, _redis as redis_module
from jackfield_limits._postgres import PostgresStore, schema
from jackfield_limits._redis import RedisStore
from jackfield_limits._sqlite import SQLiteStore
from jackfield_limits._windows import parse_window

__all__ = ["KINDS", "Place", "counter", "open_later", "open_place", "take"]

KINDS = ("memory", "sqlite", "redis", "postgres")

# Later than the machine's clock, so that no key of Redis expires by that.
START = float(int(time.time()) + 400 * 86400)


def counter(window="ever", most=100, key="a", zone="UTC"):
    return Counter(key=key, window=parse_window(window, zone), most=most)


def take(amount, *args, **options):
    return Take(counter=counter(*args, **options), amount=amount)


class Place:
    """Where counters are kept; several stores may be opened there, as several processes would."""

    def __init__(self, now=START):
        self.now = now
        self.set(now)

    def set(self, now):
        self.now = now

    def open(self, *, skew=0.0):
        """Return a store of a process whose own clock is off by some seconds."""
        raise NotImplementedError


class MemoryPlace(Place):
    """A store in memory is one: what opens it again gets the same."""

    def __init__(self):
        super().__init__()
        self._store = MemoryStore(lambda: self.now)

    def open(self, *, skew=0.0):
        return self._store


class SQLitePlace(Place):
    def __init__(self, folder):
        super().__init__()
        self._path = folder / "limits.db"

    def open(self, *, skew=0.0):
        return SQLiteStore(self._path, lambda: self.now)


class RedisPlace(Place):
    def __init__(self, server):
        self.server = server
        server.clear()
        super().__init__()

    def set(self, now):
        self.now = now
        seconds, micros = divmod(round(now * 1_000_000), 1_000_000)
        assert self.server.ask(f"SET test:seconds {seconds}") == b"+OK\r\n"
        assert self.server.ask(f"SET test:micros {micros}") == b"+OK\r\n"

    def open(self, *, skew=0.0):
        store = _TimedRedisStore(self.server.url)
        store._moments.learn(self.now + skew)
        return store


class _TimedRedisStore(RedisStore):
    """Runs our script, whose look at the clock is replaced."""

    clock = "{ redis.call('GET', 'test:seconds'), redis.call('GET', 'test:micros') }"

    async def _send(self, *command):
        name, _, *rest = command
        if name not in {"EVALSHA", "EVAL"}:
            return await super()._send(*command)
        text, _ = redis_module._script()
        clock = "redis.call('TIME')"
        assert text.count(clock) == 1
        return await super()._send("EVAL", text.replace(clock, self.clock), *rest)


class PostgresPlace(Place):
    def __init__(self, server):
        import psycopg

        self.url = server.new_database()
        self._connection = psycopg.connect(self.url, autocommit=True)
        self._connection.execute(schema().encode())
        self._connection.execute("create table test_clock (now double precision)")
        self._connection.execute("insert into test_clock values (0)")
        self._connection.execute(
            "create or replace function jackfield_limits.moment() returns double precision "
            "language sql volatile as 'select now from test_clock'"
        )
        self._connection.execute(  # not sometimes: always
            "create or replace function jackfield_limits.sweep_sometimes() returns void "
            "language sql as 'select jackfield_limits.sweep()'"
        )
        super().__init__()

    def clear(self):
        self._connection.execute(
            "truncate jackfield_limits.counters, jackfield_limits.pieces, jackfield_limits.calls, jackfield_limits.holds"
        )

    def set(self, now):
        self.now = now
        self._connection.execute("update test_clock set now = %s", [now])

    def open(self, *, skew=0.0):
        store = PostgresStore(self.url)
        store._moments.learn(self.now + skew)
        return store

    def close(self):
        self._connection.close()


def open_later(address, seconds):
    """Return a store at an address, where some seconds more have passed, for all that open it from now on."""
    if address.startswith("redis:"):
        store = _TimedRedisStore(address)
        store.clock = f"{{ tostring(redis.call('TIME')[1] + {seconds}), '0' }}"
        return store
    if address.startswith("sqlite:///"):
        return SQLiteStore(Path(address.removeprefix("sqlite:///")), lambda: time.time() + seconds)
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(
            "create or replace function jackfield_limits.moment() returns double precision language sql volatile "
            f"as 'select extract(epoch from clock_timestamp())::double precision + {seconds}'"
        )
    return PostgresStore(address)


_places = {}


def open_place(kind, request):
    """Return an empty place of a kind; `request` is pytest's, for its servers."""
    if kind == "memory":
        return MemoryPlace()
    if kind == "sqlite":
        return SQLitePlace(request.getfixturevalue("tmp_path_factory").mktemp("limits"))
    if kind == "redis":
        return RedisPlace(request.getfixturevalue("redis_server"))
    # Creating the schema takes a while, so one database serves all tests of this process.
    server = request.getfixturevalue("postgres_server")
    known = (kind, os.getpid(), server.folder)
    if known not in _places:
        _places[known] = PostgresPlace(server)
    place = _places[known]
    place.clear()
    place.set(START)
    return place
