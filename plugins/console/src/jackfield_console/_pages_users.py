"""Users of the console, one's own password, and what administrators changed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from jackfield import ConfigurationError

from ._changes import list_changes
from ._pages import Page
from ._throttle import forget_failures, note_failure, seconds_to_wait
from ._users import (
    ROLES,
    add_user,
    change_user,
    check_password,
    list_users,
    remove_user,
    set_password,
)

if TYPE_CHECKING:
    from aiohttp import web

    from ._visit import Visit

__all__ = ["PAGES"]

_FIELDS: Final = (
    ("name", re.compile("name|user")),
    ("role", re.compile("role")),
    ("password", re.compile("password")),
)
_PLACE: Final = re.compile(r"\d{1,18}\Z")


async def _list(visit: Visit) -> Mapping[str, Any]:
    return {"users": await visit.database.run(list_users), "roles": ROLES, "name": "", "role": "viewer"}


async def _add(visit: Visit) -> web.StreamResponse:
    form = visit.form
    name, role = form.text("name"), form.text("role")
    if form.raw("password") != form.raw("again"):
        form.refuse("again", "The two passwords are not the same.")
    if not form.errors:
        try:
            await visit.database.run(add_user, name, role, form.raw("password"))
        except ConfigurationError as error:
            field = next((field for field, words in _FIELDS if words.search(error.message)), "")
            form.refuse(field, f"{error.message[:1].upper()}{error.message[1:]}.")
    if form.errors:
        return visit.show_again(**{**await _list(visit), "name": name, "role": role})
    await visit.note_change("user added", name, role=role)
    return await visit.redirect("/users", message=f"{name} may log in as {role}.")


async def _change(visit: Visit) -> web.StreamResponse:
    name, action = visit.part("name"), visit.form.text("action")
    if name == visit.user and action != "password":
        return await visit.redirect(
            "/users", message="Another administrator changes your own role.", kind="problem"
        )
    try:
        match action:
            case "admin" | "viewer":
                await visit.database.run(change_user, name, role=action)
                words = f"{name} is now {action}, and has to log in again."
            case "block" | "unblock":
                await visit.database.run(change_user, name, blocked=action == "block")
                words = (
                    f"{name} may not log in any more." if action == "block" else f"{name} may log in again."
                )
            case "remove":
                await visit.database.run(remove_user, name)
                words = f"{name} is removed."
            case _:
                visit.refuse(400, "The form names nothing to do.")
    except ConfigurationError as error:
        return await visit.redirect("/users", message=f"{error.message}.", kind="problem")
    await visit.note_change(f"user: {action}", name)
    return await visit.redirect("/users", message=words)


# One's own password


async def _account(visit: Visit) -> Mapping[str, Any]:
    return {}


async def _set_own(visit: Visit) -> web.StreamResponse:
    form, database = visit.form, visit.database
    wait = await database.run(seconds_to_wait, "account", visit.user)
    if wait > 0:
        form.refuse("now", f"Too many attempts. Try again in {wait:.0f} seconds.")
    elif await database.run(check_password, visit.user, form.raw("now")) is None:
        await database.run(note_failure, "account", visit.user)
        form.refuse("now", "This is not your password.")
    if form.raw("password") != form.raw("again"):
        form.refuse("again", "The two passwords are not the same.")
    if not form.errors:
        try:
            await database.run(set_password, visit.user, form.raw("password"))
        except ConfigurationError as error:
            form.refuse("password", f"{error.message[:1].upper()}{error.message[1:]}.")
    if form.errors:
        return visit.show_again()
    await database.run(forget_failures, "account", visit.user)
    await visit.note_change("password changed", visit.user)
    return await visit.redirect("/login")


# What was changed


async def _changes(visit: Visit) -> Mapping[str, Any]:
    before = visit.query("before")
    rows, after = await visit.database.run(list_changes, int(before) if _PLACE.match(before) else None)
    return {
        "rows": [{**row, "facts": _facts(row["detail"])} for row in rows],
        "next": None if after is None else visit.url("/changes", before=after),
    }


def _facts(detail: str) -> Sequence[tuple[str, str]]:
    if not detail:
        return ()
    found = json.loads(detail)
    shown = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in found.items()
    }
    return [(name, str(value)) for name, value in shown.items() if value not in (None, "")]


PAGES: Final = [
    Page(
        path="/users",
        title="Users",
        template="users.html",
        get=_list,
        post=_add,
        group="Console",
        order=10,
        role="admin",
    ),
    Page(path="/users/{name}", title="Users", post=_change, parent="/users"),
    Page(
        path="/account",
        title="Your password",
        template="account.html",
        get=_account,
        post=_set_own,
        post_role="viewer",
    ),
    Page(
        path="/changes",
        title="Changes",
        template="changes.html",
        get=_changes,
        group="Console",
        order=20,
        role="admin",
    ),
]
