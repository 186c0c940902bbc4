"""Retries without the waiting, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jackfield._calls import pace as _pace, retry as _retry

__all__ = ["no_retry_pauses"]


@contextmanager
def no_retry_pauses() -> Iterator[list[float]]:
    """Make no pause between attempts while the block runs; gives the seconds that each would have taken.

    Nor does a call wait because its service refused others; a declared `pace` is kept.

        with no_retry_pauses() as pauses:
            reply = await mesh.chat("openai:gpt-6-luna", "Hi")
        assert len(pauses) == 2

    For the whole process: blocks of tests that run at the same time in threads share it.
    """
    asked: list[float] = []

    async def sleep(seconds: float) -> None:
        asked.append(seconds)

    before, _retry.sleep = _retry.sleep, sleep
    learnt, _pace.learns = _pace.learns, False
    try:
        yield asked
    finally:
        _retry.sleep = before
        _pace.learns = learnt
