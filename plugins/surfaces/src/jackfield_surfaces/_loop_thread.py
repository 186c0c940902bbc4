"""An event loop for programs that have none: in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from jackfield import ConfigurationError, Mesh

__all__ = ["LoopThread", "OtherLoop", "loop_for"]

T = TypeVar("T")


class OtherLoop:
    """The event loop in which a mesh is open; other threads hand their calls to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop, and wait for it.

        Raises:
            ConfigurationError: The loop runs in this very thread, which would wait for itself.
        """
        if threading.get_ident() == self._thread:
            work.close()
            raise ConfigurationError(
                "a sync client would block the event loop that answers it: call it in a thread, or use the async client"
            )
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Leave the loop to its owner."""


class LoopThread:
    """A thread with an event loop in which a mesh is open, from the first call until it is closed.

    Args:
        mesh: The mesh, which is not open.
    """

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop, and wait for it."""
        try:
            loop = self._open()
        except BaseException:
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Close the mesh and end the thread; may be called twice."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        try:
            asyncio.run_coroutine_threadsafe(self._mesh.__aexit__(None, None, None), loop).result()
        finally:
            self._end(loop, thread)

    def _open(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=loop.run_forever, name="jackfield-surfaces", daemon=True)
                thread.start()
                try:
                    asyncio.run_coroutine_threadsafe(self._mesh.__aenter__(), loop).result()
                except BaseException:
                    self._end(loop, thread)
                    raise
                self._loop, self._thread = loop, thread
            return self._loop

    @staticmethod
    def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def loop_for(mesh: Mesh) -> OtherLoop | LoopThread:
    """Return where a sync client's calls run: in the event loop that runs here, else in a thread of its own."""
    try:
        return OtherLoop(asyncio.get_running_loop())
    except RuntimeError:
        return LoopThread(mesh)
