"""Pages that change the configuration by a small form: change, use, go on, or show what is wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ._connection_forms import Placed
from ._editing import ChangeRefusedError, editor_of

if TYPE_CHECKING:
    from aiohttp import web

    from ._visit import Visit

__all__ = ["apply_change", "parse"]


def parse(text: str) -> dict[str, Any]:
    """Return what a configuration's text says."""
    return tomllib.loads(text)


async def apply_change(
    visit: Visit,
    edit: Callable[[str], str],
    *,
    done: str,
    after: str,
    change: tuple[str, str],
    values: Mapping[str, Any],
    place: Callable[[tuple[str, ...]], Placed] | None = None,
    **query: str,
) -> web.StreamResponse:
    """Change the file, use it, and go on; or show the page again with what is wrong.

    Args:
        visit: The request; its form has the digest of the file that the page was made of.
        edit: Takes the text, and returns the new one.
        done: What the next page says.
        after: The next page.
        change: What is noted: the action, and its subject.
        values: What the page shows if it is shown again.
        place: Puts mistakes beside fields.
        **query: The query of the next page.
    """
    editor = editor_of(visit.console)
    try:
        await editor.commit(await editor.prepare(edit, base=visit.form.text("file-digest")))
    except ChangeRefusedError as error:
        placed = Placed({}, error.mistakes) if place is None else place(error.mistakes)
        for field, words in placed.beside.items():
            visit.form.refuse(field, words)
        if placed.general or error.diff:
            visit.form.refuse("", "Nothing was changed.")
        return visit.show_again(**{**values, "general": placed.general, "diff": error.diff})
    await visit.note_change(*change)
    return await visit.redirect(after, message=done, **query)
