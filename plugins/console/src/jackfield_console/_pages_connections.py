"""Connections, identities and aliases: what is declared, whether it answers, and forms to change it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import attrs
from sqlalchemy import func, select

from jackfield import CheckResult, JackfieldError
from jackfield.plugin import install_command

from ._applying import apply_change, parse
from ._connection_forms import (
    Placed,
    Sheet,
    connection_sheet,
    credentials_of,
    find_provider,
    identity_sheet,
    place_mistakes,
)
from ._editing import ChangeRefusedError, Editor, Prepared, editor_of, try_connection, users_of
from ._pages import Page
from ._schema import spend
from ._sheets import filled_again, posted_texts, prose, show_sheet, write_table
from ._toml_edit import add_table, remove, set_value, value_at

if TYPE_CHECKING:
    from aiohttp import web
    from sqlalchemy import Connection as Database

    from ._console import Console
    from ._visit import Visit

__all__ = ["PAGES"]

_NAME: Final = re.compile(r"[^\s:\"'\\/?#%\x00-\x1f][^:\"'\\/?#%\x00-\x1f]{0,79}")
_TO_TRY: Final = "; to try one, which may be billed"
"""How the words for the command line begin, behind a service that has no list of models."""
_RECENT: Final = 5_000
"""Rows of spend in which the last error of a connection is looked for."""


@attrs.frozen(kw_only=True)
class Checked:
    """The last check of a connection.

    Attributes:
        at: When, in seconds of `time.time()`.
        result: How it went.
    """

    at: float
    result: CheckResult


_CHECKS: Final[WeakKeyDictionary[Console, dict[str, Checked]]] = WeakKeyDictionary()


def _checks(console: Console) -> dict[str, Checked]:
    return _CHECKS.setdefault(console, {})


# What is declared


async def _list(visit: Visit) -> Mapping[str, Any]:
    config = visit.config
    editor = editor_of(visit.console)
    errors = await visit.database.run(_last_errors)
    checks = _checks(visit.console)
    rows = [
        {
            "name": name,
            "provider": one.provider_id,
            "title": one.provider_id if one.provider is None else one.provider.info.title,
            "models": None if one.models is None else [entry.id for entry in one.models],
            "failure": None if one.failure is None else one.failure.message,
            "check": checks.get(name),
            "error": errors.get(name),
            "identity": None if one.identity is None else one.identity[0],
        }
        for name, one in config.connections.items()
    ]
    content = await _content(editor)
    return {
        "rows": rows,
        "aliases": {name: list(targets) for name, targets in config.aliases.items()},
        "identities": _identities(visit, content),
        "fault": await editor.find_fault(),
        "path": config.path,
    }


def _identities(visit: Visit, content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    declared = credentials_of(visit.config, content)
    if not declared:  # a mapping, or a file that cannot be read now
        return [{"name": name, "kind": "", "users": []} for name in visit.config.credentials]
    tables = content.get("connections", {})
    return [
        {
            "name": name,
            "kind": kind,
            "users": [
                one
                for one, table in tables.items()
                if isinstance(table, Mapping) and table.get("credentials") == name
            ],
        }
        for name, kind in declared.items()
    ]


async def _content(editor: Editor) -> Mapping[str, Any]:
    """Return what the file says; nothing where there is none, or where it cannot be read."""
    try:
        return (await editor.read())[1]
    except ChangeRefusedError:
        return {}


def _last_errors(database: Database) -> Mapping[str, tuple[float, str]]:
    """Return the newest error of each connection among the newest calls."""
    newest = database.execute(select(func.max(spend.c.number))).scalar() or 0
    query = (
        select(spend.c.connection, spend.c.at, spend.c.error)
        .where(spend.c.number > newest - _RECENT, spend.c.error.is_not(None), spend.c.connection.is_not(None))
        .order_by(spend.c.number)
    )
    return {connection: (at, error) for connection, at, error in database.execute(query)}


async def _check(visit: Visit) -> web.StreamResponse:
    """Make a round trip with one connection, or with all."""
    name = visit.form.text("name")
    checks = _checks(visit.console)
    async with visit.console.host.use() as mesh:
        names = [name] if name else list(mesh.connections)
        if name and name not in mesh.connections:
            visit.refuse(404, f"There is no connection {name!r}.")
        results = await asyncio.gather(*(mesh.check(one) for one in names))
    now = time.time()
    checks.update({result.connection: Checked(at=now, result=result) for result in results})
    bad = [result.connection for result in results if not result.ok]
    if bad:
        return await visit.redirect(
            "/connections", message=f"No good answer from {', '.join(bad)}.", kind="problem"
        )
    told = f"{name} answers: {results[0].what}." if name else f"All {len(results)} connections answer."
    return await visit.redirect("/connections", message=told)


# Add and edit


async def _choose(visit: Visit) -> Mapping[str, Any]:
    registry = visit.console.host.registry
    usable, broken = [], []
    for name in registry.provider_ids():
        found = find_provider(registry, name)
        if isinstance(found, str):
            broken.append((name, found))
        else:
            usable.append((name, found.info.title, sorted(found.info.kinds)))
    return {
        "usable": sorted(usable, key=lambda one: one[1].lower()),
        "broken": broken,
        "kinds": registry.names("credentials"),
        "fault": await editor_of(visit.console).find_fault(),
        "install": install_command("jackfield-openai"),
    }


@attrs.frozen(kw_only=True)
class _Subject:
    """What a form is about.

    Attributes:
        what: A word for it.
        table: The table above it: connections, or credentials.
        name: Its name in the file; "" for a new one.
        sheet: Its form.
        old: What the file says of it.
        digest: The file that the page was made of.
    """

    what: str
    table: str
    name: str
    sheet: Sheet
    old: Mapping[str, Any]
    digest: str


async def _subject(visit: Visit, what: str, table: str) -> _Subject:
    """Find what the path names: a new connection of a provider, or one of the file."""
    editor = editor_of(visit.console)
    fault = await editor.find_fault()
    if fault is not None:
        visit.refuse(409, fault)
    try:
        snapshot, content = await editor.read()
    except ChangeRefusedError as error:
        visit.refuse(409, str(error))
    key = "provider" if table == "connections" else "kind"
    name = visit.request.match_info.get("name", "")
    old = value_at(content, (table, name)) if name else {}
    if not isinstance(old, Mapping):
        visit.refuse(404, f"The file has no {what} {name!r}.")
    sheet = _sheet(visit, table, str(old.get(key, "")) if name else visit.part("kind"), content)
    return _Subject(what=what, table=table, name=name, sheet=sheet, old=old, digest=snapshot.digest)


def _sheet(visit: Visit, table: str, kind: str, content: Mapping[str, Any]) -> Sheet:
    registry = visit.console.host.registry
    if table == "credentials":
        try:
            return identity_sheet(registry, kind)
        except JackfieldError as error:
            visit.refuse(404, error.message)
    found = find_provider(registry, kind)
    if isinstance(found, str):
        visit.refuse(404, found)
    return connection_sheet(registry, found, credentials_of(visit.config, content))


def _show_form(subject: _Subject) -> Mapping[str, Any]:
    filled = subject.sheet.form.fill(subject.old)
    if isinstance(subject.old.get("models"), list):
        filled = attrs.evolve(filled, texts={**filled.texts, "models.mode": "only"})
    return _values(subject, show_sheet(subject.sheet, filled, {}))


def _values(subject: _Subject, sections: Any, **more: Any) -> dict[str, Any]:
    sheet = subject.sheet
    verb = "Edit" if subject.name else f"New {subject.what}"
    return {
        "title": f"{verb} {subject.name}" if subject.name else f"{verb}: {sheet.title}",
        "subject": subject,
        "sections": sections,
        "entries": {key: prose(words) for key, words in sheet.entries.items()},
        "kind": next(iter(sheet.fixed.values()), ""),
        "digest": subject.digest,
        "failure": None,
        "why": "",
        "can_ask": False,
        "diff": "",
        "general": (),
        **more,
    }


def _editing(what: str, table: str) -> tuple[Callable[[Visit], Any], Callable[[Visit], Any]]:
    """Return the handlers of a form: GET and POST."""

    async def show(visit: Visit) -> Mapping[str, Any]:
        subject = await _subject(visit, what, table)
        values = dict(_show_form(subject))
        values["new_name"] = "" if subject.name else _free_name(visit, subject)
        return values

    async def save(visit: Visit) -> web.StreamResponse:
        return await _save(visit, await _subject(visit, what, table))

    return show, save


def _free_name(visit: Visit, subject: _Subject) -> str:
    """Return a name for a new connection: its provider's id, if that is free."""
    taken = visit.config.connections if subject.table == "connections" else visit.config.credentials
    base = str(next(iter(subject.sheet.fixed.values()), "")) + (
        "" if subject.table == "connections" else "-main"
    )
    return next(
        name for name in (base, *(f"{base}-{number}" for number in range(2, 999))) if name not in taken
    )


async def _save(visit: Visit, subject: _Subject) -> web.StreamResponse:
    form, sheet = visit.form, subject.sheet
    texts = posted_texts(form.names(), form.text)
    name = subject.name or form.text("connection-name")
    posted = sheet.form.read(texts, subject.old)
    for field, fault in posted.faults.items():
        form.refuse(field, fault)
    if not subject.name:
        _check_name(visit, subject, name)
    prepared, placed, failure, diff = None, Placed({}, ()), None, ""
    if not form.errors:
        path = (subject.table, name)
        values = {**sheet.fixed, **posted.values}

        def edit(text: str) -> str:
            if not subject.name:
                return add_table(text, path, values)
            return write_table(text, path, sheet, subject.old, posted.values)

        try:
            prepared = await editor_of(visit.console).prepare(edit, base=form.text("file-digest"))
        except ChangeRefusedError as error:
            placed, diff = place_mistakes(error.mistakes, ".".join(path), sheet), error.diff
            for field, words in placed.beside.items():
                form.refuse(field, words)
            if placed.general or diff:
                form.refuse("", "Nothing was changed.")
    if prepared is not None:
        failure = await _try(visit, subject, prepared, name)
        if failure is None:
            try:
                return await _write(visit, subject, prepared, name)
            except ChangeRefusedError as error:
                placed, diff = Placed({}, error.mistakes), error.diff
                form.refuse("", "Nothing was changed.")
    sections = show_sheet(sheet, filled_again(sheet, texts, subject.old), form.errors)
    why, mark, _ = ("" if failure is None or failure.error is None else failure.error.message).partition(
        _TO_TRY
    )
    return visit.show_again(
        **_values(
            subject,
            sections,
            general=placed.general,
            failure=failure,
            diff=diff,
            new_name=form.text("connection-name"),
            why=why,
            can_ask=bool(mark),
        )
    )


def _check_name(visit: Visit, subject: _Subject, name: str) -> None:
    taken = visit.config.connections if subject.table == "connections" else visit.config.credentials
    if not name:
        visit.form.refuse("connection-name", "Write a name.")
    elif _NAME.fullmatch(name) is None:
        visit.form.refuse(
            "connection-name", "A name has up to 80 characters, and none of : / \\ ? # % or quotes."
        )
    elif name in taken:
        visit.form.refuse("connection-name", f"There is a {subject.what} {name} already.")


async def _try(visit: Visit, subject: _Subject, prepared: Prepared, name: str) -> CheckResult | None:
    """Make a round trip with what is about to be written; return how it failed, unless it is to be written anyway."""
    if subject.table != "connections" or visit.form.flag("write-anyway"):
        return None
    ask = visit.form.flag("write-ask")
    result = await try_connection(prepared.config, visit.console.host.registry, name, ask=ask)
    if not result.ok:
        return result
    _checks(visit.console)[name] = Checked(at=time.time(), result=result)
    return None


async def _write(visit: Visit, subject: _Subject, prepared: Prepared, name: str) -> web.StreamResponse:
    editor = editor_of(visit.console)
    doubts = await asyncio.to_thread(editor.doubts, prepared)
    await editor.commit(prepared)
    done = "changed" if subject.name else "added"
    await visit.note_change(f"{subject.what} {done}", name, kind=next(iter(subject.sheet.fixed.values()), ""))
    checked = _checks(visit.console).get(name) if subject.table == "connections" else None
    told = (
        f" It answers: {checked.result.what}."
        if checked is not None and not visit.form.flag("write-anyway")
        else ""
    )
    if doubts:
        told += f" Please look at this: {'; '.join(doubts)}."
    return await visit.redirect(
        "/connections", message=f"The {subject.what} {name} was {done} and is in use.{told}"
    )


# Remove


async def _show_removal(visit: Visit) -> Mapping[str, Any]:
    name = visit.part("name")
    editor = editor_of(visit.console)
    fault = await editor.find_fault()
    if fault is not None:
        visit.refuse(409, fault)
    snapshot, content = await editor.read()
    if value_at(content, ("connections", name)) is None:
        visit.refuse(404, f"The file has no connection {name!r}.")
    return {
        "title": f"Remove {name}",
        "name": name,
        "users": users_of(content, name),
        "aliases": _aliases_without(content, name),
        "digest": snapshot.digest,
        "general": (),
        "diff": "",
    }


def _aliases_without(content: Mapping[str, Any], connection: str) -> dict[str, list[str]]:
    """Return the aliases that name a connection, each with the targets that are left."""
    left = {}
    for alias in users_of(content, connection)["aliases"]:
        written = content["aliases"][alias]
        targets = (
            written.get("targets", ())
            if isinstance(written, Mapping)
            else [written]
            if isinstance(written, str)
            else written
        )
        left[alias] = [target for target in targets if str(target).partition(":")[0] != connection]
    return left


async def _remove(visit: Visit) -> web.StreamResponse:
    name = visit.part("name")
    shown = dict(await _show_removal(visit))
    left: Mapping[str, list[str]] = shown["aliases"] if visit.form.flag("aliases") else {}

    def edit(text: str) -> str:
        text = remove(text, ("connections", name))
        for alias, targets in left.items():
            path = ("aliases", alias)
            if not targets:
                text = remove(text, path)
            elif isinstance(parse(text)["aliases"][alias], Mapping):
                text = set_value(text, (*path, "targets"), targets)
            else:
                text = set_value(text, path, targets if len(targets) > 1 else targets[0])
        return text

    return await apply_change(
        visit,
        edit,
        done=f"The connection {name} was removed. The earlier file is kept: History takes it back.",
        after="/connections",
        change=("connection removed", name),
        values=shown,
    )


# Identities


async def _remove_identity(visit: Visit) -> web.StreamResponse:
    name = visit.form.text("name")
    editor = editor_of(visit.console)
    try:
        await editor.commit(await editor.prepare(lambda text: remove(text, ("credentials", name))))
    except ChangeRefusedError as error:
        return await visit.redirect(
            "/connections", message=f"The identity {name} stays: {error}", kind="problem"
        )
    await visit.note_change("identity removed", name)
    return await visit.redirect("/connections", message=f"The identity {name} was removed.")


_SHOW_NEW, _SAVE_NEW = _editing("connection", "connections")
_SHOW_NEW_IDENTITY, _SAVE_NEW_IDENTITY = _editing("identity", "credentials")
_PARENT: Final = "/connections"

PAGES: Final = [
    Page(path="/connections", title="Connections", template="connections.html", get=_list, group="Mesh", order=10),
    Page(path="/connections/check", title="Connections", post=_check, parent=_PARENT),
    Page(path="/connections/new", title="New connection", template="connection_choose.html", get=_choose, role="admin", parent=_PARENT),
    Page(
        path="/connections/new/{kind}", title="New connection", template="connection_form.html", get=_SHOW_NEW, post=_SAVE_NEW,
        role="admin", parent=_PARENT,
    ),
    Page(
        path="/connections/edit/{name}", title="Connection", template="connection_form.html", get=_SHOW_NEW, post=_SAVE_NEW,
        role="admin", parent=_PARENT,
    ),
    Page(
        path="/connections/remove/{name}", title="Remove", template="connection_remove.html", get=_show_removal, post=_remove,
        role="admin", parent=_PARENT,
    ),
    Page(
        path="/identities/new/{kind}", title="New identity", template="connection_form.html", get=_SHOW_NEW_IDENTITY,
        post=_SAVE_NEW_IDENTITY, role="admin", parent=_PARENT,
    ),
    Page(
        path="/identities/edit/{name}", title="Identity", template="connection_form.html", get=_SHOW_NEW_IDENTITY,
        post=_SAVE_NEW_IDENTITY, role="admin", parent=_PARENT,
    ),
    Page(path="/identities/remove", title="Identity", post=_remove_identity, parent=_PARENT),
]  # fmt: skip
