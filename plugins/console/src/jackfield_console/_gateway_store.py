"""The gateway's store on PostgreSQL: keys, spend, and what gateways share."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, select
from sqlalchemy.dialects.postgresql import insert

from jackfield_gateway._days import DAY_COUNTS, DAY_KEYS, day_of, sum_days, sum_months
from jackfield_gateway._keys import Key
from jackfield_gateway._spend import SpendRow, columns_of
from jackfield_gateway._store import StoredKey, list_days

from . import _key_rows
from ._database import Database, open_database, read_url
from ._schema import shared, spend, spend_days, spend_months

__all__ = ["PostgresStore", "open_postgres"]

_DAY = 86_400


def open_postgres(address: str) -> PostgresStore:
    """Open a store for a gateway.

    Args:
        address: postgresql://...

    Raises:
        ConfigurationError: It cannot be reached, or must be migrated first.
    """
    return PostgresStore(open_database(read_url(address), where="gateway.store"))


class PostgresStore:
    """A store. Every method blocks; in the gateway they are called in threads.

    Args:
        database: The open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def list_keys(self) -> Sequence[StoredKey]:
        """Return all keys, the newest last."""
        return self._database.call(_key_rows.list_keys)

    def add_key(self, key: Key) -> None:
        """Add a key.

        Raises:
            ConfigurationError: A key that is accepted has this name.
        """
        self._database.call(_key_rows.add_key, key)

    def rotate_key(self, name: str, digest: str, *, grace: float) -> Key:
        """Replace the hash of a key; the old one is accepted for some seconds more.

        Raises:
            ConfigurationError: There is no such key.
        """
        return self._database.call(_key_rows.rotate_key, name, digest, grace=grace)

    def block_key(self, name: str) -> int:
        """Block all keys of a name; return how many.

        Raises:
            ConfigurationError: There is no such key.
        """
        return self._database.call(_key_rows.block_key, name)

    def add_spend(self, rows: Sequence[SpendRow]) -> None:
        """Write rows and the sums of their days in one transaction; rows that are there already stay as they are."""
        self._database.call(_add_spend, [columns_of(row) for row in rows])

    def delete_spend(self, *, before: float) -> int:
        """Delete the rows of calls on days before that of a moment; return how many. The sums of days stay."""
        query = delete(spend).where(spend.c.at < day_of(before) * _DAY)
        return self._database.call(lambda connection: connection.execute(query).rowcount)

    def sum_spend(self, *, key: str, since: float) -> Sequence[Mapping[str, Any]]:
        """Return what a key has used, by day (UTC) and currency, the newest day first."""
        query = select(spend_days).where(spend_days.c.day >= day_of(since), spend_days.c.key == key)
        rows = self._database.call(lambda connection: connection.execute(query).all())
        width = len(DAY_KEYS)
        return list_days({tuple(row[:width]): list(row[width:]) for row in rows})

    def share(self, name: str) -> str:
        """Return a secret that all gateways of this store share; the first one makes it."""
        return self._database.call(_share, name)


def _add_spend(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    query = insert(spend).on_conflict_do_nothing(index_elements=["id"]).returning(spend.c.id)
    written = set(connection.execute(query, rows).scalars())
    days = sum_days(row for row in rows if row["id"] in written)
    if days:
        _add_sums(connection, spend_days, days)
        _add_sums(connection, spend_months, sum_months(days))


def _add_sums(connection: Connection, table: Table, sums: Mapping[tuple[Any, ...], Sequence[int]]) -> None:
    # In one order everywhere, so that gateways that write the same days never wait for each other in a circle.
    names = (*DAY_KEYS, *DAY_COUNTS)
    values = [dict(zip(names, (*place, *sums[place]), strict=True)) for place in sorted(sums)]
    adding = insert(table)
    more = {name: table.c[name] + adding.excluded[name] for name in DAY_COUNTS}
    connection.execute(adding.on_conflict_do_update(index_elements=list(DAY_KEYS), set_=more), values)


def _share(connection: Connection, name: str) -> str:
    adding = insert(shared).values(name=name, value=secrets.token_urlsafe(48))
    connection.execute(adding.on_conflict_do_nothing())
    value: str = connection.execute(select(shared.c.value).where(shared.c.name == name)).scalar_one()
    return value
