"""Where records are kept."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from ._key import VERSION
from ._settings import CacheSettings

if TYPE_CHECKING:
    import sqlite3

__all__ = ["MemoryStore", "SqliteStore", "Store", "make_store"]

logger = logging.getLogger("jackfield.cache")

T = TypeVar("T")


class Store(Protocol):
    """Keeps bytes by key for some time."""

    async def get(self, key: str) -> bytes | None:
        """Give what is kept, if it has not expired."""

    async def put(self, key: str, data: bytes, ttl: float) -> None:
        """Keep something; what was not used for longest makes room."""

    async def aclose(self) -> None:
        """Give back what is held open."""


def make_store(settings: CacheSettings) -> Store:
    """Make the store that the settings ask for; nothing is opened yet."""
    if settings.path is None:
        return MemoryStore(settings.max_entries, settings.max_bytes)
    return SqliteStore(settings.path, settings.max_entries, settings.max_bytes)


class MemoryStore:
    """Keeps records in this process; the least recently used goes first."""

    def __init__(self, max_entries: int, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0

    async def get(self, key: str) -> bytes | None:
        """Give what is kept, if it has not expired."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry[1]

    async def put(self, key: str, data: bytes, ttl: float) -> None:
        """Keep something; what was not used for longest makes room."""
        self._drop(key)
        if len(data) > self._max_bytes:
            return
        self._entries[key] = (self._clock() + ttl, data)
        self._bytes += len(data)
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= len(entry[1])

    async def aclose(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._bytes = 0


_TABLE: Final = """
create table if not exists answers (
  key text primary key, expires real not null, used real not null, size integer not null, body blob not null
) without rowid
"""
_EVICT: Final = """
delete from answers where key in (
  select key from (
    select key, row_number() over newest as number, sum(size) over newest as bytes
    from answers window newest as (order by used desc, key)
  ) where number > ? or bytes > ?
)
"""
_USED_EVERY: Final = 60.0
"""Seconds after which a use is noted again: a hit need not write."""


class SqliteStore:
    """Keeps records in a SQLite file, which several processes may share.

    All of it happens in one thread, off the event loop. Whatever goes wrong with the file is logged, and means that
    nothing is found: the cache never breaks a call.
    """

    def __init__(
        self, path: Path, max_entries: int, max_bytes: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = path
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._thread: ThreadPoolExecutor | None = None
        self._file: sqlite3.Connection | None = None

    async def get(self, key: str) -> bytes | None:
        """Give what is kept, if it has not expired."""
        return await self._in_thread(lambda: self._found(key))

    async def put(self, key: str, data: bytes, ttl: float) -> None:
        """Keep something; what was not used for longest makes room."""
        await self._in_thread(lambda: self._keep(key, data, ttl))

    async def aclose(self) -> None:
        """Close the file."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T | None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="jackfield-cache")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)

    def _guarded(self, work: Callable[[], T]) -> T | None:
        import sqlite3

        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            logger.warning("the cache %s cannot be used: %s", self._path, error)
            self._close()
            return None

    def _opened(self) -> sqlite3.Connection:
        if self._file is None:
            import sqlite3

            # Answers are in it: nobody else shall read them. SQLite gives its side files the same mode.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            file = sqlite3.connect(self._path, timeout=5.0, isolation_level=None)
            self._file = file
            file.execute("pragma journal_mode = wal")
            file.execute("pragma synchronous = normal")
            (version,) = file.execute("pragma user_version").fetchone()
            if version != VERSION:
                file.execute("drop table if exists answers")
                file.execute(f"pragma user_version = {VERSION}")
            file.execute(_TABLE)
        return self._file

    def _found(self, key: str) -> bytes | None:
        file, now = self._opened(), self._clock()
        row = file.execute("select expires, used, body from answers where key = ?", (key,)).fetchone()
        if row is None or row[0] <= now:
            return None
        if now - row[1] > _USED_EVERY:
            file.execute("update answers set used = ? where key = ?", (now, key))
        body: bytes = row[2]
        return body

    def _keep(self, key: str, data: bytes, ttl: float) -> None:
        file, now = self._opened(), self._clock()
        file.execute("begin immediate")
        try:
            row = (key, now + ttl, now, len(data), data)
            file.execute("insert or replace into answers values (?, ?, ?, ?, ?)", row)
            file.execute("delete from answers where expires <= ?", (now,))
            file.execute(_EVICT, (self._max_entries, self._max_bytes))
        except BaseException:
            file.execute("rollback")
            raise
        file.execute("commit")

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
