"""One thread that runs a model's graphs off the event loop, one request at a time, from a bounded queue."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import attrs

from jackfield_onnx._local_errors import (
    EngineClosedError,
    GenerationError,
    LocalModelError,
    QueueFullError,
    QueueTimeoutError,
)
from jackfield_onnx._runtime.session import RunOptions, new_run_options, release_free_memory

__all__ = ["WorkSettings", "Worker"]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class WorkSettings:
    """How many requests may wait for a model, and for how long.

    Args:
        max_queue: Requests that may wait, in addition to the one being served; None for no limit.
        queue_timeout: Seconds that a request may wait; None for no limit.
    """

    max_queue: int | None = None
    queue_timeout: float | None = None


class Worker:
    """Runs work for a model. Can be used from several event loops.

    Args:
        name: The model's name, for the thread and for messages.
        what: The model's kind in messages, such as `embedder`.
        release: Releases the graphs.
        settings: Settings of its queue.
    """

    def __init__(
        self, name: str, what: str, release: Callable[[], None], settings: WorkSettings | None = None
    ) -> None:
        self._name = name
        self._what = what
        self._release = release
        self._settings = WorkSettings() if settings is None else settings
        # One thread, because a run already uses all threads of the session.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"jackfield-onnx {name}")
        self._closed = False
        self._pending: set[RunOptions] = set()

    @property
    def closed(self) -> bool:
        """Whether it no longer accepts requests."""
        return self._closed

    async def run(self, work: Callable[[RunOptions], T], begun: Callable[[], None] | None = None) -> T:
        """Run a function in the thread. Cancelling the task stops a run of the graph within milliseconds.

        Args:
            work: The function; its argument are the options for running graphs.
            begun: Called in this event loop when the request's turn has come.

        Raises:
            EngineClosedError: The worker was closed.
            QueueFullError: The queue is full.
            QueueTimeoutError: The request waited longer than `queue_timeout`.
            GenerationError: The function raised an exception that is not a LocalModelError.
        """
        most = self._settings.max_queue
        if most is not None and len(self._pending) > most:
            raise QueueFullError(
                f"{len(self._pending) - 1} requests are already waiting",
                self._name,
                "Try again later, or raise max_queue.",
            )
        if self._closed:
            raise self._closed_error()
        options = new_run_options()  # the runtime is loaded, since the model is
        self._pending.add(options)
        asked = time.monotonic()
        loop = asyncio.get_running_loop()

        def start(options: RunOptions) -> T:
            if begun is not None:
                with contextlib.suppress(RuntimeError):  # the loop was closed in the meantime
                    loop.call_soon_threadsafe(begun)
            return work(options)

        future = loop.run_in_executor(self._thread, lambda: self._execute(start, options, asked))
        try:
            return await future
        except asyncio.CancelledError:
            options.terminate = True
            self._pending.discard(options)  # if the thread has not started it, it never will
            raise

    async def aclose(self) -> None:
        """Stop the current run, join the thread and release the memory. Idempotent."""
        first, self._closed = not self._closed, True
        for options in tuple(self._pending):
            options.terminate = True
        await asyncio.to_thread(self._thread.shutdown)
        if first:
            self._release()
            await asyncio.to_thread(release_free_memory)

    def _execute(self, work: Callable[[RunOptions], T], options: RunOptions, asked: float) -> T:
        try:
            if self._closed:  # while this request was waiting
                raise self._closed_error()
            waited, allowed = time.monotonic() - asked, self._settings.queue_timeout
            if allowed is not None and waited > allowed:
                raise QueueTimeoutError(
                    f"the request waited {waited:.1f} seconds in the queue, longer than queue_timeout allows",
                    self._name,
                    "Try again later, or raise queue_timeout.",
                )
            return work(options)
        except LocalModelError:
            raise
        except Exception as error:
            if self._closed:
                raise self._closed_error() from error
            raise GenerationError(f"the {self._what} failed: {error}", self._name) from error
        finally:
            self._pending.discard(options)

    def _closed_error(self) -> EngineClosedError:
        return EngineClosedError(
            f"the {self._what} was closed", self._name, "Load it again before the next request."
        )
