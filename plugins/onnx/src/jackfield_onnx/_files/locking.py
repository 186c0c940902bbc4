"""Lock a file between processes; the operating system releases the lock if its holder dies."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["lock_file"]

_POLL_SECONDS = 0.1

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextlib.contextmanager
def lock_file(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold an exclusive lock during the block.

    The lock file is not removed: otherwise two processes could hold locks on different files of the same name.

    Args:
        path: The lock file.
        waiting: Called ten times a second while another process holds the lock; it may raise to give up.
    """
    with path.open("ab") as file:
        while not _try_lock(file.fileno()):
            waiting()
            time.sleep(_POLL_SECONDS)
        yield  # closing the file releases the lock
