"""Run blocking work on a file that may be slow or locked in one thread, with a bound on waiting."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final, TypeVar

import attrs

__all__ = ["LateError", "Worker"]

T = TypeVar("T")

_LOOK_EVERY: Final = 0.05
"""Seconds between two checks of those who wait."""


class LateError(Exception):
    """The thread has not done a piece of work in time.

    Attributes:
        stuck: Whether the thread hangs in one piece of work; else there was too much to do before this one.
    """

    def __init__(self, *, stuck: bool) -> None:
        super().__init__("the work was not done in time")
        self.stuck = stuck


@attrs.frozen(eq=False)
class _Job:
    work: Callable[[], Any]
    future: asyncio.Future[Any] | None = None


class Worker:
    """Run blocking work in order, in one thread, for one event loop.

    The thread ends with the program, whatever it waits for.

    Args:
        name: The thread's name.
        piece_within: Seconds for one piece of work; if one takes longer, nobody waits any more.
        all_within: The greatest number of seconds that anybody waits.

    Attributes:
        loop: The event loop, which is the running one.
    """

    def __init__(self, name: str, *, piece_within: float, all_within: float) -> None:
        self.loop = asyncio.get_running_loop()
        self._piece_within = piece_within
        self._all_within = all_within
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._called = False
        self._began: float | None = None
        self._seen: float | None = None
        self._waiting: dict[asyncio.Future[Any], float] = {}
        self._watch: asyncio.TimerHandle | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def do(self, work: Callable[[], T]) -> T:
        """Run a piece of work and return its result.

        Raises:
            LateError: It is not done in time; if it has not begun, it is skipped.
            Exception: What the work raises.
        """
        future: asyncio.Future[T] = self.loop.create_future()
        self._waiting[future] = time.monotonic()
        self._jobs.put(_Job(work, future))
        if self._watch is None:
            self._watch = self.loop.call_later(_LOOK_EVERY, self._look)
        try:
            return await future
        finally:
            del self._waiting[future]

    def enqueue(self, work: Callable[[], object]) -> None:
        """Queue a piece of work that nobody waits for; its errors are ignored."""
        self._jobs.put(_Job(work))

    def leave(self) -> None:
        """Let the thread end after the queued work."""
        self._jobs.put(None)

    def _look(self) -> None:
        """Raise `LateError` for those who have waited long enough."""
        self._watch = None
        now, began = time.monotonic(), self._began
        # Seen twice, because the event loop may have been blocked itself.
        stuck = began is not None and began == self._seen and now - began > self._piece_within
        self._seen = began
        for future, since in self._waiting.items():
            if (stuck or now - since > self._all_within) and not future.done():
                future.set_exception(LateError(stuck=stuck))
        if self._waiting:
            self._watch = self.loop.call_later(_LOOK_EVERY, self._look)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            future = job.future
            if future is not None and future.done():
                continue
            self._began = time.monotonic()
            result, fault = _run_job(job.work)
            self._began = None
            if future is not None:
                self._done.append((future, result, fault))
                self._call_the_loop()

    def _call_the_loop(self) -> None:
        """Schedule one call of the loop that hands over all results until then."""
        if not self._called:
            self._called = True
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                self.loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        self._called = False
        while self._done:
            future, result, error = self._done.popleft()
            if future.done():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)


def _run_job(work: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return work(), None
    except BaseException as error:  # raised for the one who waits
        return None, error
