"""Progress of slow work behind a call (a first download, say), for whoever wants to show it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

__all__ = ["ProgressListener", "listening", "report"]

logger = logging.getLogger("jackfield")

ProgressListener: TypeAlias = Callable[[str, int, "int | None"], None]
"""Hears of a stage, of how much of it is done, and of how much it is if that is known. Called from any thread."""

# A global and no context variable: work on other threads, and work that several calls wait for, has the context
# of only one of them, or of none.
_listeners: tuple[ProgressListener, ...] = ()
_changing = threading.Lock()


def report(stage: str, done: int, total: int | None = None) -> None:
    """Report progress to all listeners; costs next to nothing when there are none.

    Args:
        stage: A word for what is being done: "download", "convert".
        done: How much of it, in the stage's own unit; bytes for "download".
        total: How much it is altogether; None if that is not known.
    """
    for listener in _listeners:
        try:
            listener(stage, done, total)
        except Exception:
            logger.exception("a listener for progress failed; the work goes on")


@contextmanager
def listening(listener: ProgressListener) -> Iterator[None]:
    """Have a function called with all progress in this process, from whatever thread works, while the block runs."""
    global _listeners  # noqa: PLW0603 -- see above: the work may be on any thread
    with _changing:
        _listeners = (*_listeners, listener)
    try:
        yield
    finally:
        with _changing:
            _listeners = tuple(one for one in _listeners if one is not listener)
