"""Start the service and the subjects, and measure them in turn.

All subjects stay alive in processes of their own and work one after another, round after round, so that whatever else
the machine does falls on all of them alike. The least CPU of all rounds counts: noise only ever adds.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

# What else decides how long the same code takes is equal for all.
EVEN = {
    # The layout of dicts and sets moves a measurement by some percent.
    "PYTHONHASHSEED": "0",
    # asyncio reads into a new buffer of 256 KiB each time. Whether glibc returns it to the system, and gets it back with
    # new pages, depends on what happens to lie behind it in the heap: without these, a subject takes 30 µs a call more in
    # one process than in the next, in most runs of some and in few of others.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 25),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 26),
}


def visible_plugins() -> str:
    """Return what lets Jackfield find the providers that are measured, and no other plugin, however many there are."""
    return ",".join(name for name in ("openai", "bedrock") if find_spec(f"jackfield_{name}"))


class Worker:
    """One subject at work.

    Args:
        name: Its name in `_subjects`.
        python: The interpreter that has it.
        address: The service's.
        visible: The plugins that Jackfield finds there; None is all.
    """

    def __init__(self, name: str, python: str, address: str, visible: str | None) -> None:
        self.name = name
        environment = {**os.environ, **EVEN}
        environment.pop("JACKFIELD_PLUGINS_ALLOW", None)
        if visible is not None:
            environment["JACKFIELD_PLUGINS_ALLOW"] = visible
        self.process = subprocess.Popen(
            [python, str(HERE / "_worker.py"), name, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if name not in ("floor", "jackfield") else None,
            text=True,
            env=environment,
        )

    def ready(self) -> str | None:
        """Wait until it is ready; say why it cannot be."""
        assert self.process.stdout is not None
        if self.process.stdout.readline():
            return None
        why = self.process.stderr.read().strip().splitlines() if self.process.stderr else []
        return why[-1] if why else "it ended at once"

    def work(self, scenario: str, count: int) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{scenario} {count}\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline() or '{"error": "it died"}')
        return answer

    def stop(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def service() -> Iterator[str]:
    """Run the loopback service; give its address."""
    process = subprocess.Popen([sys.executable, str(HERE / "_server.py")], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def interleaved(
    workers: list[Worker], scenario: str, counts: dict[str, int], rounds: int
) -> dict[str, list[float]]:
    """Measure a scenario: CPU seconds per unit of each subject, one number a round.

    What a subject returns is compared with what the first one does: one that skips some of the work is reported.

    Args:
        workers: Who works, in turn.
        scenario: See `_worker.measured`.
        counts: Units of work a round for each subject.
        rounds: How often.
    """
    seen: dict[str, list[float]] = {}
    expected = None
    for worker in workers:
        answer = worker.work(scenario, max(1, counts[worker.name] // 10))  # warms up, and finds faults
        if "error" in answer:
            print(f"  {worker.name} cannot do {scenario}: {answer['error']}", file=sys.stderr)
            continue
        seen[worker.name] = []
        expected = expected or answer["result"]
        if answer["result"] != expected:
            print(
                f"  {worker.name} returns something else in {scenario}: {answer['result']}", file=sys.stderr
            )
    for _ in range(rounds):
        for worker in workers:
            if worker.name in seen:
                answer = worker.work(scenario, counts[worker.name])
                seen[worker.name].append(answer["cpu"] / answer["units"])
    return seen
