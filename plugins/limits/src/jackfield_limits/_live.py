"""The stores that middlewares of this process use: pages show them, and a new configuration begins nothing anew in memory."""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary

from ._settings import LimitsSettings
from ._store import Store
from ._stores import open_store

__all__ = ["enter", "find_store", "leave"]

_MEMORY: Final = "memory"
_IN_USE: Final[WeakKeyDictionary[object, tuple[LimitsSettings, Store]]] = WeakKeyDictionary()
"""By the middleware that uses it."""


def enter(user: object, settings: LimitsSettings) -> Store:
    """Return the store that settings name, and note who uses it.

    Memory is that of the process: while one middleware counts there, others count in the same, such as that of a new
    configuration which takes the place of the old one.
    """
    shared = (store for other, store in _IN_USE.values() if other.store == _MEMORY)
    store = next(shared, None) if settings.store == _MEMORY else None
    if store is None:
        store = open_store(settings.store)
    _IN_USE[user] = (settings, store)
    return store


def leave(user: object) -> None:
    """Note that a middleware is no longer used."""
    _IN_USE.pop(user, None)


def find_store(settings: LimitsSettings) -> Store | None:
    """Return the store that a mesh of this process uses; None if none uses these settings.

    Args:
        settings: The object that the configuration of the mesh holds, `middleware_settings["limits"]`.
    """
    return next((store for used, store in _IN_USE.values() if used is settings), None)
