"""Answers that are kept, in the store's SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from typing import Any, Final

from ._kept import RUNNING, KeptResponse

__all__ = ["ResponseTable"]

_COLUMNS: Final = "owner, id, created_at, expires_at, status, connection, previous, input, response"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS responses (
    number INTEGER PRIMARY KEY, owner TEXT NOT NULL, id TEXT NOT NULL, created_at REAL NOT NULL, expires_at REAL NOT NULL,
    status TEXT NOT NULL, connection TEXT, previous TEXT, size INTEGER NOT NULL, touched_at REAL NOT NULL,
    input BLOB NOT NULL, response BLOB NOT NULL, UNIQUE (owner, id)
);
CREATE INDEX IF NOT EXISTS responses_owner ON responses (owner, created_at, size);
CREATE INDEX IF NOT EXISTS responses_end ON responses (expires_at);
CREATE TABLE IF NOT EXISTS response_items (
    owner TEXT NOT NULL, item TEXT NOT NULL, response TEXT NOT NULL, PRIMARY KEY (owner, item)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS response_items_response ON response_items (owner, response);
"""
_RUNNING: Final = ", ".join(f"'{status}'" for status in RUNNING)


class ResponseTable:
    """The table of answers; it is made if it is absent, whatever version the other tables have.

    Args:
        connection: A connection to the file of the store.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._lock = threading.Lock()
        self._connection = connection
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
        # What is deleted is overwritten: its content shall not stay in free pages of the file.
        self._connection.execute("PRAGMA secure_delete = ON")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def keep_response(self, kept: KeptResponse, *, most: int) -> bool:
        """Keep an answer; the owner's oldest ones are deleted for it."""
        if kept.size > most:
            return False
        with self._lock, self._connection:
            run = self._connection.execute
            run("BEGIN IMMEDIATE")
            self._delete(kept.owner, kept.id)
            (held,) = run(
                "SELECT coalesce(sum(size), 0) FROM responses WHERE owner = ?", (kept.owner,)
            ).fetchone()
            if held + kept.size > most:
                self._make_room(kept.owner, held + kept.size - most)
            self._insert(kept)
        return True

    def find_response(self, owner: str, identity: str, *, now: float) -> KeptResponse | None:
        """Return an answer that has not expired."""
        query = f"SELECT {_COLUMNS} FROM responses WHERE owner = ? AND id = ? AND expires_at > ?"  # noqa: S608 -- names of ours
        with self._lock:
            row = self._connection.execute(query, (owner, identity, now)).fetchone()
        return None if row is None else _read(row)

    def find_response_of_item(self, owner: str, item: str, *, now: float) -> KeptResponse | None:
        """Return the answer that has an item."""
        query = "SELECT response FROM response_items WHERE owner = ? AND item = ?"
        with self._lock:
            row = self._connection.execute(query, (owner, item)).fetchone()
        return None if row is None else self.find_response(owner, row[0], now=now)

    def delete_response(self, owner: str, identity: str) -> bool:
        """Delete an answer."""
        with self._lock:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                deleted = self._delete(owner, identity)
            if deleted:
                self._forget()
        return deleted

    def delete_expired_responses(self, *, now: float) -> int:
        """Delete what has expired."""
        with self._lock:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                rows = self._connection.execute(
                    "SELECT owner, id FROM responses WHERE expires_at <= ?", (now,)
                ).fetchall()
                for owner, identity in rows:
                    self._delete(owner, identity)
            if rows:
                self._forget()
        return len(rows)

    def touch_response(self, owner: str, identity: str, *, now: float) -> str | None:
        """Note that an answer is still being computed."""
        with self._lock, self._connection:
            run = self._connection.execute
            run(
                "UPDATE responses SET touched_at = ? WHERE owner = ? AND id = ?",
                (now, owner, identity),
            )
            row = run("SELECT status FROM responses WHERE owner = ? AND id = ?", (owner, identity)).fetchone()
        return None if row is None else str(row[0])

    def end_response(self, kept: KeptResponse) -> bool:
        """Replace an answer that was being computed."""
        with self._lock, self._connection:
            run = self._connection.execute
            run("BEGIN IMMEDIATE")
            found = run(
                f"SELECT 1 FROM responses WHERE owner = ? AND id = ? AND status IN ({_RUNNING})",  # noqa: S608 -- words of ours
                (kept.owner, kept.id),
            ).fetchone()
            if found is None:
                return False
            self._delete(kept.owner, kept.id)
            self._insert(kept)
        return True

    def is_computed(self, owner: str, identity: str, *, since: float) -> bool:
        """Return whether an answer was touched since a moment."""
        query = "SELECT 1 FROM responses WHERE owner = ? AND id = ? AND touched_at >= ?"
        with self._lock:
            return self._connection.execute(query, (owner, identity, since)).fetchone() is not None

    def _insert(self, kept: KeptResponse) -> None:
        run = self._connection.execute
        values = (
            kept.owner, kept.id, kept.created_at, kept.expires_at, kept.status, kept.connection, kept.previous, kept.input,
            kept.response, kept.size, kept.created_at,
        )  # fmt: skip
        run(
            f"INSERT INTO responses ({_COLUMNS}, size, touched_at) VALUES ({', '.join('?' * len(values))})",  # noqa: S608 -- names of ours
            values,
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO response_items VALUES (?, ?, ?)",
            [(kept.owner, item, kept.id) for item in kept.item_ids],
        )

    def _make_room(self, owner: str, wanted: int) -> None:
        """Delete the oldest answers of an owner, until so many bytes are free."""
        rows = self._connection.execute(
            "SELECT id, size FROM responses WHERE owner = ? ORDER BY created_at", (owner,)
        ).fetchall()
        for identity, size in rows:
            if wanted <= 0:
                return
            self._delete(owner, identity)
            wanted -= size

    def _delete(self, owner: str, identity: str) -> bool:
        run = self._connection.execute
        run("DELETE FROM response_items WHERE owner = ? AND response = ?", (owner, identity))
        return run("DELETE FROM responses WHERE owner = ? AND id = ?", (owner, identity)).rowcount > 0

    def _forget(self) -> None:
        """Empty the log of changes, which has the pages as they were; not if others read just now: then the next time."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _read(row: tuple[Any, ...]) -> KeptResponse:
    owner, identity, created_at, expires_at, status, connection, previous, given, response = row
    return KeptResponse(
        owner=owner,
        id=identity,
        created_at=created_at,
        expires_at=expires_at,
        status=status,
        connection=connection,
        previous=previous,
        input=given,
        response=response,
    )
