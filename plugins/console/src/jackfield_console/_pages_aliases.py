"""Aliases: names of the organisation's own for targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ._applying import apply_change, parse
from ._connection_forms import Placed
from ._editing import editor_of
from ._pages import Page
from ._toml_edit import remove, set_value, value_at

if TYPE_CHECKING:
    from aiohttp import web

    from ._visit import Visit

__all__ = ["PAGES"]


async def _show_alias(visit: Visit) -> Mapping[str, Any]:
    editor = editor_of(visit.console)
    fault = await editor.find_fault()
    if fault is not None:
        visit.refuse(409, fault)
    snapshot, _ = await editor.read()
    name = visit.query("name")
    targets = visit.config.aliases.get(name, ())
    known = [f"{connection}:" for connection in visit.config.connections]
    return {
        "title": f"Edit the alias {name}" if name else "New alias",
        "name": name,
        "targets": "\n".join(targets),
        "known": known,
        "digest": snapshot.digest,
        "general": (),
        "diff": "",
    }


async def _save_alias(visit: Visit) -> web.StreamResponse:
    form = visit.form
    name, targets = form.text("name"), form.text("targets").split()
    is_removal = form.flag("remove")
    if not name or ":" in name:
        form.refuse("name", "Write a name without a colon.")
    if not targets and not is_removal:
        form.refuse("targets", 'Write at least one target, such as "connection:model".')
    shown = {
        **await _show_alias(visit),
        "title": "Alias",
        "name": name,
        "targets": form.text("targets"),
        "digest": form.text("file-digest"),
    }
    if form.errors:
        return visit.show_again(**shown)

    def edit(text: str) -> str:
        path = ("aliases", name)
        if is_removal:
            return remove(text, path)
        if isinstance(value_at(parse(text), path), Mapping):
            return set_value(text, (*path, "targets"), targets)
        return set_value(text, path, targets if len(targets) > 1 else targets[0])

    def place(mistakes: tuple[str, ...]) -> Placed:
        mine = [
            mistake.removeprefix(f"aliases.{name}: ")
            for mistake in mistakes
            if mistake.startswith(f"aliases.{name}")
        ]
        rest = tuple(mistake for mistake in mistakes if not mistake.startswith(f"aliases.{name}"))
        return Placed({"targets": "; ".join(mine)} if mine else {}, rest)

    verb = "removed" if is_removal else "written"
    return await apply_change(
        visit,
        edit,
        done=f"The alias {name} was {verb}.",
        after="/connections",
        change=(f"alias {verb}", name),
        values=shown,
        place=place,
    )


PAGES: Final = [
    Page(
        path="/aliases/edit",
        title="Alias",
        template="alias_form.html",
        get=_show_alias,
        post=_save_alias,
        role="admin",
        parent="/connections",
    ),
]
