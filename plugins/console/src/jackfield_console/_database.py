"""The store: SQLite or PostgreSQL, by SQLAlchemy Core. Everything blocks; pages call it in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from jackfield import ConfigurationError
from jackfield_gateway._stores import address_of

__all__ = ["REVISION", "VERSION_TABLE", "Database", "open_database", "open_engine", "read_url"]

P = ParamSpec("P")
T = TypeVar("T")

REVISION: Final = "0001"
"""The newest migration."""
VERSION_TABLE: Final = "console_version"
_MIGRATE: Final = "run: jackfield console migrate"


class Database:
    """An open store.

    Args:
        engine: SQLAlchemy's engine.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a function in a thread, inside one transaction.

        Args:
            work: Called with the connection and the arguments.
            *args: Its arguments.
            **kwargs: Its named arguments.
        """

        def inside() -> T:
            with self.engine.begin() as connection:
                return work(connection, *args, **kwargs)

        return await asyncio.to_thread(inside)

    def call(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function inside one transaction."""
        with self.engine.begin() as connection:
            return work(connection, *args, **kwargs)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def read_url(store: str) -> URL:
    """Read the address of a store.

    Args:
        store: The address, or `env:NAME` or `file:PATH` where it stands.

    Raises:
        ConfigurationError: It is none that is supported.
    """
    store = address_of(store)
    scheme, _, path = store.partition(":///")
    if scheme == "sqlite":
        return URL.create("sqlite+pysqlite", database=str(Path(path).expanduser()))
    if not store.startswith(("postgresql://", "postgres://")):
        raise ConfigurationError(
            f'console.store: a store is "sqlite:///" and a path, or "postgresql://...", not {scheme!r}'
        )
    try:
        url = make_url(store.replace("postgres://", "postgresql://", 1))
    except ArgumentError as error:
        raise ConfigurationError(
            "console.store: the address is not valid; it is postgresql://USER@HOST/NAME"
        ) from error
    return url.set(drivername="postgresql+psycopg")


def open_engine(url: URL) -> Engine:
    """Open an engine; no connection is made yet.

    Raises:
        ConfigurationError: The driver is not installed.
    """
    if url.drivername.startswith("sqlite"):
        engine = create_engine(
            url, hide_parameters=True, connect_args={"timeout": 5.0, "check_same_thread": False}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        return engine
    try:
        return create_engine(
            url, hide_parameters=True, pool_pre_ping=True, pool_size=4, connect_args={"connect_timeout": 5}
        )
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            'console.store: PostgreSQL needs psycopg: pip install "jackfield-console[postgres]"'
        ) from error


def _prepare_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def open_database(url: URL, *, where: str = "console.store") -> Database:
    """Open a store that is ready to be used; nothing is migrated.

    Args:
        url: Its address.
        where: The key that names it, for messages.

    Raises:
        ConfigurationError: It cannot be reached, or its tables are not those of this version.
    """
    database = Database(open_engine(url))
    try:
        found = database.call(_find_revision)
    except SQLAlchemyError as error:
        database.close()
        raise ConfigurationError(f"{where}: {shown(url)} cannot be used: {_words(error)}") from error
    if found == REVISION:
        return database
    database.close()
    if found is None:
        raise ConfigurationError(f"{where}: {shown(url)} has no tables of the console yet; {_MIGRATE}")
    if found > REVISION:
        raise ConfigurationError(
            f"{where}: {shown(url)} was written by a newer jackfield-console; upgrade this one"
        )
    raise ConfigurationError(f"{where}: {shown(url)} has tables of an older version; {_MIGRATE}")


def _find_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 -- a name of ours
    return found


def shown(url: URL) -> str:
    """Return an address as messages show it: without a password."""
    return (
        url.database or ""
        if url.drivername.startswith("sqlite")
        else url.render_as_string(hide_password=True)
    )


def _words(error: SQLAlchemyError) -> str:
    """Return what the driver says, on one line: SQLAlchemy adds statements and links."""
    original = getattr(error, "orig", None)
    return " ".join(str(original if original is not None else error).split())
