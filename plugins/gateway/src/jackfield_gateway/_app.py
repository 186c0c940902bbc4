"""The web application: which path is which surface, and who may ask from where."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from jackfield_surfaces import PATHS, SurfaceError

from ._exchange import new_request_id
from ._mounts import mount_pages
from ._pages import PAGES
from ._responses import ResponsesService
from ._serve import STATE, Handler, Service, handler_of, refuse
from ._socket import SOCKETS, close_sockets
from ._state import LOOPBACK, State

__all__ = ["make_app", "make_runner"]

_LONGEST_LINE: Final = 16_384
_LONGEST_HEADER: Final = 32_768
_KEPT_OPEN: Final = 75.0
"""Seconds for which a connection is kept that is idle, or on which the head of a request does not come to its end."""


def _is_ours(record: logging.LogRecord) -> bool:
    """Return whether a record is about a fault here: what is not HTTP is refused, and not worth a traceback that cites it."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_logger: Final = logging.getLogger("jackfield.gateway.http")
_logger.addFilter(_is_ours)


def make_app(state: State) -> web.Application:
    """Return the application that serves a state."""
    # The body's limit is the gateway's own, which also holds after decompression.
    app = web.Application(middlewares=[_guard], client_max_size=0)
    app[STATE] = state
    app[SOCKETS] = set()
    app.on_shutdown.append(close_sockets)
    for path, answer in _handlers(state).items():
        app.router.add_post(path, answer)
    for method, path, handler in PAGES:
        app.router.add_route(method, path, handler)
    mount_pages(app, state)
    return app


class _Runner(web.AppRunner):
    """Runs the application. Requests of the surfaces take a fast path, past its routes.

    Args:
        app: The application.
        state: The gateway's state.
        options: As `web.AppRunner` takes them.
    """

    def __init__(self, app: web.Application, state: State, **options: Any) -> None:
        super().__init__(app, **options)
        self._state = state

    async def setup(self) -> None:
        """Set the server up."""
        await super().setup()
        server = self.server
        if server is not None:
            server.request_handler = _past_routes(self._state, server.request_handler)


def _handlers(state: State) -> dict[str, Handler]:
    """Return what answers the requests of each surface, by path."""
    own: dict[str, type[Service]] = {"openai.responses": ResponsesService}
    return {path: handler_of(surface, state, own.get(surface)) for path, surface in PATHS.items()}


def _past_routes(state: State, general: Callable[[Any], Awaitable[web.StreamResponse]]) -> Any:
    """Return a handler that answers what a surface serves, and leaves all else to the application."""
    surfaces = _handlers(state)

    def handle(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        handler = surfaces.get(request.raw_path)
        if handler is None or request.method != "POST" or state.is_open or "Expect" in request.headers:
            return general(request)
        return handler(request)

    return handle


def make_runner(state: State) -> web.AppRunner:
    """Return what runs the application, with the limits of every connection."""
    return _Runner(
        make_app(state),
        state,
        handler_cancellation=True,  # a client that leaves: its call is cancelled, and the upstream closed
        auto_decompress=False,  # the body is decompressed under its own limit
        access_log=None,
        logger=_logger,
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_HEADER,
        keepalive_timeout=_KEPT_OPEN,
        shutdown_timeout=0.5,
    )


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a page in somebody's browser sends to an open gateway, and answer unknown paths as the surfaces do."""
    state = request.app[STATE]
    if state.is_open and not _is_local(request):
        return refuse(
            state.surface("openai.chat", ""),
            SurfaceError(
                "without keys, only programs on this machine may call", kind="forbidden", status=403
            ),
            new_request_id(request.headers),
        )
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        words = {
            404: f"{request.path} is not served",
            405: f"{request.method} is not served at {request.path}",
        }
        name = "anthropic.messages" if "anthropic-version" in request.headers else "openai.chat"
        told = SurfaceError(words.get(error.status, error.reason), kind="unknown_url", status=error.status)
        return refuse(state.surface(name, ""), told, new_request_id(request.headers))


def _is_local(request: web.Request) -> bool:
    """Return whether a request was addressed to this machine by name, and comes from no page of another site.

    A page can send requests to 127.0.0.1, also under a name of its own that it lets point there (DNS rebinding).
    """
    origin = request.headers.get("origin")
    hosts = [request.host] if origin is None else [request.host, urlsplit(origin).netloc]
    return all(_is_loopback(urlsplit(f"//{host}").hostname or "") for host in hosts)


def _is_loopback(host: str) -> bool:
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
