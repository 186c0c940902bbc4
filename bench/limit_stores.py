"""Measure the stores of limits: round trips, CPU and time of a call (reserve and settle of two limits), calls a second.

    python bench/limit_stores.py [CALLS]

Servers are started on loopback as the tests do; what is not installed is left out.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from servers import PostgresServer, RedisServer, postgres_programs, redis_program

from jackfield_limits import Counter, Grant, SlicedStore, Take, open_store
from jackfield_limits._windows import parse_window

CALLS = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
TAKES = [
    Take(counter=Counter(key="team", window=parse_window("month"), most=10**18), amount=10**6),
    Take(counter=Counter(key="everybody", window=parse_window("rolling 5h"), most=10**18), amount=10**6),
]
USED = {"team": 600_000, "everybody": 600_000}


class Counted:
    """A store whose operations are counted."""

    def __init__(self, store):
        self.trips = 0
        self._store = store

    def __getattr__(self, name):
        operation = getattr(self._store, name)

        def ask(*arguments):
            self.trips += 1
            return operation(*arguments)

        return ask


async def call(store, name):
    grant = await store.reserve(name, TAKES, 60)
    assert isinstance(grant, Grant)
    await store.settle(grant, USED)


async def measure(title, address, *, sliced, at_once):
    shared = Counted(open_store(address))
    store = SlicedStore(shared) if sliced else shared
    for number in range(20):
        await call(store, f"{title}-{at_once}-warm-{number}")
    shared.trips = 0
    began, cpu = time.perf_counter(), time.process_time()

    async def some(first):
        for number in range(first, CALLS, at_once):
            await call(store, f"{title}-{at_once}-{number}")

    await asyncio.gather(*(some(first) for first in range(at_once)))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    await store.aclose()
    print(
        f"{title:32} {at_once:3} at once: {shared.trips / CALLS:5.2f} round trips, {cpu / CALLS * 1e6:6.0f} us CPU, "
        f"{wall / CALLS * at_once * 1e3:6.2f} ms a call, {CALLS / wall:7.0f} calls/s"
    )


async def main():
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as other,
    ):
        redis = RedisServer(one, program=redis_program())
        postgres = PostgresServer(other, programs=postgres_programs())
        try:
            redis.start()
            postgres.start()
            places = {
                "memory": "memory",
                "sqlite": f"sqlite:///{one}/limits.db",
                "redis": redis.url,
                "postgres": postgres.url,
            }
            for name, address in places.items():
                for sliced in (False, True) if name in {"redis", "postgres"} else (False,):
                    for at_once in (1, 32):
                        try:
                            await measure(
                                name + (" with slices" if sliced else ""),
                                address,
                                sliced=sliced,
                                at_once=at_once,
                            )
                        except Exception as error:
                            print(f"{name}: {error}")
                            break
        finally:
            redis.stop()
            postgres.stop()


if __name__ == "__main__":
    asyncio.run(main())
