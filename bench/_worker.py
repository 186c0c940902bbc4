"""One subject in a process of its own, which does a piece of work on demand and says what CPU it cost.

    python _worker.py SUBJECT ADDRESS

Each line of input is `SCENARIO COUNT`; the answer is a line of JSON: CPU seconds, how many units they bought, and the
result of the last piece of work. CPU time, because the machine may be busy with something else, and because what a
client costs on a server is CPU.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import time
from typing import Any

if len(sys.argv) > 1 and sys.argv[1].endswith("without numpy"):
    sys.modules["numpy"] = None  # type: ignore[assignment]  # what Python itself takes for "not installed"

from _subjects import SUBJECTS


def resident() -> int:
    """Bytes of memory that the process holds now."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:  # not Linux: the most it ever held
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def in_flight(work: Any, count: int, width: int) -> Any:
    """Do a piece of work `count` times, `width` at once."""
    left = count
    last = None

    async def lane() -> None:
        nonlocal left, last
        while left > 0:
            left -= 1
            last = await work()

    await asyncio.gather(*(lane() for _ in range(width)))
    return last


async def measured(subject: Any, scenario: str, count: int) -> dict[str, Any]:
    gc.collect()
    began = time.process_time()
    if scenario == "first":
        spent = sum([await subject.first() for _ in range(count)])
        return {"cpu": spent, "units": count, "result": ["", 0, ""]}
    if scenario.startswith("chat"):
        width = int(scenario.removeprefix("chat"))
        # A library without a loop of its own needs threads for it.
        chat = subject.chat if width == 1 else getattr(subject, "chat_together", subject.chat)
        result = await in_flight(chat, count, width)
        units = count
    elif scenario.startswith("bedrock"):
        result = await in_flight(subject.bedrock, count, int(scenario.removeprefix("bedrock")))
        units = count
    elif scenario in ("bulk", "paced"):
        for _ in range(count):
            result = await subject.stream(f"/{scenario}")
        units = count
    else:
        for _ in range(count):
            result = await subject.embed(f"/{scenario}")
        units = count
    return {"cpu": time.process_time() - began, "units": units, "result": result, "memory": resident()}


async def main() -> None:
    name, address = sys.argv[1:]
    subject = SUBJECTS[name](address)
    await subject.open()
    loop = asyncio.get_running_loop()
    print(json.dumps({"ready": True}), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        scenario, count = line.split()
        try:
            answer = await measured(subject, scenario, int(count))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    await subject.close()


if __name__ == "__main__":
    asyncio.run(main())
