"""Measure the gateway against one written by hand: `nox -s bench -- gateway`, or `python bench/gateway.py`.

A service, the gateways and the client are processes of their own, on loopback. The gateways take turns, round after
round; what counts is the CPU time of a gateway's process, the least of all rounds. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from _rounds import EVEN, service

HERE = Path(__file__).parent
KEY = "jf-a-key-of-the-benchmark-0123456789abcdefghijklm"
MESSAGES = [{"role": "user", "content": "Why is the sky blue? " * 20}]
STREAM = {"stream": True, "stream_options": {"include_usage": True}}

# What the table calls it, subject, path, body, the model by scenario of the service, in flight, requests a round,
# units a request, budget.
EVENTS = 5004
ROWS = (
    ("relayed request, 16 in flight", "ours", "chat", "whole", 16, 320, 1, 1.6),
    ("relayed request, 64 in flight", "ours", "chat", "whole", 64, 640, 1, 1.6),
    ("translated request, 16 in flight", "ours", "messages", "whole", 16, 320, 1, 2.2),
    ("translated request, 64 in flight", "ours", "messages", "whole", 64, 640, 1, 2.2),
    ("relayed stream event", "ours", "chat", "bulk", 4, 8, EVENTS, 1.5),
    ("translated stream event", "ours", "messages", "bulk", 4, 8, EVENTS, 4.0),
)


def config(address: str, folder: Path) -> Path:
    """Write our gateway's configuration: a key, and spend in a file."""
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    path = folder / "jackfield.toml"
    path.write_text(f"""
[connections.whole]
provider = "openai"
base_url = "{address}/whole/v1"
api_key = "env:BENCH_KEY"

[connections.bulk]
provider = "openai"
base_url = "{address}/bulk/v1"
api_key = "env:BENCH_KEY"

[aliases]
whole = "whole:gpt-5-mini"
bulk = "bulk:gpt-5-mini"

[gateway]
port = 0
store = "sqlite:///{folder}/gateway.db"

[gateway.keys.bench]
hash = "sha256:{digest}"
owner = "bench"
""")
    return path


def ours(address: str, folder: Path) -> list[str]:
    """Return the command line of our gateway, on asyncio's own event loop as the one by hand."""
    code = "import sys; sys.modules['uvloop'] = None; from jackfield.__main__ import main; main()"
    return [sys.executable, "-c", code, "--config", str(config(address, folder)), "--json", "serve"]


def by_hand(address: str, folder: Path) -> list[str]:
    """Return the command line of the gateway by hand."""
    return [sys.executable, str(HERE / "_gateway_floor.py"), address]


COMMANDS = {"floor": by_hand, "ours": ours}


@contextlib.contextmanager
def started(arguments: list[str]) -> Iterator[tuple[int, str]]:
    """Start a gateway; yield its process id and the first line that it prints."""
    environment = {**os.environ, **EVEN, "BENCH_KEY": "sk-service"}
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        yield process.pid, process.stdout.readline()
    finally:
        process.terminate()
        process.wait(10)


def cpu(pid: int) -> float:
    """Return the CPU time of a process in seconds, its threads included."""
    times = [int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(times) / 1e9


def resident(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    raise ValueError("the process has ended")


def request_bytes(form: str, model: str, *, stream: bool) -> bytes:
    """Return a client's request."""
    body: dict[str, object] = {"model": model, "messages": MESSAGES, "max_tokens": 300}
    path = "/v1/messages"
    if form == "chat":
        path = "/v1/chat/completions"
        body |= STREAM if stream else {}
    else:
        body |= {"stream": True} if stream else {}
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


class Client(asyncio.Protocol):
    """Sends one request after another on one connection; parses no more than the end of each answer."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] | None = None
        self.received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, request: bytes) -> asyncio.Future[None]:
        """Send a request; the future is done when its answer has ended."""
        self.done = asyncio.get_running_loop().create_future()
        self.received.clear()
        self.transport.write(request)
        return self.done

    def data_received(self, data: bytes) -> None:
        received = self.received
        received += data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(received[:end]).lower()
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(bytes(received[:2000]))
        at = head.find(b"content-length:")
        if at >= 0:
            whole = len(received) >= end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])
        else:
            whole = received.endswith(b"\r\n0\r\n\r\n")
        if whole and self.done is not None:
            self.done.set_result(None)


async def load(port: int, request: bytes, in_flight: int, count: int) -> list[float]:
    """Make requests; return the seconds that each took."""
    loop = asyncio.get_running_loop()
    left = iter(range(count))
    seconds: list[float] = []

    async def work() -> None:
        _, client = await loop.create_connection(Client, "127.0.0.1", port)
        for _ in left:
            began = time.perf_counter()
            await client.ask(request)
            seconds.append(time.perf_counter() - began)
        client.transport.close()

    await asyncio.gather(*(work() for _ in range(in_flight)))
    return seconds


def measure(ports: dict[str, int], pids: dict[str, int], rounds: int, only: str) -> None:
    """Measure the rows whose names hold a text, and print the table."""
    print(f"\n{'':38} {'ours, × by hand':>16} {'budget':>7}")
    for what, subject, form, model, in_flight, count, units, budget in ROWS:
        if only not in what:
            continue
        stream = model == "bulk"
        cases = {
            "floor": request_bytes("chat", model, stream=stream),
            subject: request_bytes(form, model, stream=stream),
        }
        seen: dict[str, list[float]] = {name: [] for name in cases}
        for number in range(rounds + 1):
            for name, request in cases.items():
                before = cpu(pids[name])
                asyncio.run(load(ports[name], request, in_flight, count))
                if number:  # the first one warms up
                    seen[name].append((cpu(pids[name]) - before) / count / units)
        floor, ours = min(seen["floor"]), min(seen[subject])
        verdict = "met" if ours <= floor * budget else f"missed by {ours / floor / budget - 1:.0%}"
        print(
            f"{what:38} {ours / floor:16.2f} {budget:7.2f}  {verdict}  ({floor * 1e6:.1f} µs by hand)",
            flush=True,
        )


def measure_latency(ports: dict[str, int]) -> None:
    """Print what our gateway adds to the latency of one call at a time, over the service itself."""
    request = request_bytes("chat", "whole", stream=False)
    medians = {
        name: statistics.median(asyncio.run(load(port, request, 1, 400))[50:]) for name, port in ports.items()
    }
    added = (medians["ours"] - medians["floor"]) * 1e3
    print(f"{'median added at one in flight':38} {added:13.2f} ms {0.5:7.2f}  over the one by hand")


def measure_memory(port: int, pid: int, requests: int) -> None:
    """Print the resident memory over many requests."""
    request = request_bytes("chat", "whole", stream=False)
    seen = [resident(pid)]
    for _ in range(5):
        asyncio.run(load(port, request, 64, requests // 5))
        seen.append(resident(pid))
    print(f"{'resident memory':38} {seen[-1]:13.1f} MB {60:7.0f}  {', '.join(f'{one:.1f}' for one in seen)}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--only", default="", help="measure the rows alone whose names hold this")
    parser.add_argument(
        "--requests", type=int, default=20_000, help="for the row of memory; 100000 takes minutes"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, service() as address:
        began = time.perf_counter()
        with (
            started(ours(address, Path(folder))) as (pid, line),
            started(by_hand(address, Path(folder))) as (floor_pid, floor_line),
        ):
            print(f"{'until it listens':38} {time.perf_counter() - began:13.2f} s")
            ports = {"ours": int(json.loads(line)["address"].rpartition(":")[2]), "floor": int(floor_line)}
            measure(ports, {"ours": pid, "floor": floor_pid}, options.rounds, options.only)
            if options.only:
                return
            measure_latency(ports)
            measure_memory(ports["ours"], pid, options.requests)


if __name__ == "__main__":
    main()
