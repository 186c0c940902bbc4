"""Which store an address names: the one in a SQLite file, or one of another package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from jackfield import ConfigurationError, Secret

from ._spend import SpendStore
from ._store import Store, StoredKey

if TYPE_CHECKING:
    from ._keys import Key

__all__ = ["GatewayStore", "address_of", "open_store"]

_GROUP: Final = "jackfield.gateway_stores.v1"
"""An entry point's name is the scheme of its addresses; it is called with an address, and returns a store."""
_FILE: Final = "sqlite:///"


class GatewayStore(SpendStore, Protocol):
    """Where keys that commands create, spend, and what gateways share are kept. Every method blocks."""

    def close(self) -> None:
        """Close it."""

    def list_keys(self) -> Sequence[StoredKey]:
        """Return all keys, the newest last."""

    def add_key(self, key: Key) -> None:
        """Add a key.

        Raises:
            ConfigurationError: A key that is accepted has this name.
        """

    def rotate_key(self, name: str, digest: str, *, grace: float) -> Key:
        """Replace the hash of a key; the old one is accepted for some seconds more.

        Raises:
            ConfigurationError: There is no such key.
        """

    def block_key(self, name: str) -> int:
        """Block all keys of a name; return how many.

        Raises:
            ConfigurationError: There is no such key.
        """

    def delete_spend(self, *, before: float) -> int:
        """Delete the rows of calls on days before that of a moment; return how many."""

    def sum_spend(self, *, key: str, since: float) -> Sequence[Mapping[str, Any]]:
        """Return what a key has used, by day (UTC) and currency, the newest day first."""

    def share(self, name: str) -> str:
        """Return a secret that all gateways of this store share; the first one makes it."""


def address_of(store: str) -> str:
    """Return the address that is declared, or that stands in the place which is declared.

    Args:
        store: An address, `env:NAME` or `file:PATH`.
    """
    if store.startswith(("env:", "file:")):
        return Secret.parse(store, key="gateway.store").reveal().strip()
    return store


def open_store(store: str) -> GatewayStore:
    """Open the store that is declared. Blocks.

    Args:
        store: An address, `env:NAME` or `file:PATH`.

    Raises:
        ConfigurationError: It cannot be used, or no package is installed that serves such addresses.
    """
    address = address_of(store)
    if address.startswith(_FILE):
        return Store(Path(address.removeprefix(_FILE)).expanduser())
    scheme = address.partition("://")[0]
    for point in entry_points(group=_GROUP, name=scheme):
        opened: GatewayStore = point.load()(address)
        return opened
    hint = '; pip install "jackfield-console[postgres]"' if scheme.startswith("postgres") else ""
    raise ConfigurationError(
        f"gateway.store: no package that is installed serves {scheme}:// addresses{hint}"
    )
