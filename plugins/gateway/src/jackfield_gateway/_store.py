"""The store in a SQLite file: keys that commands create, spend, and what gateways of one store share."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from jackfield import ConfigurationError

from ._keys import Key
from ._spend import SpendRow

__all__ = ["Store", "StoredKey"]

_VERSION: Final = 1
_APPLICATION: Final = 0x4A46_4757  # "JFGW"
_COLUMNS: Final = tuple(field.name for field in attrs.fields(SpendRow))
_SCHEMA: Final = """
CREATE TABLE keys (
    name TEXT NOT NULL, hash TEXT PRIMARY KEY, owner TEXT NOT NULL, models TEXT, expires_at REAL,
    blocked INTEGER NOT NULL DEFAULT 0, created_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE spend (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at REAL NOT NULL, key TEXT NOT NULL, owner TEXT NOT NULL,
    surface TEXT NOT NULL, asked TEXT NOT NULL, connection TEXT, model TEXT, kind TEXT NOT NULL, status TEXT NOT NULL,
    error TEXT, relayed INTEGER NOT NULL, input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER,
    reasoning_tokens INTEGER, amount TEXT, currency TEXT, cost TEXT NOT NULL, attempts INTEGER NOT NULL,
    first_event REAL, duration REAL NOT NULL, report TEXT NOT NULL
);
CREATE INDEX spend_at ON spend (at);
CREATE INDEX spend_key ON spend (key, at);
CREATE TABLE shared (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_INSERT: Final = (
    f"INSERT OR IGNORE INTO spend ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 -- names of ours
)


@attrs.frozen(kw_only=True)
class StoredKey:
    """A key of the store, with when it was created."""

    key: Key
    created_at: float


class Store:
    """The store. Every method blocks; in the gateway they are called in threads.

    Args:
        path: The file; created if it is absent.

    Raises:
        ConfigurationError: The file cannot be opened, is another program's, or of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            self._connection = sqlite3.connect(
                path, timeout=5.0, check_same_thread=False, isolation_level=None
            )
            if is_new:
                path.chmod(0o600)
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise ConfigurationError(f"gateway.store: {path} cannot be used: {error}") from error

    def _prepare(self) -> None:
        run = self._connection.execute
        application, version = (
            run(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        tables = run("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application != _APPLICATION and tables:
            raise ConfigurationError(
                f"gateway.store: {self._path} is the database of another program; name another file"
            )
        if version > _VERSION:
            raise ConfigurationError(
                f"gateway.store: {self._path} was written by a newer jackfield-gateway; upgrade this one"
            )
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        if not tables:
            self._connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            run(f"PRAGMA application_id = {_APPLICATION}")
            run(f"PRAGMA user_version = {_VERSION}")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    # Keys

    def list_keys(self) -> list[StoredKey]:
        """Return all keys, the newest last."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT name, hash, owner, models, expires_at, blocked, created_at FROM keys ORDER BY created_at"
            ).fetchall()
        return [
            StoredKey(
                key=Key(
                    name=name,
                    hash=digest,
                    owner=owner,
                    models=None if models is None else tuple(json.loads(models)),
                    expires_at=expires_at,
                    blocked=bool(blocked),
                ),
                created_at=created_at,
            )
            for name, digest, owner, models, expires_at, blocked, created_at in rows
        ]

    def add_key(self, key: Key) -> None:
        """Add a key.

        Raises:
            ConfigurationError: A key that is accepted has this name.
        """
        if any(one.key.name == key.name and one.key.fault(time.time()) is None for one in self.list_keys()):
            raise ConfigurationError(
                f"there is a key {key.name!r} already; rotate it, or block it first: jackfield keys rotate {key.name}"
            )
        self._insert(key)

    def rotate_key(self, name: str, digest: str, *, grace: float) -> Key:
        """Replace the hash of a key; the old one is accepted for some seconds more.

        Args:
            name: The key's name.
            digest: The new hash.
            grace: Seconds.

        Raises:
            ConfigurationError: There is no such key.
        """
        old = self._find_accepted(name)
        until = time.time() + grace
        new = attrs.evolve(old, hash=digest)
        with self._lock, self._connection:
            self._connection.execute(
                "UPDATE keys SET expires_at = min(coalesce(expires_at, ?), ?) WHERE hash = ?",
                (until, until, old.hash),
            )
        self._insert(new)
        return new

    def block_key(self, name: str) -> int:
        """Block all keys of a name; return how many.

        Raises:
            ConfigurationError: There is no such key.
        """
        self._find(name)
        with self._lock, self._connection:
            return self._connection.execute("UPDATE keys SET blocked = 1 WHERE name = ?", (name,)).rowcount

    def _find(self, name: str) -> list[Key]:
        found = [one.key for one in self.list_keys() if one.key.name == name]
        if not found:
            raise ConfigurationError(f"the store has no key {name!r}; `jackfield keys list` shows them")
        return found

    def _find_accepted(self, name: str) -> Key:
        accepted = [key for key in self._find(name) if key.fault(time.time()) is None]
        if not accepted:
            raise ConfigurationError(f"the key {name!r} is blocked or has expired; create a new one")
        return accepted[-1]

    def _insert(self, key: Key) -> None:
        models = None if key.models is None else json.dumps(key.models)
        row = (key.name, key.hash, key.owner, models, key.expires_at, int(key.blocked), time.time())
        with self._lock, self._connection:
            self._connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    # Spend

    def add_spend(self, rows: Sequence[SpendRow]) -> None:
        """Write rows in one transaction."""
        values = [attrs.astuple(row, recurse=False) for row in rows]
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_INSERT, values)

    def delete_spend(self, *, before: float) -> int:
        """Delete the rows of calls before a moment, in seconds of `time.time()`; return how many."""
        with self._lock, self._connection:
            return self._connection.execute("DELETE FROM spend WHERE at < ?", (before,)).rowcount

    def sum_spend(self, *, key: str, since: float) -> list[Mapping[str, Any]]:
        """Return what a key has used, by day (UTC) and currency, the newest day first.

        Args:
            key: The key's name.
            since: Seconds of `time.time()`.
        """
        query = (
            "SELECT date(at, 'unixepoch') AS day, model, currency, amount, cost, input_tokens, output_tokens"
            " FROM spend WHERE key = ? AND at >= ?"
        )
        with self._lock:
            rows = self._connection.execute(query, (key, since)).fetchall()
        return _sum_rows(rows)

    # Shared

    def share(self, name: str) -> str:
        """Return a secret that all gateways of this store share; the first one makes it."""
        with self._lock, self._connection:
            self._connection.execute(
                "INSERT OR IGNORE INTO shared VALUES (?, ?)", (name, secrets.token_urlsafe(48))
            )
            value: str = self._connection.execute(
                "SELECT value FROM shared WHERE name = ?", (name,)
            ).fetchone()[0]
        return value


def _sum_rows(rows: Sequence[Sequence[Any]]) -> list[Mapping[str, Any]]:
    from decimal import Decimal

    days: dict[tuple[str, str | None], dict[str, Any]] = {}
    for day, _, currency, amount, cost, inputs, outputs in rows:
        entry = days.setdefault(
            (day, currency),
            {
                "day": day,
                "requests": 0,
                "input_tokens": 0,
                "output_tokens": 0,
                "amount": Decimal(0),
                "currency": currency,
                "not_complete": 0,
            },
        )
        entry["requests"] += 1
        entry["input_tokens"] += inputs or 0
        entry["output_tokens"] += outputs or 0
        entry["amount"] += Decimal(amount or 0)
        entry["not_complete"] += cost != "complete"
    ordered = sorted(days.values(), key=lambda entry: (entry["day"], entry["currency"] or ""), reverse=True)
    return [{**entry, "amount": str(entry["amount"])} for entry in ordered]
