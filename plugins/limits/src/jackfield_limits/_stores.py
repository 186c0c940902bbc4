"""Which store an address names."""

from __future__ import annotations

from jackfield import ConfigurationError, Secret

from ._memory import MemoryStore
from ._postgres import PostgresStore
from ._redis import RedisStore
from ._store import Store

__all__ = ["open_store"]


def open_store(address: str) -> Store:
    """Return the store that an address names; it connects when it is first used.

    Args:
        address: `memory`, `sqlite:///PATH`, `redis://...`, `postgresql://...`; or where that stands: `env:NAME`, `file:PATH`.

    Raises:
        ConfigurationError: There is no such store.
    """
    if address.startswith(("env:", "file:")):
        address = Secret.parse(address, key="store").reveal().strip()
    if address == "memory":
        return MemoryStore()
    scheme = address.partition(":")[0]
    if scheme in {"redis", "rediss", "unix"}:
        return RedisStore(address)
    if scheme in {"postgresql", "postgres"}:
        return PostgresStore(address)
    raise ConfigurationError(f'there is no store of limits for addresses that begin with "{scheme}:"')
