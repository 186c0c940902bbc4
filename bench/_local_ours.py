"""Our engine, at work on the wishes that come as lines of JSON: `_local_ours.py FOLDER THREADS`."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import attrs

from jackfield_onnx._engine.engine import Engine, EngineSettings
from jackfield_onnx._engine.replies import GenerateRequest
from jackfield_onnx._runtime.session import SessionSettings

WORDS = ("river", "seven", "blue", "stone", "under", "light", "garden", "window", "paper", "winter")
REQUESTS = 16


def text(length: int, seed: int = 0) -> str:
    """Write a text of about this many tokens: each of the words is one."""
    choose = random.Random(seed)
    return " " + " ".join(choose.choice(WORDS) for _ in range(length))


class Ours:
    """Engines over one folder, by their number of slots; each is loaded when it is first wanted."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.folder = folder
        self.settings = EngineSettings(
            session=SessionSettings(device="cpu", threads=threads), max_context=512, max_queue=64
        )
        self.engines: dict[int, Engine] = {}

    async def engine(self, slots: int) -> Engine:
        if slots not in self.engines:
            self.engines[slots] = await Engine.load(self.folder, attrs.evolve(self.settings, slots=slots))
        return self.engines[slots]

    async def generate(self, engine: Engine, prompt: str, tokens: int) -> list[float]:
        """Make an answer of exactly so many tokens, greedily; when each came, since the request."""
        endless = dict.fromkeys(engine.description.end_token_ids, -1000.0)
        request = GenerateRequest(
            prompt=prompt, max_tokens=tokens, temperature=0.0, repetition_penalty=1.0, logit_bias=endless
        )
        began, times = time.perf_counter(), []
        async with engine.generate(request) as generation:
            async for step in generation:
                times += [time.perf_counter() - began] * len(step.tokens)
        return times

    async def single(self, prompt: int, tokens: int) -> dict[str, Any]:
        times = await self.generate(await self.engine(1), text(prompt), tokens)
        # A token may wait for the next to become a character; such a gap is of two tokens and none.
        gaps = [after - before for before, after in itertools.pairwise(times) if after > before]
        return {"gaps": gaps}

    async def rows(self, prompt: int, tokens: int, rows: int) -> dict[str, Any]:
        engine = await self.engine(rows)
        all_times = await asyncio.gather(
            *(self.generate(engine, text(prompt, seed), tokens) for seed in range(rows))
        )
        # While all rows are at work: from the last first token to the first last one.
        begin, end = max(times[0] for times in all_times), min(times[-1] for times in all_times)
        made = sum(begin < at <= end for times in all_times for at in times)
        return {"rate": made / (end - begin)}

    async def prefill(self, prompt: int) -> dict[str, Any]:
        times = await self.generate(await self.engine(1), text(prompt, random.randrange(10**9)), 1)
        return {"rate": prompt / times[0]}

    async def burst(self, slots: int, prompts: list[int], answers: list[int]) -> dict[str, Any]:
        """Sixteen requests at once, of lengths between these bounds."""
        engine, choose = await self.engine(slots), random.Random(7)
        asked = [(text(choose.randint(*prompts), seed), choose.randint(*answers)) for seed in range(REQUESTS)]
        began, cpu = time.perf_counter(), time.process_time()
        all_times = await asyncio.gather(*(self.generate(engine, *one) for one in asked))
        took = time.perf_counter() - began
        return {
            "rate": sum(tokens for _, tokens in asked) / took,
            "first": sum(times[0] for times in all_times) / REQUESTS,
            "cpu": time.process_time() - cpu,
        }

    async def lag(self, slots: int) -> dict[str, Any]:
        """How late a ticker of a millisecond is while all slots are at work, prompts included."""
        engine, lags = await self.engine(slots), []

        async def tick() -> None:
            while True:
                before = time.perf_counter()
                await asyncio.sleep(0.001)
                lags.append(time.perf_counter() - before - 0.001)

        ticker = asyncio.create_task(tick())
        await asyncio.gather(*(self.generate(engine, text(200, seed), 24) for seed in range(slots)))
        ticker.cancel()
        return {"lags": lags}


async def main() -> None:
    ours = Ours(Path(sys.argv[1]).expanduser(), int(sys.argv[2]))
    await ours.engine(1)
    print('{"ready": true}', flush=True)
    for line in iter(sys.stdin.readline, ""):
        wish = json.loads(line)
        print(json.dumps(await getattr(ours, wish.pop("do"))(**wish)), flush=True)
    for engine in ours.engines.values():
        await engine.aclose()


if __name__ == "__main__":
    asyncio.run(main())
