"""Append lines to a file, off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import select
import stat
import threading
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

__all__ = ["LineFile"]

logger = logging.getLogger("jackfield.audit")

_MOST_AT_ONCE: Final = 1000
_SLOW_READER_MS: Final = 1000
_OPEN: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
"""Without blocking: to open a named pipe that no process reads would stop the event loop."""


class LineFile:
    """Append lines to a file in a thread of its own; lines that wait are written together.

    The file is opened at once, so that a wrong path is found when the mesh is entered. One that was moved away or
    deleted by somebody else (logrotate) is created again. While it cannot be written, the error is logged and lines
    are counted as lost; the next that can be written comes after a line that says how many. The part of a line that
    fitted on a full disk is removed again.

    Args:
        path: The file. If it is created, only its owner may read it.
        max_bytes: A file of this size is renamed to `path.1`; None means never.
        backups: The number of renamed files to keep.

    Raises:
        OSError: The file cannot be opened.
    """

    def __init__(self, path: Path, max_bytes: int | None = None, backups: int = 5) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._backups = backups
        self._waiting: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._lost = 0
        self._file: int | None = None
        self._is_torn = False
        self._open()

    def put(self, line: bytes) -> None:
        """Queue a line; does not wait until it is written."""
        if self._closed:
            # A stream may be read after the mesh was left.
            self._write([line])
            self._close()
            return
        self._waiting.put(line)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="jackfield-audit", daemon=True)
            self._thread.start()

    async def aclose(self) -> None:
        """Write the waiting lines, and close the file."""
        thread, self._thread, self._closed = self._thread, None, True
        if thread is not None:
            self._waiting.put(None)
            await asyncio.get_running_loop().run_in_executor(None, thread.join)
        if self._lost:
            self._write([])
        self._close()

    def _run(self) -> None:
        while (line := self._waiting.get()) is not None:
            lines, last = [line], False
            try:
                while len(lines) < _MOST_AT_ONCE and not last:
                    following = self._waiting.get_nowait()
                    last = following is None
                    if following is not None:
                        lines.append(following)
            except Empty:
                pass
            self._write(lines)
            if last:
                return

    def _write(self, lines: list[bytes]) -> None:
        """Write lines, after one that says how many were lost before them."""
        count = [b'{"lost":%d}' % self._lost] if self._lost else []
        rows = [line + b"\n" for line in [*count, *lines]]
        written = 0
        try:
            file = self._current()
            if self._is_torn:
                rows[0] = b"\n" + rows[0]
            data = b"".join(rows)
            # Usually in one piece; a disk that becomes full may accept only a part.
            while written < len(data):
                written += _write_some(file, data[written:])
        except OSError as error:
            whole = bisect_right(list(accumulate(map(len, rows))), written)
            self._cut(written - sum(map(len, rows[:whole])))
            self._lost = (0 if whole else self._lost) + len(rows) - max(whole, len(count))
            logger.error(  # noqa: TRY400 -- of a full disk, no traceback a line
                "the audit log %s cannot be written (%d lines lost): %s", self._path, self._lost, error
            )
            self._close()
        else:
            self._lost, self._is_torn = 0, False

    def _cut(self, size: int) -> None:
        """Remove the part of a line at the end of the file, unless another process has written after it."""
        if self._file is not None and size:
            with contextlib.suppress(OSError):  # a pipe has no end to cut
                end = os.lseek(self._file, 0, os.SEEK_CUR)
                if os.fstat(self._file).st_size == end:
                    os.ftruncate(self._file, end - size)

    def _current(self) -> int:
        """Return the open file; a new one if it was moved away, or has reached its size."""
        if self._file is not None:
            here = os.fstat(self._file)
            try:
                there = self._path.stat()
            except FileNotFoundError:
                there = None
            if there is None or (here.st_ino, here.st_dev) != (there.st_ino, there.st_dev):
                self._close()
            elif self._max_bytes is not None and here.st_size >= self._max_bytes:
                self._close()
                self._rotate()
        return self._open() if self._file is None else self._file

    def _rotate(self) -> None:
        for number in range(self._backups, 0, -1):
            source = self._path if number == 1 else self._backup(number - 1)
            if source.exists():
                source.replace(self._backup(number))

    def _backup(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _open(self) -> int:
        try:
            self._file = os.open(self._path, _OPEN, 0o600)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            message = "no process reads this named pipe; start its reader first"
            raise OSError(errno.ENXIO, message, str(self._path)) from error
        self._is_torn = stat.S_ISREG(os.fstat(self._file).st_mode) and _ends_within_a_line(self._path)
        return self._file

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _write_some(file: int, data: bytes) -> int:
    """Write a part of the data.

    Returns:
        The number of bytes; 0 if the reader of a pipe was slow and is ready now.

    Raises:
        OSError: It cannot be written, or the reader of a pipe is not ready within a second.
    """
    try:
        return os.write(file, data)
    except BlockingIOError:
        ready = select.poll()
        ready.register(file, select.POLLOUT)
        if not ready.poll(_SLOW_READER_MS):
            raise
        return 0


def _ends_within_a_line(path: Path) -> bool:
    """Return whether a process that ended, or another program, left a line without its end."""
    with (
        contextlib.suppress(OSError),
        path.open("rb") as file,
    ):  # we may be allowed to write it, but not to read it
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    return False
