"""Limits: the rules, what is used of each, and forms to add and change them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from jackfield import JackfieldError
from jackfield.plugin import MiddlewareKind, install_command

from ._applying import apply_change, parse
from ._connection_forms import Placed, Sheet, place_mistakes, settings_sheet
from ._editing import ChangeRefusedError, editor_of
from ._pages import Page
from ._setting_forms import Filled
from ._sheets import filled_again, posted_texts, show_sheet, write_table
from ._toml_edit import add_element, remove, set_value, value_at

if TYPE_CHECKING:
    from aiohttp import web

    from ._visit import Visit

__all__ = ["PAGES"]

_NAME: Final = "limits"
_RULES: Final = ("middleware", _NAME, "limit")
_TABLE: Final = ("middleware", _NAME)
_USUAL: Final = {"measure": "money", "currency": "USD", "window": "month"}
"""With what the form of a new limit begins."""
_FIRST: Final = ("name", "owner", "measure", "most", "currency", "window", "action", "each")
_PARENT: Final = "/limits"


def _settings_class(visit: Visit) -> type | None:
    """Return the settings class of the middleware; None if the package is not installed, or cannot be used."""
    registry = visit.console.host.registry
    if _NAME not in registry.names("middleware"):
        return None
    try:
        kind = registry.middleware(_NAME)
    except JackfieldError:
        return None
    return kind.settings if isinstance(kind, MiddlewareKind) else None


def _rule_class(visit: Visit) -> type:
    settings = _settings_class(visit)
    if settings is None:
        visit.refuse(404, f"Limits need another package: {install_command('jackfield-limits')}")
    import typing

    hint = typing.get_type_hints(settings)["limit"]
    found: type = typing.get_args(hint)[0]
    return found


async def _list(visit: Visit) -> Mapping[str, Any]:
    from ._limit_states import States, read_states

    settings = visit.config.middleware_settings.get(_NAME)
    installed = _settings_class(visit) is not None
    rules = list(getattr(settings, "limit", ()))
    states = States()
    if settings is not None and rules:
        states = await read_states(settings)
    users = [name for name, one in visit.config.connections.items() if _NAME in one.middlewares]
    return {
        "installed": installed,
        "install": install_command("jackfield-limits"),
        "rules": rules,
        "states": states,
        "store": str(getattr(settings, "store", "")).partition(":")[0],
        "settings": settings,
        "unused": [name for name in visit.config.connections if name not in users],
        "used": users,
        "fault": await editor_of(visit.console).find_fault(),
    }


# One rule


@attrs.frozen(kw_only=True)
class _Rule:
    """What a form is about: a rule of the file, or a new one.

    Attributes:
        name: Its name in the file; "" for a new one.
        number: Its place among the rules.
        old: What the file says of it.
        sheet: Its form.
        digest: The file that the page was made of.
    """

    name: str
    number: int
    old: Mapping[str, Any]
    sheet: Sheet
    digest: str


async def _find(visit: Visit, name: str) -> _Rule:
    editor = editor_of(visit.console)
    fault = await editor.find_fault()
    if fault is not None:
        visit.refuse(409, fault)
    sheet = settings_sheet(_rule_class(visit), "Limit", first=_FIRST)
    try:
        snapshot, content = await editor.read()
    except ChangeRefusedError as error:
        visit.refuse(409, str(error))
    rules = value_at(content, _RULES) or []
    if not name:
        return _Rule(name="", number=len(rules), old={}, sheet=sheet, digest=snapshot.digest)
    number = next(
        (place for place, one in enumerate(rules) if isinstance(one, Mapping) and one.get("name") == name),
        None,
    )
    if number is None:
        visit.refuse(404, f"The file has no limit {name!r}.")
    return _Rule(name=name, number=number, old=rules[number], sheet=sheet, digest=snapshot.digest)


async def _show(visit: Visit) -> Mapping[str, Any]:
    rule = await _find(visit, visit.request.match_info.get("name", ""))
    filled = rule.sheet.form.fill(rule.old)
    if not rule.name:
        filled = Filled({**_USUAL, "owner": visit.query("owner")})
    return _values(rule, show_sheet(rule.sheet, filled, {}))


def _values(rule: _Rule, sections: Any, **more: Any) -> dict[str, Any]:
    title = f"Edit the limit {rule.name}" if rule.name else "New limit"
    return {
        "title": title,
        "rule": rule,
        "sections": sections,
        "digest": rule.digest,
        "general": (),
        "diff": "",
        **more,
    }


async def _save(visit: Visit) -> web.StreamResponse:
    rule = await _find(visit, visit.request.match_info.get("name", ""))
    form, sheet = visit.form, rule.sheet
    texts = posted_texts(form.names(), form.text)
    if form.flag("remove-limit"):
        return await _remove(visit, rule)
    if not rule.name and texts.get("measure") != "money" and texts.get("currency") == _USUAL["currency"]:
        texts = {**texts, "currency": ""}  # the form's own, which belongs to money: nobody typed it
    posted = sheet.form.read(texts, rule.old)
    for field, fault in posted.faults.items():
        form.refuse(field, fault)
    path = (*_RULES, rule.number)

    def shown() -> dict[str, Any]:
        return _values(rule, show_sheet(sheet, filled_again(sheet, texts, rule.old), form.errors))

    if form.errors:
        return visit.show_again(**shown())

    def edit(text: str) -> str:
        if rule.name:
            return write_table(text, path, sheet, rule.old, posted.values)
        return add_element(text, _RULES, posted.values)

    def place(mistakes: tuple[str, ...]) -> Placed:
        where = f"{'.'.join(_RULES)}[{rule.number}]"
        placed = place_mistakes(mistakes, where, sheet)
        for field, words in placed.beside.items():
            form.refuse(field, words)
        return placed

    name = str(posted.values.get("name", ""))
    answer = await _apply(
        visit, edit, place, f"The limit {name} was written, and holds from now on.", ("limit written", name)
    )
    return visit.show_again(**{**shown(), **answer}) if isinstance(answer, dict) else answer


async def _apply(visit: Visit, edit: Any, place: Any, done: str, change: tuple[str, str]) -> Any:
    """Change the file and go to the list; or return what the page shows if it is shown again."""
    editor = editor_of(visit.console)
    try:
        await editor.commit(await editor.prepare(edit, base=visit.form.text("file-digest")))
    except ChangeRefusedError as error:
        placed = place(error.mistakes)
        if placed.general or error.diff:
            visit.form.refuse("", "Nothing was changed.")
        return {"general": placed.general, "diff": error.diff}
    await visit.note_change(*change)
    return await visit.redirect("/limits", message=done)


async def _remove(visit: Visit, rule: _Rule) -> web.StreamResponse:
    filled = rule.sheet.form.fill(rule.old)
    return await apply_change(
        visit,
        lambda text: remove(text, (*_RULES, rule.number)),
        done=f"The limit {rule.name} was removed. History takes it back.",
        after="/limits",
        change=("limit removed", rule.name),
        values=_values(rule, show_sheet(rule.sheet, filled, {})),
    )


async def _use(visit: Visit) -> web.StreamResponse:
    """Put the middleware around the calls of all connections that declare none of their own."""

    def edit(text: str) -> str:
        content = parse(text)
        names = list(value_at(content, ("defaults", "middlewares")) or ())
        if _NAME not in names:
            text = set_value(text, ("defaults", "middlewares"), [_NAME, *names])
        for name, table in (content.get("connections") or {}).items():
            own = table.get("middlewares") if isinstance(table, Mapping) else None
            if isinstance(own, list) and _NAME not in own:
                text = set_value(text, ("connections", name, "middlewares"), [_NAME, *own])
        return text

    editor = editor_of(visit.console)
    try:
        await editor.commit(await editor.prepare(edit))
    except ChangeRefusedError as error:
        return await visit.redirect("/limits", message=f"Nothing was changed: {error}", kind="problem")
    await visit.note_change("limits used", "all connections")
    return await visit.redirect("/limits", message="The limits hold for the calls of all connections.")


# The table itself


async def _show_settings(visit: Visit) -> Mapping[str, Any]:
    sheet, old, digest = await _settings(visit)
    return _settings_values(show_sheet(sheet, sheet.form.fill(old), {}), digest)


def _settings_values(sections: Any, digest: str) -> dict[str, Any]:
    return {"sections": sections, "digest": digest, "rule": None, "general": (), "diff": ""}


async def _settings(visit: Visit) -> tuple[Sheet, Mapping[str, Any], str]:
    editor = editor_of(visit.console)
    fault = await editor.find_fault()
    if fault is not None:
        visit.refuse(409, fault)
    settings = _settings_class(visit)
    if settings is None:
        visit.refuse(404, f"Limits need another package: {install_command('jackfield-limits')}")
    snapshot, content = await editor.read()
    return (
        settings_sheet(settings, "Limits", leave_out=("limit",)),
        value_at(content, _TABLE) or {},
        snapshot.digest,
    )


async def _save_settings(visit: Visit) -> web.StreamResponse:
    sheet, old, _ = await _settings(visit)
    form = visit.form
    texts = posted_texts(form.names(), form.text)
    posted = sheet.form.read(texts, old)
    for field, fault in posted.faults.items():
        form.refuse(field, fault)

    def shown() -> dict[str, Any]:
        return _settings_values(
            show_sheet(sheet, filled_again(sheet, texts, old), form.errors), form.text("file-digest")
        )

    if form.errors:
        return visit.show_again(**shown())

    def place(mistakes: tuple[str, ...]) -> Placed:
        placed = place_mistakes(mistakes, ".".join(_TABLE), sheet)
        for field, words in placed.beside.items():
            form.refuse(field, words)
        return placed

    answer = await _apply(
        visit,
        lambda text: write_table(text, _TABLE, sheet, old, posted.values),
        place,
        "How limits are kept was written.",
        ("settings of limits written", ""),
    )
    return visit.show_again(**{**shown(), **answer}) if isinstance(answer, dict) else answer


PAGES: Final = [
    Page(path="/limits", title="Limits", template="limits.html", get=_list, group="Access", order=30),
    Page(
        path="/limits/new",
        title="New limit",
        template="limit_form.html",
        get=_show,
        post=_save,
        role="admin",
        parent=_PARENT,
    ),
    Page(
        path="/limits/edit/{name}",
        title="Limit",
        template="limit_form.html",
        get=_show,
        post=_save,
        role="admin",
        parent=_PARENT,
    ),
    Page(path="/limits/use", title="Limits", post=_use, parent=_PARENT),
    Page(
        path="/limits/settings",
        title="How limits are kept",
        template="limit_form.html",
        get=_show_settings,
        post=_save_settings,
        role="admin",
        parent=_PARENT,
    ),
]
