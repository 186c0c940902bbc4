"""Measure how much of a service's allowance is used, and how much is refused: `nox -s bench -- pace`, or `python bench/pace.py`.

A loopback service takes so many requests and tokens a minute and refuses others with 429: by fixed minutes, or by an
allowance that grows back all the time. Workers ask it without a break: with the pace declared, with what its headers tell, with
its refusals alone, and with retries alone, as if nobody learnt from another's 429. Time is virtual, so that a busy machine
changes nothing and minutes take seconds. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp.web

from jackfield import JackfieldError, Mesh
from jackfield._calls import pace

SUPPORT = Path(__file__).parent.parent / "tests" / "support"

REQUESTS, TOKENS = 500, 100_000
"""What the service takes in a window."""
WINDOW = 60.0
_FIRST = 2
_PROMPT = "Why is the sky blue? " * 8
_INPUT, _MOST_OUTPUT, _OUTPUT = 42, 400, 158
_LATENCY, _REFUSAL = 1.5, 0.1
KINDS = {"fixed minutes": "FixedWindow", "growing allowance": "Growing"}
# How our side goes about it: what is declared, whether headers come, whether what one call meets holds others back.
WAYS: Mapping[str, tuple[bool, bool, bool]] = {
    "declared": (True, False, True),
    "headers": (False, True, True),
    "refusals alone": (False, False, True),
    "retries alone": (False, False, False),
}


class Service:
    """Answers chats as OpenAI does, as long as its allowances last.

    Args:
        kind: The kind of its allowances.
        by_tokens: Whether tokens are scarcer than requests.
        with_headers: Whether answers tell what is left.
    """

    def __init__(self, kind: type[Any], *, by_tokens: bool, with_headers: bool) -> None:
        self.requests = kind(10 * REQUESTS if by_tokens else REQUESTS, WINDOW)
        self.tokens = kind(TOKENS if by_tokens else 10 * TOKENS, WINDOW)
        self.with_headers = with_headers
        self.log: list[tuple[float, bool, int]] = []

    async def answer(self, request: aiohttp.web.Request) -> aiohttp.web.Response:
        """Take a request, or refuse it."""
        await request.read()
        # As OpenAI counts: the larger of the input and the most output that was asked for.
        now, amount = asyncio.get_running_loop().time(), max(_INPUT, _MOST_OUTPUT)
        taken = self.requests.remaining(now) >= 1 and self.tokens.take(now, amount)
        taken = taken and self.requests.take(now)
        self.log.append((now, taken, amount))
        headers = self._headers(now) if self.with_headers else {}
        if not taken:
            await asyncio.sleep(_REFUSAL)
            wait = max(self.requests.wait(now), self.tokens.wait(now, amount)) or 0.001
            headers["retry-after-ms"] = str(round(1000 * wait + 0.5))
            return aiohttp.web.json_response(
                {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}},
                status=429,
                headers=headers,
            )
        await asyncio.sleep(_LATENCY)
        message = {"role": "assistant", "content": "Because."}
        usage = {"prompt_tokens": _INPUT, "completion_tokens": _OUTPUT, "total_tokens": _INPUT + _OUTPUT}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        return aiohttp.web.json_response({**body, "usage": usage}, headers=headers)

    def _headers(self, now: float) -> dict[str, str]:
        told = {}
        for name, one in (("requests", self.requests), ("tokens", self.tokens)):
            told[f"x-ratelimit-limit-{name}"] = str(one.limit)
            told[f"x-ratelimit-remaining-{name}"] = str(one.remaining(now))
            told[f"x-ratelimit-reset-{name}"] = f"{round(1000 * one.reset(now))}ms"
        return told


async def measure(way: str, kind: str, *, by_tokens: bool, seconds: float, workers: int) -> dict[str, float]:
    """Let workers ask a service for a while; return what was used of its allowance, refused, and failed."""
    declared, with_headers, pace.learns = WAYS[way]
    import limited

    service = Service(getattr(limited, KINDS[kind]), by_tokens=by_tokens, with_headers=with_headers)
    app = aiohttp.web.Application()
    app.router.add_post("/v1/chat/completions", service.answer)
    runner = aiohttp.web.AppRunner(app, access_log=None)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    connection: dict[str, Any] = {"provider": "openai", "base_url": f"http://127.0.0.1:{port}/v1"}
    connection["api_key"] = "none"
    if declared:
        connection["pace"] = {"tokens": TOKENS} if by_tokens else {"requests": REQUESTS}
    failed = called = 0
    try:
        async with Mesh.from_config({"connections": {"c": connection}}) as mesh:
            loop = asyncio.get_running_loop()
            ends = loop.time() + seconds

            async def work() -> None:
                nonlocal failed, called
                while loop.time() < ends:
                    called += 1
                    try:
                        await mesh.chat("c:gpt-4o-mini", _PROMPT, max_tokens=_MOST_OUTPUT)
                    except JackfieldError:
                        failed += 1

            await asyncio.gather(*(work() for _ in range(workers)))
    finally:
        pace.learns = True
        await runner.cleanup()
    # The first minutes, in which the limit is learnt, are shown by themselves.
    began = service.log[0][0]
    first = _FIRST * WINDOW
    later = [one for one in service.log if began + first <= one[0] < began + seconds]
    most = (TOKENS if by_tokens else REQUESTS) * (seconds - first) / WINDOW
    used = sum(amount if by_tokens else 1 for _, taken, amount in later if taken)
    refused = sum(not taken for _, taken, _ in later)
    return {
        "used": used / most,
        "refused": refused / max(1, len(later)),
        "refused at first": sum(not taken for at, taken, _ in service.log if at < began + first),
        "failed": failed / called,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0, help="how long each is measured")
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--only", action="append", choices=WAYS, help="measure this alone (repeatable)")
    parser.add_argument("--limit", choices=("requests", "tokens"), help="measure this limit alone")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    sys.path.insert(0, str(SUPPORT))
    from virtual_time import VirtualTimeLoop

    def make_loop() -> asyncio.AbstractEventLoop:
        return VirtualTimeLoop(quiet=0.0005)  # everything is in this process: what was sent is there

    rows = []
    print("| limit | service | by | used | refused | refused in the first two minutes | failed calls |")
    print("|---|---|---|---|---|---|---|")
    for by_tokens in (False, True):
        if arguments.limit not in (None, "tokens" if by_tokens else "requests"):
            continue
        for kind in KINDS:
            for way in arguments.only or WAYS:
                with asyncio.Runner(loop_factory=make_loop) as runner:
                    seen = runner.run(
                        measure(
                            way,
                            kind,
                            by_tokens=by_tokens,
                            seconds=60 * arguments.minutes,
                            workers=arguments.workers,
                        )
                    )
                limit = f"{TOKENS:,} tokens" if by_tokens else f"{REQUESTS} requests"
                print(
                    f"| {limit} | {kind} | {way} | {seen['used']:.1%} | {seen['refused']:.1%} | "
                    f"{seen['refused at first']} | {seen['failed']:.1%} |",
                    flush=True,
                )
                rows.append({"limit": limit, "service": kind, "by": way, **seen})
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=1), "utf-8")


if __name__ == "__main__":
    main()
