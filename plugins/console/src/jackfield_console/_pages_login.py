"""Log in and out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
from aiohttp import web
from sqlalchemy import Connection

from ._changes import note_change
from ._cookies import device_cookie, session_cookie
from ._pages import Page
from ._security import safe_path
from ._sessions import end_session, is_known_device, remember_device, start_session
from ._throttle import forget_failures, note_failure, seconds_to_wait
from ._users import User, check_password, list_users
from ._visit import Visit

__all__ = ["PAGES"]


@attrs.frozen
class _Outcome:
    user: User | None = None
    wait: float = 0.0
    token: str = ""
    device: str = ""


def _log_in(
    connection: Connection, name: str, password: str, *, device: str, address: str, longest: float
) -> _Outcome:
    """Check a password, unless too many were wrong, and start a session."""
    known = is_known_device(connection, name, device)
    counted = ("device", device) if known else ("account", name)
    wait = max(
        seconds_to_wait(connection, *counted),
        seconds_to_wait(connection, "address", address) if not known else 0.0,
    )
    if wait > 0:
        return _Outcome(wait=wait)
    user = check_password(connection, name, password)
    if user is None:
        note_failure(connection, *counted)
        note_failure(connection, "address", address)
        return _Outcome()
    forget_failures(connection, *counted)
    token = start_session(connection, user, longest=longest)
    note_change(connection, user.name, address, "logged in", user.name)
    return _Outcome(user=user, token=token, device="" if known else remember_device(connection, name))


async def _show(visit: Visit) -> Mapping[str, Any]:
    users = await visit.database.run(list_users)
    return {"name": "", "next": safe_path(visit.query("next")), "has_users": bool(users)}


async def _post(visit: Visit) -> web.StreamResponse:
    console, form = visit.console, visit.form
    name, after = form.text("name"), safe_path(form.text("next"))
    outcome = await visit.database.run(
        _log_in,
        name[:200],
        form.raw("password"),
        device=device_cookie(console, visit.request).read(),
        address=visit.address,
        longest=console.settings.longest_seconds,
    )
    if outcome.user is None:
        status = 422
        if outcome.wait > 0:
            status = 429
            form.refuse("", f"Too many attempts. Try again in {outcome.wait:.0f} seconds.")
        else:
            form.refuse("password", "The name or the password is not right.")
        response = visit.show(status=status, name=name[:200], next=after, has_users=True)
        if outcome.wait > 0:
            response.headers["retry-after"] = f"{outcome.wait:.0f}"
        return response
    response = await visit.redirect(after)
    session_cookie(console, visit.request).write(response, outcome.token)
    if outcome.device:
        device_cookie(console, visit.request).write(response, outcome.device)
    return response


async def _log_out(visit: Visit) -> web.StreamResponse:
    if visit.session is not None:
        await visit.database.run(end_session, visit.session.hash)
    response = await visit.redirect("/login")
    session_cookie(visit.console, visit.request).delete(response)
    return response


PAGES: Final = [
    Page(path="/login", title="Log in", template="login.html", get=_show, post=_post, is_open=True),
    Page(path="/logout", title="Log out", post=_log_out, post_role="viewer"),
]
