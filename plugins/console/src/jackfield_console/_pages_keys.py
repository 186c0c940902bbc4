"""Keys: create, rotate, change and block them. A key is shown once, in the answer that creates it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from jackfield import ConfigurationError
from jackfield_gateway._keys import Key, end_of_day, hash_key, make_key
from jackfield_gateway._state import settings_of

from ._key_rows import add_key, block_key, change_key, list_keys, rotate_key
from ._pages import Page
from ._usage import Period, Selection, Sums, sums_by

if TYPE_CHECKING:
    from aiohttp import web
    from sqlalchemy import Connection

    from jackfield_gateway._store import StoredKey

    from ._visit import Visit

__all__ = ["PAGES", "read_owner"]

_NAME: Final = re.compile(r"[\w-]{1,100}\Z")
_OWNER: Final = re.compile(r"[\w.@-]+(/[\w.@-]+)*\Z")
_LONGEST_OWNER: Final = 200
_HOUR: Final = 3600.0
_MOST_GRACE: Final = 24 * 90
_DAYS: Final = 30
_PARENT: Final = "/keys"


@attrs.frozen(kw_only=True)
class _Row:
    """A key as the list shows it.

    Attributes:
        key: The key.
        state: accepted, blocked, expired, or ending: it was rotated, and its grace runs.
        place: store or file.
        created_at: When; None for a declared one.
        sums: What its name has used lately.
    """

    key: Key
    state: str
    place: str
    created_at: float | None = None
    sums: Sums = attrs.field(factory=Sums)


def _state(key: Key) -> str:
    if key.blocked:
        return "blocked"
    return "accepted" if key.fault(time.time()) is None else "expired"


def _read(
    connection: Connection, name: str | None = None
) -> tuple[Sequence[StoredKey], Mapping[str | int, Sums]]:
    selection = Selection(period=Period.last_days(_DAYS), key=name or "")
    return list_keys(connection, name), sums_by(connection, "key", selection)


async def _rows(visit: Visit, name: str | None = None) -> Sequence[_Row]:
    stored, sums = await visit.database.run(_read, name)
    declared = settings_of(visit.config).keys
    rows = [
        _Row(key=Key.of(one, key), state=_state(Key.of(one, key)), place="file", sums=sums.get(one, Sums()))
        for one, key in declared.items()
        if name in (None, one)
    ]
    rows += [
        _Row(
            key=one.key,
            state=_state(one.key),
            place="store",
            created_at=one.created_at,
            sums=sums.get(one.key.name, Sums()),
        )
        for one in stored
    ]
    return sorted(rows, key=lambda row: (row.state != "accepted", row.key.name, -(row.created_at or 0)))


async def _list(visit: Visit) -> Mapping[str, Any]:
    rows = await _rows(visit)
    shown = visit.query("show")
    wanted = [row for row in rows if shown == "all" or row.state == "accepted"]
    text = visit.query("find").lower()
    found = [row for row in wanted if text in row.key.name.lower() or text in row.key.owner.lower()]
    state = visit.console.host.state
    return {
        "rows": found,
        "hidden": len(rows) - len(wanted),
        "shows_all": shown == "all",
        "find": visit.query("find"),
        "has_keys": bool(rows),
        "is_open": state is not None and state.is_open,
        "days": _DAYS,
    }


# Create


async def _new(visit: Visit) -> Mapping[str, Any]:
    return _blank(visit, name=visit.query("name"), owner=visit.query("owner"))


def _blank(
    visit: Visit, *, name: str = "", owner: str = "", models: str = "", expires: str = ""
) -> Mapping[str, Any]:
    return {"name": name, "owner": owner, "models": models, "expires": expires, "targets": _targets(visit)}


def _targets(visit: Visit) -> Sequence[str]:
    """Return what an allow-list may name: aliases, and all models of a connection."""
    return [*sorted(visit.config.aliases), *(f"{name}:*" for name in sorted(visit.config.connections))]


async def _create(visit: Visit) -> web.Response:
    form = visit.form
    name = form.text("name")
    if not _NAME.match(name):
        form.refuse("name", "A name has letters, digits, _ and - only, at most 100.")
    owner, models, expires_at = _read_terms(visit)
    typed = {one: form.text(one) for one in ("name", "owner", "models", "expires")}
    if form.errors:
        return visit.show_again(**_blank(visit, **typed))
    shown = make_key()
    key = Key(name=name, hash=hash_key(shown), owner=owner, models=models, expires_at=expires_at)
    try:
        await visit.database.run(add_key, key)
    except ConfigurationError:
        form.refuse("name", "There is a key of this name. Rotate it, or choose another name.")
        return visit.show_again(**_blank(visit, **typed))
    await visit.note_change("key created", name, owner=owner, models=models, expires=form.text("expires"))
    return visit.show("key_shown.html", title=f"Key {name}", key=key, shown=shown, grace=None)


def read_owner(text: str) -> str | None:
    """Return an owner if it is one."""
    return text if len(text) <= _LONGEST_OWNER and _OWNER.match(text) else None


def _read_terms(visit: Visit) -> tuple[str, tuple[str, ...] | None, float | None]:
    """Read owner, allow-list and end of a form; note what is wrong with them."""
    form = visit.form
    owner = read_owner(form.text("owner"))
    if owner is None:
        form.refuse(
            "owner", 'An owner is a path such as "org/team/app": letters, digits and . @ - _ between slashes.'
        )
    models = tuple(dict.fromkeys(form.text("models").replace(",", " ").split())) or None
    if models is not None and (len(models) > 200 or any(len(one) > 200 for one in models)):
        form.refuse("models", "At most 200 models, each at most 200 characters long.")
    unknown = [one for one in models or () if not _is_known(visit, one)]
    if unknown:
        form.refuse(
            "models",
            f"{', '.join(unknown)}: there is no such alias or connection. Write an alias, or connection:model with * for any text.",
        )
    return owner or "", models, _read_end(visit)


def _is_known(visit: Visit, pattern: str) -> bool:
    connection, colon, _ = pattern.partition(":")
    if "*" in connection or pattern in visit.config.aliases:
        return True
    return bool(colon) and connection in visit.config.connections


def _read_end(visit: Visit) -> float | None:
    text = visit.form.text("expires")
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        end = end_of_day(day)
    except (ValueError, OverflowError):
        visit.form.refuse("expires", "Write a day as 2027-01-31.")
        return None
    if end < time.time():
        visit.form.refuse("expires", "This day is past.")
    return end


# One key


async def _show(visit: Visit) -> Mapping[str, Any]:
    return await _one(visit)


async def _one(visit: Visit) -> Mapping[str, Any]:
    name = visit.part("name")
    rows = await _rows(visit, name)
    if not rows:
        visit.refuse(404, f"There is no key {name}.")
    current = next((row for row in rows if row.place == "store" and row.state == "accepted"), None)
    first = current or rows[0]
    key = first.key
    expires = (
        "" if key.expires_at is None else datetime.fromtimestamp(key.expires_at - 1, UTC).date().isoformat()
    )
    return {
        "title": f"Key {name}",
        "name": name,
        "rows": rows,
        "current": current,
        "first": first,
        "owner": key.owner,
        "models": "\n".join(key.models or ()),
        "expires": expires,
        "targets": _targets(visit),
        "grace": "24",
        "days": _DAYS,
    }


async def _again(visit: Visit, **typed: str) -> web.Response:
    return visit.show_again(**{**await _one(visit), **typed})


async def _change(visit: Visit) -> web.StreamResponse:
    name, form = visit.part("name"), visit.form
    owner, models, expires_at = _read_terms(visit)
    if form.errors:
        return await _again(visit, **{one: form.text(one) for one in ("owner", "models", "expires")})
    try:
        await visit.database.run(change_key, name, owner=owner, models=models, expires_at=expires_at)
    except ConfigurationError as error:
        return await visit.redirect("/keys/{}", name, message=error.message, kind="problem")
    await visit.note_change("key changed", name, owner=owner, models=models, expires=form.text("expires"))
    return await visit.redirect("/keys/{}", name, message="Changed. The gateway follows within seconds.")


async def _rotate(visit: Visit) -> web.StreamResponse:
    name, form = visit.part("name"), visit.form
    text = form.text("grace", "24")
    try:
        grace = float(text)
    except ValueError:
        grace = -1.0
    if not 0 <= grace <= _MOST_GRACE:
        form.refuse("grace", f"Write hours, from 0 to {_MOST_GRACE}.")
        return await _again(visit, grace=text)
    shown = make_key()
    try:
        key = await visit.database.run(rotate_key, name, hash_key(shown), grace=grace * _HOUR)
    except ConfigurationError as error:
        return await visit.redirect("/keys/{}", name, message=error.message, kind="problem")
    await visit.note_change("key rotated", name, grace_hours=grace)
    return visit.show("key_shown.html", title=f"Key {name}", key=key, shown=shown, grace=f"{grace:g}")


async def _block(visit: Visit) -> web.StreamResponse:
    name = visit.part("name")
    if not visit.form.flag("sure"):
        visit.form.refuse("sure", "Tick this first: a blocked key is not accepted again.")
        return await _again(visit)
    try:
        await visit.database.run(block_key, name)
    except ConfigurationError as error:
        return await visit.redirect("/keys/{}", name, message=error.message, kind="problem")
    await visit.note_change("key blocked", name)
    return await visit.redirect("/keys", message=f"{name} is blocked. The gateway refuses it within seconds.")


PAGES: Final = [
    Page(path="/keys", title="Keys", template="keys.html", get=_list, group="Access", order=10),
    Page(
        path="/keys/new",
        title="New key",
        template="key_new.html",
        get=_new,
        post=_create,
        role="admin",
        parent=_PARENT,
    ),
    Page(path="/keys/{name}", title="Key", template="key.html", get=_show, post=_change, parent=_PARENT),
    Page(path="/keys/{name}/rotate", title="Key", template="key.html", post=_rotate, parent=_PARENT),
    Page(path="/keys/{name}/block", title="Key", template="key.html", post=_block, parent=_PARENT),
]
