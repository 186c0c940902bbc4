"""Keys of the gateway in the store: read, created, rotated, blocked and changed."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import attrs
from sqlalchemy import Connection, Row, insert, select, update

from jackfield import ConfigurationError
from jackfield_gateway._keys import Key
from jackfield_gateway._store import StoredKey

from ._schema import keys

__all__ = ["add_key", "block_key", "change_key", "find_accepted", "list_keys", "rotate_key"]


def list_keys(connection: Connection, name: str | None = None) -> Sequence[StoredKey]:
    """Return all keys, or those of a name; the newest last."""
    query = select(keys).order_by(keys.c.created_at)
    if name is not None:
        query = query.where(keys.c.name == name)
    return [_read(row) for row in connection.execute(query)]


def _read(row: Row[tuple[object, ...]]) -> StoredKey:
    found = row._mapping  # noqa: SLF001 -- SQLAlchemy's public name for it
    key = Key(
        name=found["name"],
        hash=found["hash"],
        owner=found["owner"],
        models=None if found["models"] is None else tuple(json.loads(found["models"])),
        expires_at=found["expires_at"],
        blocked=bool(found["blocked"]),
    )
    return StoredKey(key=key, created_at=found["created_at"])


def add_key(connection: Connection, key: Key) -> None:
    """Add a key.

    Raises:
        ConfigurationError: A key that is accepted has this name.
    """
    if any(one.key.fault(time.time()) is None for one in list_keys(connection, key.name)):
        raise ConfigurationError(
            f"there is a key {key.name!r} already; rotate it, or block it first: jackfield keys rotate {key.name}"
        )
    _insert(connection, key)


def rotate_key(connection: Connection, name: str, digest: str, *, grace: float) -> Key:
    """Replace the hash of a key; the old one is accepted for some seconds more.

    Raises:
        ConfigurationError: There is no such key.
    """
    old = find_accepted(connection, name)
    until = time.time() + grace
    end = until if old.expires_at is None else min(old.expires_at, until)
    connection.execute(update(keys).where(keys.c.hash == old.hash).values(expires_at=end))
    new = attrs.evolve(old, hash=digest)
    _insert(connection, new)
    return new


def block_key(connection: Connection, name: str) -> int:
    """Block all keys of a name; return how many.

    Raises:
        ConfigurationError: There is no such key.
    """
    count = connection.execute(update(keys).where(keys.c.name == name).values(blocked=1)).rowcount
    if not count:
        raise ConfigurationError(f"the store has no key {name!r}; `jackfield keys list` shows them")
    return count


def change_key(
    connection: Connection, name: str, *, owner: str, models: tuple[str, ...] | None, expires_at: float | None
) -> Key:
    """Change whom a key belongs to, what it may use, and when it ends.

    Raises:
        ConfigurationError: No key of this name is accepted.
    """
    old = find_accepted(connection, name)
    values = {
        "owner": owner,
        "models": None if models is None else json.dumps(models),
        "expires_at": expires_at,
    }
    connection.execute(update(keys).where(keys.c.hash == old.hash).values(values))
    return attrs.evolve(old, owner=owner, models=models, expires_at=expires_at)


def find_accepted(connection: Connection, name: str) -> Key:
    """Return the newest key of a name that is accepted.

    Raises:
        ConfigurationError: There is none.
    """
    found = list_keys(connection, name)
    if not found:
        raise ConfigurationError(f"the store has no key {name!r}; `jackfield keys list` shows them")
    accepted = [one.key for one in found if one.key.fault(time.time()) is None]
    if not accepted:
        raise ConfigurationError(f"the key {name!r} is blocked or has expired; create a new one")
    return accepted[-1]


def _insert(connection: Connection, key: Key) -> None:
    connection.execute(
        insert(keys).values(
            name=key.name,
            hash=key.hash,
            owner=key.owner,
            models=None if key.models is None else json.dumps(key.models),
            expires_at=key.expires_at,
            blocked=int(key.blocked),
            created_at=time.time(),
        )
    )
