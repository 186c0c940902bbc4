"""Count the instructions of a unit of work, which a busy machine does not change: `python bench/instructions.py chat1 first`.

It needs valgrind, takes about a minute for each subject and scenario, and counts what the client does outside the kernel. Use it to
compare two versions of the code: `bench/run.py` measures time, and on a busy machine its ratios move by several percent.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys

from _ours import NOTHING_CONFIGURED
from _rounds import EVEN, service, visible_plugins

# Units in the shorter and in the longer run: the difference leaves out the start, imports and the first connection.
_UNITS = {"chat1": (40, 160), "chat64": (128, 384), "bulk": (1, 2), "first": (20, 80), "base64": (3, 9)}
_SUBJECTS = ("floor", "jackfield", NOTHING_CONFIGURED, "a middleware that does nothing")


async def work(name: str, scenario: str, count: int, address: str) -> None:
    """Do a piece of work `count` times, in the process that valgrind watches."""
    from _subjects import SUBJECTS
    from _worker import measured

    subject = SUBJECTS[name](address)
    await subject.open()
    await measured(subject, scenario, count)
    await subject.close()


def instructions(name: str, scenario: str, count: int, address: str) -> int:
    """Return the instructions of a process that does a piece of work `count` times."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    command += [sys.executable, __file__, "--work", name, scenario, str(count), address]
    environment = {**os.environ, **EVEN, "JACKFIELD_PLUGINS_ALLOW": visible_plugins()}
    if name == NOTHING_CONFIGURED:
        del environment["JACKFIELD_PLUGINS_ALLOW"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if done.returncode or found is None:
        sys.exit(f"{name} cannot do {scenario}: {done.stderr.strip().splitlines()[-1]}")
    return int(found[1].replace(",", ""))


def main() -> None:
    if sys.argv[1:2] == ["--work"]:
        name, scenario, count, address = sys.argv[2:]
        asyncio.run(work(name, scenario, int(count), address))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="+", choices=_UNITS)
    parser.add_argument("--subject", action="append", help=f"instead of {', '.join(_SUBJECTS)} (repeatable)")
    arguments = parser.parse_args()
    with service() as address:
        for scenario in arguments.scenario:
            few, many = _UNITS[scenario]
            first = None
            for name in arguments.subject or _SUBJECTS:
                more = instructions(name, scenario, many, address) - instructions(
                    name, scenario, few, address
                )
                each = more / (many - few)
                first = first or each
                print(f"{scenario:7} {name:42} {each / 1e3:10.1f} thousand  × {each / first:.3f}", flush=True)


if __name__ == "__main__":
    main()
