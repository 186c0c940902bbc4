"""Several processes on one port: one for each core that the gateway may use."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

__all__ = ["ENVELOPE_KEY", "reload_workers", "run_workers"]

ENVELOPE_KEY: Final = "JACKFIELD_GATEWAY_ENVELOPE_KEY"
"""The environment variable by which workers share what seals opaque data, unless it is declared."""
_AGAIN_AFTER: Final = 1.0


def reload_workers() -> None:
    """Let all workers read the configuration again, if this process is one of several."""
    if "--worker" in sys.argv:
        os.kill(os.getppid(), signal.SIGHUP)


def run_workers(arguments: Sequence[str], count: int, told: Callable[[str], None]) -> int:
    """Start workers, pass signals on, replace one that dies; return the exit code.

    Args:
        arguments: The command line of one worker.
        count: How many.
        told: Called with a line for whoever started it.
    """
    environment = {**os.environ, ENVELOPE_KEY: os.environ.get(ENVELOPE_KEY) or secrets.token_urlsafe(48)}

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "jackfield", *arguments], env=environment)  # noqa: S603 -- our own command

    workers = [start() for _ in range(count)]
    stopping = False

    def pass_on(number: int, frame: object) -> None:
        nonlocal stopping
        stopping = stopping or number != signal.SIGHUP
        for worker in workers:
            if worker.poll() is None:
                worker.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, pass_on)
    began = time.monotonic()
    while True:
        for place, worker in enumerate(workers):
            code = worker.poll()
            if code is None or stopping:
                continue
            if time.monotonic() - began < 5.0:
                stopping = True
                pass_on(signal.SIGTERM, None)
                return code or 1
            told(f"a worker ended with {code}; another one is started")
            time.sleep(_AGAIN_AFTER)
            workers[place] = start()
        if stopping and all(worker.poll() is not None for worker in workers):
            return 0
        time.sleep(0.1)
