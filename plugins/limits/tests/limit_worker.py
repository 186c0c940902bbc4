"""A process that makes calls under a limit, for tests: `python limit_worker.py ADDRESS NAME CALLS LEASE SLICED`.

It waits for a line, then makes all its calls at once. Each reserves 1.00 of two counters, in the order that its number
says, works a moment, and settles what it used, or is cancelled on its way. What became of each is printed at once.
"""

from __future__ import annotations

import asyncio
import random
import sys

from jackfield_limits import Counter, Grant, Take, open_store
from jackfield_limits._windows import parse_window

MOST = 100_00
AMOUNT = 1_00
BUDGET = Counter(key="team", window=parse_window("month"), most=MOST)
GLOBAL = Counter(key="everybody", window=parse_window("ever"), most=2 * MOST)


def tell(*words):
    print(*words, flush=True)


async def work(store, call_id, lease, chance):
    takes = [Take(counter=one, amount=AMOUNT) for one in (BUDGET, GLOBAL)]
    chance.shuffle(takes)
    grant = None
    used = 0
    try:
        answer = await store.reserve(call_id, takes, lease)
        if not isinstance(answer, Grant):
            tell("refused", call_id)
            return
        grant = answer
        tell("granted", call_id)
        for _ in range(chance.randrange(1, 4)):
            await asyncio.sleep(chance.random() * 0.02)
            used = min(AMOUNT, used + chance.randrange(AMOUNT))
    finally:
        if grant is None:  # also when it was cancelled before the answer came
            await asyncio.shield(store.release(call_id))
        else:
            tell("settles", call_id, used)
            await asyncio.shield(store.settle(grant, {"team": used, "everybody": used}))
            tell("settled", call_id, used)


async def main(address, name, calls, lease):
    store = open_store(address)
    chance = random.Random(name)
    await store.read([BUDGET])
    tell("ready")
    await asyncio.to_thread(sys.stdin.readline)
    tasks = [asyncio.ensure_future(work(store, f"{name}-{number}", lease, chance)) for number in range(calls)]
    for task in tasks:
        if chance.random() < 0.2:  # a stream that its reader leaves
            asyncio.get_running_loop().call_later(chance.random() * 0.2, task.cancel)
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            tell("failed", repr(task.exception()))
    await store.aclose()
    tell("done")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
