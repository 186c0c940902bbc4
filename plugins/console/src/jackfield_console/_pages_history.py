"""Earlier versions of the configuration's file, and reading it again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ._config_file import diff_of
from ._editing import ChangeRefusedError, editor_of
from ._pages import Page

if TYPE_CHECKING:
    from aiohttp import web

    from ._visit import Visit

__all__ = ["PAGES"]


async def _reload(visit: Visit) -> web.StreamResponse:
    why = await visit.console.host.reload()
    if why is not None:
        return await visit.redirect(
            "/connections", message=f"The file is not valid, and nothing was changed: {why}", kind="problem"
        )
    await visit.note_change("configuration reloaded", str(visit.config.path or ""))
    return await visit.redirect("/connections", message="The configuration was read again and is in use.")


async def _history(visit: Visit) -> Mapping[str, Any]:
    editor = editor_of(visit.console)
    if editor.file is None:
        return {
            "versions": [],
            "digest": "",
            "fault": await editor.find_fault(),
            "path": None,
            "diff": "",
            "general": (),
        }
    snapshot, _ = await editor.read()
    versions = await asyncio.to_thread(editor.file.list_versions)
    newer = [snapshot.text, *(version.text for version in versions)]
    return {
        "versions": [
            {"number": one.number, "at": one.replaced_at, "changes": diff_of(one.text, after)}
            for one, after in zip(versions, newer, strict=False)
        ],
        "digest": snapshot.digest,
        "fault": await editor.find_fault(),
        "path": editor.file.path,
        "diff": "",
        "general": (),
    }


async def _restore(visit: Visit) -> web.StreamResponse:
    editor = editor_of(visit.console)
    number = visit.form.text("number")
    try:
        await editor.restore(int(number) if number.isdecimal() else 0, base=visit.form.text("file-digest"))
    except ChangeRefusedError as error:
        visit.form.refuse("", "Nothing was changed.")
        return visit.show_again(**{**await _history(visit), "general": error.mistakes, "diff": error.diff})
    await visit.note_change("configuration restored", f"version {number}")
    return await visit.redirect("/connections/history", message="The earlier file is in use again.")


PAGES: Final = [
    Page(path="/connections/reload", title="Connections", post=_reload, parent="/connections"),
    Page(
        path="/connections/history",
        title="History of the configuration",
        template="config_history.html",
        get=_history,
        post=_restore,
        role="admin",
        parent="/connections",
    ),
]
