"""Which store an address names."""

from __future__ import annotations

from pathlib import Path

from jackfield import ConfigurationError, Secret

from ._memory import MemoryStore
from ._postgres import PostgresStore
from ._redis import RedisStore
from ._slices import SlicedStore
from ._store import Store

__all__ = ["open_store"]


def open_store(address: str) -> Store:
    """Return the store that an address names; it connects when it is first used.

    Args:
        address: `memory`, `sqlite:///PATH`, `redis://...`, `postgresql://...`; or where that stands: `env:NAME`, `file:PATH`.
            With `?slices=true`, Redis and PostgreSQL are asked once for many calls.

    Raises:
        ConfigurationError: There is no such store.
    """
    if address.startswith(("env:", "file:")):
        address = Secret.parse(address, key="store").reveal().strip()
    if address == "memory":
        return MemoryStore()
    scheme, _, rest = address.partition(":")
    if scheme == "sqlite":
        from ._sqlite import SQLiteStore  # it loads sqlite3

        return SQLiteStore(Path(rest.removeprefix("///")).expanduser())
    address, is_sliced = _without_slices(address)
    store: Store | None = None
    if scheme in {"redis", "rediss", "unix"}:
        store = RedisStore(address)
    elif scheme in {"postgresql", "postgres"}:
        store = PostgresStore(address)
    if store is not None:
        return SlicedStore(store) if is_sliced else store
    raise ConfigurationError(f'there is no store of limits for addresses that begin with "{scheme}:"')


def _without_slices(address: str) -> tuple[str, bool]:
    """Return an address without our own parameter `slices`, and whether it says true."""
    before, mark, query = address.partition("?")
    parameters = query.split("&")
    others = [part for part in parameters if part.partition("=")[0] != "slices"]
    if len(others) == len(parameters):
        return address, False
    rest = "&".join(others)
    return before + (mark + rest if rest else ""), "slices=true" in parameters
