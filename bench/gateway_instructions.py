"""Count the instructions of a gateway's process, which a busy machine does not change: `python bench/gateway_instructions.py`.

It needs valgrind and takes some minutes. The service and the client are processes of their own; what is counted is what the
gateway does outside the kernel for each request, or for each event of a stream. `bench/gateway.py` measures time, in which the
kernel's share is the same for all gateways: its ratios are nearer to 1.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import gateway
from _rounds import EVEN, service

# In flight, requests that are counted, units a request, budget, what it is beside the one by hand.
WORK = {
    "relayed1": ("chat", "whole", 1, 64, 1, 1.6),
    "relayed16": ("chat", "whole", 16, 128, 1, 1.6),
    "relayed64": ("chat", "whole", 64, 256, 1, 1.6),
    "translated16": ("messages", "whole", 16, 128, 1, 2.2),
    "translated64": ("messages", "whole", 64, 256, 1, 2.2),
    "relayed-event": ("chat", "bulk", 4, 4, gateway.EVENTS, 1.5),
    "translated-event": ("messages", "bulk", 4, 4, gateway.EVENTS, 4.0),
}


class Watched:
    """A gateway under valgrind.

    Args:
        command: Its command line.
        folder: Where valgrind's files go.
    """

    def __init__(self, command: list[str], folder: Path) -> None:
        self._folder = folder
        watched = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no"]
        watched += [f"--callgrind-out-file={folder}/out", *command]
        environment = {**os.environ, **EVEN, "BENCH_KEY": "sk-service"}
        self.process = subprocess.Popen(watched, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        told = json.loads(line)
        self.port = told if isinstance(told, int) else int(told["address"].rpartition(":")[2])
        self._dumps = 0

    def count(self, request: bytes, in_flight: int, count: int) -> int:
        """Return the instructions of some requests; as many are made before, to warm up."""
        asyncio.run(gateway.load(self.port, request, in_flight, count))
        self._tell("-i", "on")
        asyncio.run(gateway.load(self.port, request, in_flight, in_flight))
        self._tell("-z")
        asyncio.run(gateway.load(self.port, request, in_flight, count))
        self._dumps += 1
        self._tell("-d")
        self._tell("-i", "off")
        text = (self._folder / f"out.{self._dumps}").read_text()
        return int(re.findall(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)[0])

    def _tell(self, *what: str) -> None:
        subprocess.run(["callgrind_control", *what, str(self.process.pid)], check=True, capture_output=True)

    def stop(self) -> None:
        """Stop it."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()


@contextlib.contextmanager
def watched(address: str, names: list[str]) -> Iterator[dict[str, Watched]]:
    """Start gateways under valgrind."""
    with tempfile.TemporaryDirectory() as folder:
        made: dict[str, Watched] = {}
        try:
            for name in names:
                inside = Path(folder) / name
                inside.mkdir()
                made[name] = Watched(gateway.COMMANDS[name](address, inside), inside)
            yield made
        finally:
            for one in made.values():
                one.stop()


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", help=f"of {', '.join(WORK)}; all, if none is named")
    parser.add_argument("--floor", type=float, action="append", default=None, help=argparse.SUPPRESS)
    parser.add_argument("--ours-only", action="store_true", help="do not count the one by hand")
    arguments = parser.parse_args()
    names = ["ours"] if arguments.ours_only else ["floor", "ours"]
    with service() as address, watched(address, names) as gateways:
        for what in arguments.what or WORK:
            form, model, in_flight, count, units, budget = WORK[what]
            stream = model == "bulk"
            each = {}
            for name, one in gateways.items():
                request = gateway.request_bytes("chat" if name == "floor" else form, model, stream=stream)
                each[name] = one.count(request, in_flight, count) / count / units
            shown = "  ".join(f"{name} {value / 1e3:9.1f}" for name, value in each.items())
            ratio = each["ours"] / each["floor"] if "floor" in each else float("nan")
            print(f"{what:18} {shown} thousand  × {ratio:.2f}  (budget {budget:.2f})", flush=True)


if __name__ == "__main__":
    main()
