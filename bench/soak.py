"""Use local models for a long time and badly: `nox -s soak`, or `nox -s soak -- --minutes 5 --connections shared`.

Clients join at random, leave in the middle, cancel, ask for too much, and now and then come all at once. After each
round everything must be quiet again: every request answered or refused with an error that says why, no slot taken, the
same answer to the same question as at the start, and no more memory, threads or open files than after the first rounds.

Of memory, two figures are told: what the process has, and what malloc gave out and nobody gave back. Only the second can
show a leak; the first grows further, because freed pieces lie between those in use, in each of glibc's arenas.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ClassVar

import attrs

import jackfield as jf
from jackfield import Mesh

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "plugins" / "onnx" / "tests"))

CLIENTS = 20
ROUND_SECONDS = 15.0
STUCK_SECONDS = 120.0
CONTEXT = 128
CONNECTIONS = ["shared", "concat", "fleeting"]
PROBE = "Say it again, please."
# What a client may be told, beside an answer. Whatever else is raised is a fault.
REFUSALS = (
    jf.ContextLengthExceededError, jf.OverloadedError, jf.TimeoutError, jf.UnsupportedError, jf.InvalidRequestError,
)  # fmt: skip


def folders(place: Path) -> dict[str, Path]:
    """Make the models: random llamas, as our converter writes them and as optimum does."""
    from conftest import TEMPLATE, TinyLlama
    from onnx_graphs import write_optimum_folder

    from jackfield_onnx._files.convert import convert_gguf
    from jackfield_onnx._files.folder import read_tokenizer

    model = TinyLlama(layers=3, hidden=128, heads=4, kv_heads=2, feed_forward=256, context=CONTEXT)
    shared = place / "shared"
    shared.mkdir()
    convert_gguf(model.write(place / "tiny.gguf"), shared)
    return {
        "shared": shared,
        "concat": write_optimum_folder(place / "concat", model, read_tokenizer(shared), TEMPLATE),
    }


def config(made: dict[str, Path], wanted: list[str]) -> dict[str, Any]:
    """Declare a connection a model, and one whose model goes whenever it is idle; those that are wanted."""
    keys = {"provider": "onnx", "device": "cpu", "offline": True, "retry": {"attempts": 1}}
    keys |= {"slots": 4, "max_queue": 12, "queue_timeout": 0.25, "max_context": CONTEXT}

    def one(folder: Path, **more: Any) -> dict[str, Any]:
        return {
            **keys,
            "models": [{"id": "m", "folder": str(folder), "kinds": ["chat", "completion"]}],
            **more,
        }

    declared = {
        "shared": one(made["shared"]),
        "concat": one(made["concat"]),
        "fleeting": one(made["shared"], keep_alive=0.02),
    }
    return {"connections": {name: declared[name] for name in wanted}}


class Soak:
    """The clients, and what became of their requests."""

    def __init__(self, mesh: Mesh, seed: int, connections: list[str]) -> None:
        self.mesh = mesh
        self.random = random.Random(seed)
        self.connections = connections
        self.outcomes: Counter[str] = Counter()
        self.faults: list[str] = []
        # By tenths of a millisecond: a list would grow, and look like a leak.
        self.lags: Counter[int] = Counter()

    async def client(self, until: float) -> None:
        """Send one request after another."""
        acts: list[tuple[int, Callable[[str], Coroutine[Any, Any, str]]]] = [
            (5, self.ask), (4, self.listen), (4, self.leave), (4, self.cancel), (1, self.too_long), (1, self.too_much),
            (1, self.too_hot), (1, self.hurried),
        ]  # fmt: skip
        weights = [weight for weight, _ in acts]
        while time.monotonic() < until:
            act = self.random.choices([act for _, act in acts], weights)[0]
            await self.tell(act, f"{self.random.choice(self.connections)}:m")
            await asyncio.sleep(self.random.expovariate(30))

    async def crowd(self, until: float) -> None:
        """Come all at once, now and then."""
        while time.monotonic() < until:
            await asyncio.sleep(self.random.uniform(2, 6))
            target = f"{self.random.choice(self.connections)}:m"
            await asyncio.gather(*(self.tell(self.ask, target) for _ in range(40)))

    async def tell(self, act: Callable[[str], Coroutine[Any, Any, str]], target: str) -> None:
        """Do one thing and write down what came of it."""
        name = act.__name__
        try:
            async with asyncio.timeout(STUCK_SECONDS):
                outcome = await act(target)
        except REFUSALS as error:
            phase = f" ({error.phase})" if isinstance(error, jf.TimeoutError) else ""
            outcome = f"{type(error).__name__}{phase}"
        except TimeoutError:
            outcome = "STUCK"
            self.faults.append(f"{name} of {target} was not answered within {STUCK_SECONDS:.0f} seconds")
        except Exception as error:
            outcome = "FAULT"
            self.faults.append(f"{name} of {target}: {error!r}")
        self.outcomes[f"{name}: {outcome}"] += 1

    def options(self) -> dict[str, Any]:
        pick = self.random.choice
        return {
            "max_tokens": self.random.randint(1, 40), "temperature": pick([0.0, 0.7, 1.3]), "top_p": pick([1.0, 0.9]),
            "top_k": pick([1, 30]), "seed": self.random.randrange(1000), "stop": pick([[], ["ab"], ["x", "zz"]]),
            "logprobs": pick([False, True]), "presence_penalty": pick([0.0, 0.4]),
        }  # fmt: skip

    def prompt(self) -> str:
        return "".join(self.random.choices("abcdefgh üß🙂", k=self.random.randint(1, 30)))

    async def ask(self, target: str) -> str:
        reply = await self.mesh.chat(target, self.prompt(), **self.options())
        return f"answered, {reply.finish_reason}"

    async def listen(self, target: str) -> str:
        async with self.mesh.stream_chat(target, self.prompt(), **self.options()) as stream:
            async for _ in stream:
                pass
        return f"answered, {stream.response.finish_reason}"

    async def leave(self, target: str) -> str:
        after = self.random.randint(0, 20)
        async with self.mesh.stream_chat(target, self.prompt(), **self.options()) as stream:
            async for _ in stream:
                after -= 1
                if after < 0:
                    return "left"
        return "answered before it was left"

    async def cancel(self, target: str) -> str:
        task = asyncio.create_task(self.mesh.chat(target, self.prompt(), **self.options()))
        await asyncio.sleep(self.random.expovariate(20))
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return "cancelled"
        return "answered before it was cancelled"

    async def too_long(self, target: str) -> str:
        await self.mesh.chat(target, "long " * self.random.randint(40, 3000))
        return "FAULT: a prompt that cannot fit was answered"

    async def too_much(self, target: str) -> str:
        await self.mesh.chat(target, self.prompt(), max_tokens=self.random.randint(CONTEXT, 10_000))
        return "FAULT: more tokens than fit were granted"

    async def too_hot(self, target: str) -> str:
        await self.mesh.chat(target, self.prompt(), temperature=9)
        return "FAULT: a temperature of 9 was taken"

    async def hurried(self, target: str) -> str:
        await self.mesh.chat(target, self.prompt(), max_tokens=60, timeout=self.random.uniform(0.001, 0.2))
        return "answered in time"

    async def probe(self, connection: str) -> str:
        """Send the request from the start again."""
        reply = await self.mesh.chat(f"{connection}:m", PROBE, temperature=0, max_tokens=30)
        return reply.text

    async def tick(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            self.lags[round((time.perf_counter() - before - 0.001) * 10_000)] += 1


def busy() -> list[str]:
    """Return which engines hold a slot or a request."""
    from jackfield_onnx._engine.scheduler import Scheduler

    found = [one for one in gc.get_objects() if isinstance(one, Scheduler)]
    return [str(one) for one in found if one.busy]


@attrs.frozen
class Footprint:
    """What the process holds: megabytes in memory, megabytes in use by malloc, threads, open files."""

    resident: float
    in_use: float
    threads: int
    files: int


class _Malloc(ctypes.Structure):
    """glibc's `struct mallinfo2`: ten numbers."""

    _fields_: ClassVar = [("told", ctypes.c_size_t * 10)]


def footprint() -> Footprint:
    """Measure after everything that is freed was given back."""
    from jackfield_onnx._runtime.session import release_free_memory

    gc.collect()
    release_free_memory()  # what glibc keeps of freed pieces is not a leak
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Footprint(pages * 4096 / 1e6, in_use(), threading.active_count(), len(os.listdir("/proc/self/fd")))


def in_use() -> float:
    """Return the megabytes that malloc gave out and that were not freed; 0 where the C library does not tell."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return 0.0
    library.mallinfo2.restype = _Malloc
    told = library.mallinfo2().told
    mapped, in_arenas = told[4], told[7]  # hblkhd, uordblks
    return float(mapped + in_arenas) / 1e6


async def soak(minutes: float, seed: int, wanted: list[str]) -> int:
    with tempfile.TemporaryDirectory() as temporary:
        made = config(folders(Path(temporary)), wanted)
        async with Mesh.from_config(made) as mesh:
            return await rounds(Soak(mesh, seed, list(made["connections"])), minutes)


async def rounds(run: Soak, minutes: float) -> int:
    expected = {connection: await run.probe(connection) for connection in run.connections}
    ticker = asyncio.create_task(run.tick())
    ends = time.monotonic() + minutes * 60
    seen: list[Footprint] = []
    while time.monotonic() < ends and len(run.faults) < 20:
        until = min(ends, time.monotonic() + ROUND_SECONDS)
        await asyncio.gather(*(run.client(until) for _ in range(CLIENTS)), run.crowd(until))
        await asyncio.sleep(0.5)
        run.faults += [f"not quiet after a round: {what}" for what in busy()]
        for connection in run.connections:
            found = await run.probe(connection)
            if found != expected[connection]:
                run.faults.append(
                    f"{connection} answers {found!r} now, and {expected[connection]!r} at the start"
                )
        await asyncio.sleep(0.2)
        seen.append(footprint())
        now = seen[-1]
        print(
            f"round {len(seen)}: {sum(run.outcomes.values())} requests, {now.resident:.1f} MB ({now.in_use:.1f} in "
            f"use), {now.threads} threads, {now.files} files, {len(run.faults)} faults",
            flush=True,
        )
    ticker.cancel()
    return report(run, seen)


def report(run: Soak, seen: list[Footprint]) -> int:
    # The first rounds fill buffers and pools; after them nothing may grow.
    settled = seen[len(seen) // 4]
    late = Footprint(
        *(statistics.median(column) for column in zip(*map(attrs.astuple, seen[-3:]), strict=True))
    )
    for what, slack in (
        ("resident", 15 + 0.05 * settled.resident),
        ("in_use", 4),
        ("threads", 2),
        ("files", 4),
    ):
        before, after = getattr(settled, what), getattr(late, what)
        if after > before + slack:
            run.faults.append(f"{what} grew from {before:.1f} to {after:.1f}")
    print("\n" + "\n".join(f"{count:8}  {what}" for what, count in sorted(run.outcomes.items())))
    p50, p99, p999 = (late_by(run.lags, share) for share in (0.5, 0.99, 0.999))
    print(f"\nlag of the event loop: p50 {p50:.1f} ms, p99 {p99:.1f} ms, p99.9 {p999:.1f} ms")
    print(
        f"memory {settled.resident:.1f} -> {late.resident:.1f} MB, in use {settled.in_use:.1f} -> {late.in_use:.1f}"
    )
    print(f"threads {settled.threads} -> {late.threads:.0f}, open files {settled.files} -> {late.files:.0f}")
    unanswered = {name for name in run.outcomes if "FAULT" in name or "STUCK" in name}
    for fault in run.faults[:20]:
        print(f"FAULT: {fault}", file=sys.stderr)
    print("no fault" if not run.faults and not unanswered else "FAULTS", flush=True)
    return 1 if run.faults or unanswered else 0


def late_by(lags: Counter[int], share: float) -> float:
    """Return the milliseconds that this share of the ticks did not exceed."""
    left = share * lags.total()
    for tenths, count in sorted(lags.items()):
        left -= count
        if left <= 0:
            return tenths / 10
    return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--connections", nargs="+", choices=CONNECTIONS, default=CONNECTIONS)
    arguments = parser.parse_args()
    raise SystemExit(asyncio.run(soak(arguments.minutes, arguments.seed, arguments.connections)))


if __name__ == "__main__":
    main()
