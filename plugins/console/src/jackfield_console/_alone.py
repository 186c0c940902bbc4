"""The console alone, for a configuration that only programs use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from ._app import make_console
from ._console import Console
from ._mount import PREFIX

if TYPE_CHECKING:
    from ._host import Host

__all__ = ["make_alone"]


def make_alone(host: Host) -> web.Application:
    """Return an application that serves nothing but the console."""
    app = web.Application()
    app.add_subapp(PREFIX, make_console(Console(host, prefix=PREFIX)))

    async def go(request: web.Request) -> web.StreamResponse:
        return web.Response(status=303, headers={"location": f"{PREFIX}/"})

    app.router.add_get("/", go)
    return app
