"""Pages of other packages below the gateway's address, such as the administrator's console."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

from jackfield import ConfigurationError

if TYPE_CHECKING:
    from aiohttp import web

    from ._state import State

__all__ = ["mount_pages"]

_GROUP: Final = "jackfield.gateway_pages.v1"
"""An entry point's name is that of its table in the configuration; it is called with the state, and returns an application."""


def mount_pages(app: web.Application, state: State) -> None:
    """Mount the pages whose table is in the configuration, each below its table's name. Nothing else is imported.

    Raises:
        ConfigurationError: They cannot be imported.
    """
    ours = {"gateway"}
    if not state.current.config.tables.keys() - ours:
        return
    for point in entry_points(group=_GROUP):
        if point.name not in state.current.config.tables:
            continue
        try:
            make_pages = point.load()
        except ImportError as error:
            raise ConfigurationError(f"{point.name}: its pages cannot be imported: {error}") from error
        app.add_subapp(f"/{point.name}", make_pages(state))
