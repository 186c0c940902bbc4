"""One thread that runs a model's graphs for one request after another, from a bounded queue, off the event loop."""

from __future__ import annotations

import asyncio
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
    """Say how many requests may wait for a model, and for how long.

    Args:
        max_queue: Requests that may wait beside the one that is served.
        queue_timeout: Seconds that one may wait; None sets no limit.
    """

    max_queue: int = 64
    queue_timeout: float | None = None


class Worker:
    """Runs work for a model; works from any event loop, one after another or at once.

    Args:
        name: The model's, for the thread and for messages.
        what: What the model is called in messages, such as `embedder`.
        release: Lets go of the graphs.
        settings: Its queue.
    """

    def __init__(
        self, name: str, what: str, release: Callable[[], None], settings: WorkSettings | None = None
    ) -> None:
        self._name = name
        self._what = what
        self._release = release
        self._settings = WorkSettings() if settings is None else settings
        # One thread: a run uses all of the session's own threads already.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"jackfield-onnx {name}")
        self._closed = False
        self._pending: set[RunOptions] = set()

    @property
    def closed(self) -> bool:
        """Whether it takes no more requests."""
        return self._closed

    async def run(self, work: Callable[[RunOptions], T]) -> T:
        """Do some work in the thread. Cancelling the task stops a run of the graph within milliseconds.

        Args:
            work: Gets the options with which it shall run graphs.

        Raises:
            EngineClosedError: When the worker was closed.
            QueueFullError: When as many requests wait as may wait.
            GenerationError: When the work fails by anything but an error of ours.
        """
        if len(self._pending) > self._settings.max_queue:
            raise QueueFullError(
                f"{len(self._pending) - 1} requests are waiting already",
                self._name,
                "Try again later, or raise max_queue.",
            )
        if self._closed:
            raise self._closed_error()
        options = new_run_options()  # the runtime is there, or no model would be
        self._pending.add(options)
        asked = time.monotonic()
        future = asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self._execute(work, options, asked)
        )
        try:
            return await future
        except asyncio.CancelledError:
            options.terminate = True
            self._pending.discard(options)  # where the thread had not begun with it, it never will
            raise

    async def aclose(self) -> None:
        """Stop what runs, join the thread and release the memory. May be called twice."""
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
                    f"the request waited {waited:.1f} seconds for its turn, longer than queue_timeout allows",
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
