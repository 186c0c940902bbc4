"""Four processes, a thousand calls at once, room for a hundred; one process is killed, calls are cancelled at random."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import limit_worker
import pytest
from limit_stores import open_later
from limit_worker import AMOUNT, BUDGET, GLOBAL, MOST

from jackfield_limits import Grant, Take, open_store

LEASE = 120.0  # longer than a busy machine needs for a call
CALLS = 250
PROCESSES = 4


@pytest.fixture(params=["sqlite", "redis", "postgres"])
def address(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/limits.db"
    if request.param == "redis":
        server = request.getfixturevalue("redis_server")
        server.clear()
        return server.url
    return request.getfixturevalue("postgres_server").new_database()


class Worker:
    def __init__(self, process):
        self.process = process
        self.lines = []

    @classmethod
    async def start(cls, address, name):
        command = [sys.executable, limit_worker.__file__, address, name, str(CALLS), str(LEASE)]
        path = os.pathsep.join(entry for entry in sys.path if entry)
        pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
        process = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, "PYTHONPATH": path}, **pipes
        )
        worker = cls(process)
        assert await process.stdout.readline() == b"ready\n"
        return worker

    async def listen(self):
        while (line := await self.process.stdout.readline()).endswith(
            b"\n"
        ):  # the last one may be cut by the kill
            self.lines.append(line.decode().split())

    def go(self):
        self.process.stdin.write(b"\n")

    def sums(self):
        """Return what was settled for sure, and what was perhaps settled when the process was killed."""
        asked = {line[1]: int(line[2]) for line in self.lines if line[0] == "settles"}
        known = {line[1]: int(line[2]) for line in self.lines if line[0] == "settled"}
        return sum(known.values()), sum(asked.values())


async def watch(store, highest):
    while True:
        for state, most in zip(await store.read([BUDGET, GLOBAL]), [MOST, 2 * MOST], strict=True):
            assert state.used + state.reserved <= most
        highest.append(state.used + state.reserved)
        await asyncio.sleep(0.005)


async def in_the_midst(workers):
    """Wait for a process that has settled calls and still runs: which one comes first is the system's to say."""
    while running := [worker for worker in workers if worker.lines[-1:] != [["done"]]]:
        for worker in running:
            if worker.process.returncode is None and sum(line[0] == "settled" for line in worker.lines) >= 3:
                return worker
        await asyncio.sleep(0.001)
    raise AssertionError("every process ended before one of them could be killed")


@pytest.mark.real_time
async def test_a_budget_holds_and_can_be_used_whole(address):
    store = open_store(address)
    await store.read([BUDGET])  # creates what the store needs
    workers = await asyncio.gather(*(Worker.start(address, f"worker{number}") for number in range(PROCESSES)))
    highest = []
    watching = asyncio.ensure_future(watch(store, highest))
    listening = [asyncio.ensure_future(worker.listen()) for worker in workers]
    for worker in workers:
        worker.go()
    killed = await in_the_midst(workers)
    killed.process.send_signal(signal.SIGKILL)
    await asyncio.gather(*listening, *(worker.process.wait() for worker in workers))
    await asyncio.sleep(0)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    assert len(highest) > 3
    assert not [line for worker in workers for line in worker.lines if line[0] == "failed"]
    assert all(worker.lines[-1] == ["done"] for worker in workers if worker is not killed)
    refused = sum(line[0] == "refused" for worker in workers for line in worker.lines)
    assert refused > 100

    sure, perhaps = (sum(sums) for sums in zip(*(worker.sums() for worker in workers), strict=True))
    (state,) = await store.read([BUDGET])
    assert sure <= state.used <= perhaps <= MOST

    # What the killed process had reserved comes back with its lease, and nothing stays.
    await store.aclose()
    store = open_later(address, int(LEASE) + 1)
    assert [state.reserved for state in await store.read([BUDGET, GLOBAL])] == [0, 0]

    # All that is left can be used.
    (state,) = await store.read([BUDGET])
    number = 0
    while state.used + AMOUNT <= MOST:
        number += 1
        grant = await store.reserve(f"rest-{number}", [Take(counter=BUDGET, amount=AMOUNT)], 60)
        assert isinstance(grant, Grant)
        (state,) = await store.settle(grant, {"team": AMOUNT})
    assert state.used >= 0.99 * MOST
    await store.aclose()
