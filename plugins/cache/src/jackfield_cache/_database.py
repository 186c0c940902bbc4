"""The SQLite file of the cache: check whose it is, read and write records, and limit its size. Blocks; used by one thread."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from pathlib import Path
from typing import Final
from urllib.parse import quote

from jackfield import ConfigurationError

from ._key import VERSION

__all__ = ["Database", "refuse_foreign_file"]

_APPLICATION: Final = int.from_bytes(b"JFRC", "big")
"""The number of the application that wrote the file, in its header (`pragma application_id`)."""
_OLD_COLUMNS: Final = ["key", "expires", "used", "size", "body"]
_OLD_VERSIONS: Final = (1, 2)
"""Files of these have the one table `answers` with these columns, and no application's number."""
_PATIENCE: Final = 0.1
"""Seconds to wait for the lock of another process."""
_AT_ONCE: Final = 256
"""The greatest number of rows that one put deletes; a file that is far too large shrinks in several puts."""
_USED_EVERY: Final = 60.0
"""Seconds after which a use is noted again, so that few hits write."""

# Triggers keep the sums, so that no put has to read the table, even if other processes write to it.
_SCHEMA: Final = """
create table answers (
  key text primary key, expires real not null, used real not null, size integer not null, body blob not null
);
create index answers_by_use on answers (used, size);
create index answers_by_end on answers (expires);
create table sums (entries integer not null, bytes integer not null);
insert into sums values (0, 0);
create trigger answers_added after insert on answers begin
  update sums set entries = entries + 1, bytes = bytes + new.size;
end;
create trigger answers_gone after delete on answers begin
  update sums set entries = entries - 1, bytes = bytes - old.size;
end;
"""
_DELETE_EXPIRED: Final = """
delete from answers where rowid in (select rowid from answers where expires <= ? order by expires limit ?)
"""


def refuse_foreign_file(path: Path) -> None:
    """Refuse the database of another program, without changing it. A file that cannot be read now is checked when it is opened.

    Raises:
        ConfigurationError: The cache did not create it.
    """
    try:
        head = _head(path)
        if not head.startswith(b"SQLite format 3\0"):
            return
        file = sqlite3.connect(_address(path, head), uri=True, timeout=0, isolation_level=None)
        try:
            _refuse_if_foreign(file, path)
        finally:
            file.close()
    except (sqlite3.Error, OSError):
        return


def _head(path: Path) -> bytes:
    # Opening a named pipe would wait for a writer.
    if not stat.S_ISREG(path.stat().st_mode):
        return b""
    with path.open("rb") as file:
        return file.read(100)


def _address(path: Path, head: bytes) -> str:
    """Return the address with which SQLite reads a file and writes nothing, not even files beside it."""
    log = path.with_name(f"{path.name}-wal")
    # With a write-ahead log, the file alone may be incomplete; without one, only "immutable" keeps SQLite from creating it.
    alone = head[18:19] == b"\2" and not (log.exists() and log.stat().st_size)
    return f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if alone else ''}"


def _refuse_if_foreign(file: sqlite3.Connection, path: Path) -> None:
    tables = [name for (name,) in file.execute("select name from sqlite_schema where type = 'table'")]
    application, version = _marks(file)
    if application == _APPLICATION or (not tables and application == version == 0):
        return
    columns = [row[1] for row in file.execute("pragma table_info(answers)")]
    is_old = (
        application == 0 and version in _OLD_VERSIONS and tables == ["answers"] and columns == _OLD_COLUMNS
    )
    if not is_old:
        raise ConfigurationError(
            f"the path of the cache, {path}, is a database of another program; it was not changed. "
            "Name another file, or one that does not exist yet"
        )


def _marks(file: sqlite3.Connection) -> tuple[int, int]:
    (application,) = file.execute("pragma application_id").fetchone()
    (version,) = file.execute("pragma user_version").fetchone()
    return application, version


class Database:
    """The open file.

    Args:
        path: Its path; created if it does not exist.
        max_entries: The greatest number of records.
        max_bytes: The greatest number of bytes of all records.

    Raises:
        ConfigurationError: It belongs to another program.
        sqlite3.Error: It cannot be used.
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path, max_entries: int, max_bytes: int) -> None:
        self._path = path
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        refuse_foreign_file(path)
        # It contains answers, so only the owner may read it. SQLite gives its side files the same mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self.file = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            self._make_ready()
        except BaseException:
            self.file.close()
            raise

    def _make_ready(self) -> None:
        file = self.file
        if _marks(file) != (_APPLICATION, VERSION):
            file.execute("begin immediate")
            try:
                self._make_tables()
            except BaseException:
                file.execute("rollback")
                raise
            file.execute("commit")
        # With it, replacing a record counts as a deletion.
        file.execute("pragma recursive_triggers = on")
        file.execute("pragma synchronous = normal")
        with contextlib.suppress(
            sqlite3.OperationalError
        ):  # another process has just created it, or reads it
            file.execute("pragma journal_mode = wal")

    def _make_tables(self) -> None:
        file = self.file
        _refuse_if_foreign(file, self._path)  # again, now that no other process writes
        if _marks(file) == (_APPLICATION, VERSION):
            return
        for table in ("answers", "sums"):
            file.execute(f"drop table if exists {table}")
        statement = ""
        for line in _SCHEMA.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                file.execute(statement)
                statement = ""
        file.execute(f"pragma application_id = {_APPLICATION}")
        file.execute(f"pragma user_version = {VERSION}")

    def found(self, key: str, now: float) -> tuple[bytes, bool] | None:
        """Return a record that has not expired, and whether its use should be noted."""
        row = self.file.execute("select expires, used, body from answers where key = ?", (key,)).fetchone()
        if row is None or row[0] <= now:
            return None
        return row[2], now - row[1] > _USED_EVERY

    def note_use(self, key: str, now: float) -> None:
        """Note that a record was used."""
        self.file.execute("update answers set used = ? where key = ?", (now, key))

    def keep(self, key: str, data: bytes, now: float, expires: float) -> None:
        """Store a record, and make room for it, in a time that does not depend on the number of records."""
        file = self.file
        file.execute("begin immediate")
        try:
            if len(data) <= self._max_bytes:
                row = (key, expires, now, len(data), data)
                file.execute("insert or replace into answers values (?, ?, ?, ?, ?)", row)
            else:
                file.execute("delete from answers where key = ?", (key,))
            self._make_room(now)
        except BaseException:
            file.execute("rollback")
            raise
        file.execute("commit")

    def _make_room(self, now: float) -> None:
        file = self.file
        file.execute(_DELETE_EXPIRED, (now, _AT_ONCE))
        entries, size = file.execute("select entries, bytes from sums").fetchone()
        if entries <= self._max_entries and size <= self._max_bytes:
            return
        gone = []
        oldest = file.execute("select rowid, size from answers order by used, size limit ?", (_AT_ONCE,))
        for row, bytes_of_row in oldest.fetchall():
            if entries <= self._max_entries and size <= self._max_bytes:
                break
            entries, size = entries - 1, size - bytes_of_row
            gone.append((row,))
        file.executemany("delete from answers where rowid = ?", gone)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self.file.close()
