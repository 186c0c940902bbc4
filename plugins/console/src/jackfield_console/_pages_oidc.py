"""Log-in by a service of OpenID Connect."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from aiohttp import web

from ._changes import note_change
from ._cookies import session_cookie
from ._oidc import Identity, OidcClient, OidcError
from ._pages import Page
from ._security import same
from ._sessions import start_session
from ._users import User, keep_outside_user

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ._visit import Visit

__all__ = ["PAGES"]

logger = logging.getLogger("jackfield.console")

_REFUSED: Final = "The log-in did not succeed. The console's log says why."


def _client(visit: Visit) -> OidcClient:
    client = visit.console.oidc
    if client is None:
        visit.refuse(404, "There is no such page.")
    return client


async def _start(visit: Visit) -> web.StreamResponse:
    try:
        address = await _client(visit).begin(visit.csrf)
    except OidcError as error:
        logger.warning("oidc: %s", error)
        visit.refuse(502, _REFUSED)
    return web.Response(status=303, headers={"location": address})


def _enter(connection: Connection, identity: Identity, address: str, longest: float) -> str | None:
    """Keep the user and start a session; None if they may not log in."""
    if identity.role is None:
        return None
    user: User | None = keep_outside_user(connection, identity.name, identity.role)
    if user is None:
        return None
    note_change(connection, user.name, address, "logged in", user.name, {"by": "oidc", "role": user.role})
    return start_session(connection, user, longest=longest)


async def _callback(visit: Visit) -> web.StreamResponse:
    client = _client(visit)
    if not same(visit.query("state"), client.state_of(visit.csrf)):
        visit.refuse(403, "This log-in was not begun here, or too long ago. Begin again.")
    if not visit.query("code"):
        logger.warning("oidc: the service refused a log-in: %r", visit.query("error")[:200])
        visit.refuse(403, _REFUSED)
    try:
        identity = await client.finish(visit.query("code"), visit.csrf)
    except OidcError as error:
        logger.warning("oidc: %s", error)
        visit.refuse(403, _REFUSED)
    longest = visit.console.settings.longest_seconds
    token = await visit.database.run(_enter, identity, visit.address, longest)
    if token is None:
        logger.warning("oidc: %r may not log in", identity.name)
        visit.refuse(403, "You are known, but may not log in here. Ask an administrator of the console.")
    response = await visit.redirect("/")
    session_cookie(visit.console, visit.request).write(response, token)
    visit.is_entered = True
    return response


PAGES: Final = [
    Page(path="/oidc/start", title="Log in", get=_start, is_open=True),
    Page(path="/oidc/callback", title="Log in", get=_callback, is_open=True),
]
