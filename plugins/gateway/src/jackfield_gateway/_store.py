"""The store in a SQLite file: keys that commands create, spend, and what gateways of one store share."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from jackfield import ConfigurationError

from ._days import DAY_COUNTS, DAY_KEYS, EPOCH, amount_of, day_of, sum_days, sum_months
from ._keys import Key
from ._spend import SpendRow, columns_of

if TYPE_CHECKING:
    from ._responses_table import ResponseTable

__all__ = ["Store", "StoredKey", "connect", "list_days"]

_VERSION: Final = 2
_FIRST: Final = 1
"""Files of this version are used as they are; they have no sums of days. `jackfield console migrate` upgrades them."""
_APPLICATION: Final = 0x4A46_4757  # "JFGW"
_TRIES: Final = 100
_DAY: Final = 86_400
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
    first_event REAL, duration REAL NOT NULL, report TEXT NOT NULL, detail TEXT
);
CREATE INDEX spend_at ON spend (at);
CREATE INDEX spend_key ON spend (key, at);
CREATE TABLE shared (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_SUMS: Final = """
CREATE TABLE {table} (
    day INTEGER NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL, connection TEXT NOT NULL, model TEXT NOT NULL,
    currency TEXT NOT NULL, cost TEXT NOT NULL, requests INTEGER NOT NULL, failed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL, units INTEGER NOT NULL, nanos INTEGER NOT NULL,
    attos INTEGER NOT NULL, PRIMARY KEY (day, owner, key, connection, model, currency, cost)
) WITHOUT ROWID;
"""
_SECOND: Final = f"""
{_SUMS.format(table="spend_days")}
{_SUMS.format(table="spend_months")}
CREATE INDEX spend_owner ON spend (owner, at);
CREATE INDEX spend_not_ok ON spend (at) WHERE status <> 'ok';
"""
_CHUNK: Final = 500
"""Ids that one question for rows which are there already names."""


def _insert(columns: Sequence[str]) -> str:
    places = ", ".join(f":{name}" for name in columns)
    return f"INSERT OR IGNORE INTO spend ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 -- names of ours


_INSERT: Final = _insert(_COLUMNS)
_INSERT_FIRST: Final = _insert([name for name in _COLUMNS if name != "detail"])


def _add(table: str) -> str:
    names = (*DAY_KEYS, *DAY_COUNTS)
    more = ", ".join(f"{name} = {name} + excluded.{name}" for name in DAY_COUNTS)
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 -- names of ours
        f" ON CONFLICT DO UPDATE SET {more}"
    )


_ADD_DAY: Final = _add("spend_days")
_ADD_MONTH: Final = _add("spend_months")


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
            self._connection = connect(path)
            if is_new:
                path.chmod(0o600)
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise ConfigurationError(f"gateway.store: {path} cannot be used: {error}") from error

    def _prepare(self) -> None:
        run = self._connection.execute
        with self._connection:  # as they are at one moment: another process may be making the file
            run("BEGIN")
            application, version, tables = (
                run(query).fetchone()[0]
                for query in (
                    "PRAGMA application_id",
                    "PRAGMA user_version",
                    "SELECT count(*) FROM sqlite_master",
                )
            )
        if application != _APPLICATION and tables:
            raise ConfigurationError(
                f"gateway.store: {self._path} is the database of another program; name another file"
            )
        if version > _VERSION:
            raise ConfigurationError(
                f"gateway.store: {self._path} was written by a newer jackfield-gateway; upgrade this one"
            )
        self._keep_log()
        run("PRAGMA synchronous = NORMAL")
        if not tables:
            self._create()

    def _keep_log(self) -> None:
        """Let readers and a writer work at once. SQLite does not wait here for another process that does the same."""
        for attempt in range(_TRIES):
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or attempt == _TRIES - 1:
                    raise
                time.sleep(0.05)
            else:
                return

    def _create(self) -> None:
        """Make the tables of a new file, unless another process has made them meanwhile."""
        with self._connection:
            run = self._connection.execute
            run("BEGIN IMMEDIATE")
            if self._version():
                return
            for statement in filter(str.strip, f"{_SCHEMA}{_SECOND}".split(";")):
                run(statement)
            run(f"PRAGMA application_id = {_APPLICATION}")
            run(f"PRAGMA user_version = {_VERSION}")

    def open_responses(self) -> ResponseTable:
        """Return the answers of this file, by a connection of their own: nobody who reads keys waits for them."""
        from ._responses_table import ResponseTable

        return ResponseTable(connect(self._path))

    def upgrade(self) -> None:
        """Upgrade a file of an earlier version, in one transaction: rows of spend that a gateway has wait until it ends."""
        with self._lock, self._connection:
            run = self._connection.execute
            run("BEGIN IMMEDIATE")
            if self._version() >= _VERSION:
                return
            run("ALTER TABLE spend ADD COLUMN detail TEXT")
            for statement in filter(str.strip, _SECOND.split(";")):
                run(statement)
            rows = run(f"SELECT {', '.join(_COLUMNS)} FROM spend")  # noqa: S608 -- names of ours
            self._add_days(dict(zip(_COLUMNS, row, strict=True)) for row in rows)
            run(f"PRAGMA user_version = {_VERSION}")

    def _version(self) -> int:
        """Return the version of the file, which another process may have upgraded meanwhile."""
        found: int = self._connection.execute("PRAGMA user_version").fetchone()[0]
        return found

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
        """Write rows and the sums of their days in one transaction."""
        values = [columns_of(row) for row in rows]
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            if self._version() == _FIRST:
                self._connection.executemany(_INSERT_FIRST, values)
                return
            before = self._connection.total_changes
            self._connection.executemany(_INSERT, values)
            if self._connection.total_changes - before < len(
                values
            ):  # some are there, perhaps twice in `rows`
                self._connection.execute("ROLLBACK")
                self._connection.execute("BEGIN IMMEDIATE")
                known = self._known_ids([value["id"] for value in values])
                new = {value["id"]: value for value in reversed(values) if value["id"] not in known}
                values = list(reversed(new.values()))
                self._connection.executemany(_INSERT, values)
            self._add_days(values)

    def _known_ids(self, ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for first in range(0, len(ids), _CHUNK):
            some = ids[first : first + _CHUNK]
            places = ", ".join("?" * len(some))
            query = f"SELECT id FROM spend WHERE id IN ({places})"  # noqa: S608 -- question marks
            found.update(one for (one,) in self._connection.execute(query, some))
        return found

    def _add_days(self, rows: Iterable[Mapping[str, Any]]) -> None:
        days = sum_days(rows)
        for statement, found in ((_ADD_DAY, days), (_ADD_MONTH, sum_months(days))):
            self._connection.executemany(statement, [(*place, *sums) for place, sums in found.items()])

    def delete_spend(self, *, before: float) -> int:
        """Delete the rows of calls on days before that of a moment, in seconds of `time.time()`; return how many.

        The sums of days stay.
        """
        day = day_of(before) * _DAY
        with self._lock, self._connection:
            return self._connection.execute("DELETE FROM spend WHERE at < ?", (day,)).rowcount

    def sum_spend(self, *, key: str, since: float) -> list[Mapping[str, Any]]:
        """Return what a key has used, by day (UTC) and currency, the newest day first.

        Args:
            key: The key's name.
            since: Seconds of `time.time()`; the day of this moment counts as a whole.
        """
        first = day_of(since)
        with self._lock:
            if self._version() == _FIRST:
                query = f"SELECT {', '.join(_COLUMNS[:-1])} FROM spend WHERE key = ? AND at >= ?"  # noqa: S608 -- names of ours
                found = self._connection.execute(query, (key, first * _DAY)).fetchall()
                rows = [dict(zip(_COLUMNS[:-1], row, strict=True)) for row in found]
                return list_days(sum_days(rows))
            names = (*DAY_KEYS, *DAY_COUNTS)
            query = f"SELECT {', '.join(names)} FROM spend_days WHERE day >= ? AND key = ?"  # noqa: S608 -- names of ours
            found = self._connection.execute(query, (first, key)).fetchall()
        width = len(DAY_KEYS)
        return list_days({row[:width]: list(row[width:]) for row in found})

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


def list_days(days: Mapping[tuple[Any, ...], Sequence[int]]) -> list[Mapping[str, Any]]:
    """Return sums of days by day and currency, as `/v1/usage` shows them.

    Args:
        days: As `sum_days` returns them.
    """
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for place, sums in days.items():
        of, currency, cost = place[0], place[5], place[6]
        counts = dict(zip(DAY_COUNTS, sums, strict=True))
        entry = found.setdefault(
            (of, currency),
            {
                "day": (EPOCH + timedelta(days=of)).isoformat(),
                "requests": 0,
                "input_tokens": 0,
                "output_tokens": 0,
                "amount": Decimal(0),
                "currency": currency or None,
                "not_complete": 0,
            },
        )
        for name in ("requests", "input_tokens", "output_tokens"):
            entry[name] += counts[name]
        entry["amount"] += amount_of(*sums[-3:])
        entry["not_complete"] += 0 if cost == "complete" else counts["requests"]
    ordered = [found[place] for place in sorted(found, reverse=True)]
    return [{**entry, "amount": f"{entry['amount']:f}"} for entry in ordered]


def connect(path: Path) -> sqlite3.Connection:
    """Open the file of a store; methods of one connection are called from several threads, under a lock."""
    return sqlite3.connect(path, timeout=5.0, check_same_thread=False, isolation_level=None)
