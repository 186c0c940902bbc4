"""Notice what a hook reads, waits for and prints while it runs."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from ._guard import replaced

__all__ = ["watch_environment", "watch_waiting"]


@contextlib.contextmanager
def watch_environment() -> Iterator[list[str]]:
    """Yield the names of the variables that this thread reads while the block runs, by whatever name it has `os.environ`."""
    read: list[str] = []
    kind: Any = type(os.environ)
    original, thread = kind.__getitem__, threading.get_ident()

    def noticed(self: Any, name: str) -> str:
        if threading.get_ident() == thread:
            read.append(name)
        value: str = original(self, name)
        return value

    with replaced(kind, "__getitem__", noticed):
        yield read


@contextlib.contextmanager
def watch_waiting() -> Iterator[list[str]]:
    """Yield what this thread does that no hook may do while the block runs: sleep, print.

    By a profile function, as who wrote `from time import sleep` holds the function itself.
    """
    seen: list[str] = []
    before = sys.getprofile()

    def noticed(frame: FrameType, event: str, called: object) -> None:
        del frame
        if event == "c_call" and (called is time.sleep or called is print):
            seen.append("sleeps" if called is time.sleep else "prints")

    sys.setprofile(noticed)
    try:
        yield seen
    finally:
        sys.setprofile(before)
