"""Mount the console into a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._app import make_console
from ._console import Console
from ._host import GatewayHost

if TYPE_CHECKING:
    from aiohttp import web

    from jackfield_gateway._state import State

__all__ = ["PREFIX", "make_pages"]

PREFIX: Final = "/console"


def make_pages(state: State) -> web.Application:
    """Return the console's application for a gateway; the gateway mounts it under `/console`."""
    return make_console(Console(GatewayHost(state), prefix=PREFIX))
