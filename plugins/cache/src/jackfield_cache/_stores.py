"""Stores of records."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from jackfield import ConfigurationError

from ._settings import CacheSettings
from ._worker import LateError, Worker

if TYPE_CHECKING:
    import sqlite3

    from ._database import Database

__all__ = ["MemoryStore", "SqliteStore", "Store", "make_store"]

logger = logging.getLogger("jackfield.cache")

T = TypeVar("T")


class Store(Protocol):
    """Store bytes by key for some time."""

    async def get(self, key: str) -> bytes | None:
        """Return the record, if it has not expired."""

    async def put(self, key: str, data: bytes, ttl: float) -> None:
        """Store a record; the least recently used ones make room."""

    async def aclose(self) -> None:
        """Close the store."""


def make_store(settings: CacheSettings) -> Store:
    """Create the store that the settings describe. A file is checked now, and opened when it is first needed.

    Raises:
        ConfigurationError: The file is a database of another program.
    """
    if settings.path is None:
        return MemoryStore(settings.max_entries, settings.max_bytes)
    if settings.path.exists():
        from ._database import refuse_foreign_file

        refuse_foreign_file(settings.path)
    return SqliteStore(settings.path, settings.max_entries, settings.max_bytes)


class MemoryStore:
    """Store records in this process; the least recently used are dropped first."""

    def __init__(self, max_entries: int, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0

    async def get(self, key: str) -> bytes | None:
        """Return the record, if it has not expired."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry[1]

    async def put(self, key: str, data: bytes, ttl: float) -> None:
        """Store a record; the least recently used ones make room."""
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
        """Drop all records."""
        self._entries.clear()
        self._bytes = 0


_PIECE_WITHIN: Final = 0.5
"""Seconds that a call waits for a file that does not respond; then it is made without the cache."""
_ALL_WITHIN: Final = 5.0
"""Seconds that a call waits at most while the file does respond, however many others are before it."""
_REST: Final = 5.0
"""Seconds for which a locked, slow or broken file is not used, so that it delays one call and not each."""


class SqliteStore:
    """Store records in a SQLite file, which several processes may share.

    All work is done in one thread, off the event loop, and no call waits for a file that does not respond. Errors are
    logged, and then nothing is found: the cache never breaks a call.
    """

    def __init__(
        self, path: Path | str, max_entries: int, max_bytes: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = Path(path)
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._worker: Worker | None = None
        self._database: Database | None = None
        self._rests_until = {"get": 0.0, "put": 0.0}

    async def get(self, key: str) -> bytes | None:
        """Return the record, if it has not expired.

        Raises:
            ConfigurationError: The file is a database of another program.
        """
        found = await self._in_thread("get", lambda: self._found(key))
        if found is None:
            return None
        data, should_note = found
        if should_note and self._worker is not None:
            # A lock of another process delays the note, not the call.
            self._worker.enqueue(lambda: self._guarded("put", lambda: self._note_use(key)))
        return data

    async def put(self, key: str, data: bytes, ttl: float) -> None:
        """Store a record; the least recently used ones make room.

        Raises:
            ConfigurationError: The file is a database of another program.
        """
        await self._in_thread("put", lambda: self._keep(key, data, ttl))

    async def aclose(self) -> None:
        """Close the file; one that does not respond is left to its thread."""
        worker, self._worker = self._worker, None
        if worker is None or worker.loop is not asyncio.get_running_loop():
            self._close()
            return
        try:
            await worker.do(self._close)
        except LateError:
            logger.warning("the cache %s does not respond; it is closed when it does", self._path)
        worker.leave()

    async def _in_thread(self, kind: str, work: Callable[[], T]) -> T | None:
        if self._is_resting(kind):
            return None
        if self._worker is None or self._worker.loop is not asyncio.get_running_loop():
            self._worker = Worker("jackfield-cache", piece_within=_PIECE_WITHIN, all_within=_ALL_WITHIN)
        try:
            return await self._worker.do(lambda: self._guarded(kind, work))
        except LateError as error:
            if error.stuck:
                self._rest("it does not respond", *self._rests_until)
            return None

    def _guarded(self, kind: str, work: Callable[[], T]) -> T | None:
        import sqlite3

        if self._is_resting(kind):
            return None
        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            # A writer does not lock out readers; any other error concerns both.
            only_locked = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY and self._database
            self._rest(str(error), *([kind] if only_locked else self._rests_until))
            if not only_locked:
                self._close()
        except ConfigurationError:
            self._rest(None, *self._rests_until)
            raise
        return None

    def _is_resting(self, kind: str) -> bool:
        return time.monotonic() < self._rests_until[kind]

    def _rest(self, why: str | None, *kinds: str) -> None:
        if why is not None and not all(map(self._is_resting, kinds)):
            logger.warning("the cache %s cannot be used: %s", self._path, why)
        self._rests_until.update(dict.fromkeys(kinds, time.monotonic() + _REST))

    def _opened(self) -> sqlite3.Connection:
        return self._open_database().file

    def _open_database(self) -> Database:
        if self._database is None:
            from ._database import Database

            self._database = Database(self._path, self._max_entries, self._max_bytes)
        return self._database

    def _found(self, key: str) -> tuple[bytes, bool] | None:
        return self._open_database().found(key, self._clock())

    def _note_use(self, key: str) -> None:
        self._open_database().note_use(key, self._clock())

    def _keep(self, key: str, data: bytes, ttl: float) -> None:
        now = self._clock()
        self._open_database().keep(key, data, now, now + ttl)

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()
