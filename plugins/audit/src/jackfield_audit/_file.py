"""A file that lines are appended to, off the event loop."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

__all__ = ["LineFile"]

logger = logging.getLogger("jackfield.audit")

_MOST_AT_ONCE: Final = 1000


class LineFile:
    """Appends lines to a file in a thread of its own; lines that wait are written together.

    The file is opened at once, so that a wrong path is found when the mesh is entered. One that was moved away or
    deleted by somebody else (logrotate) is made anew. While it cannot be written, the error is logged and lines are
    counted as lost; the next that can be written comes after a line that says how many.

    Args:
        path: The file. Only its owner may read one that is made here.
        max_bytes: A larger one is renamed to `path.1`; None does not.
        backups: How many renamed ones are kept.

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
        self._open()

    def put(self, line: bytes) -> None:
        """Have a line written; does not wait for it."""
        if self._closed:
            # A stream that is read on when the mesh was left: late is better than never.
            self._write([line])
            self._close()
            return
        self._waiting.put(line)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="jackfield-audit", daemon=True)
            self._thread.start()

    async def aclose(self) -> None:
        """Write what waits, and close the file."""
        thread, self._thread, self._closed = self._thread, None, True
        if thread is not None:
            self._waiting.put(None)
            await asyncio.get_running_loop().run_in_executor(None, thread.join)
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
        lost = [b'{"lost":%d}' % self._lost] if self._lost else []
        data = b"".join(line + b"\n" for line in [*lost, *lines])
        try:
            file = self._current()
            # In one piece as a rule; a disk that fills up may take a part only.
            while data:
                data = data[os.write(file, data) :]
        except OSError as error:
            self._lost += len(lines)
            logger.error(  # noqa: TRY400 -- of a full disk, no traceback a line
                "the audit log %s cannot be written (%d lines lost): %s", self._path, self._lost, error
            )
            self._close()
        else:
            self._lost = 0

    def _current(self) -> int:
        """Give the open file; another one if it was moved away, or is large enough."""
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
            source = self._path if number == 1 else self._named(number - 1)
            if source.exists():
                source.replace(self._named(number))

    def _named(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _open(self) -> int:
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return self._file

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
