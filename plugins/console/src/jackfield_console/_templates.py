"""Templates: every value is escaped, and a value that is missing is an error."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import _words
from ._pages import GROUPS, Page, find_pages

__all__ = ["STATIC", "render", "static_files"]

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@cache
def static_files() -> Mapping[str, tuple[bytes, str]]:
    """Return the static files and their types by name. Only these are served, whatever path somebody asks for."""
    folder = files(__package__ or "jackfield_console") / "static"
    found = {}
    for file in folder.iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            found[file.name] = (file.read_bytes(), kind)
    return found


@cache
def _version(name: str) -> str:
    return hashlib.sha256(static_files()[name][0]).hexdigest()[:12]


STATIC: Final = "/static/{}"


@cache
def _environment() -> Environment:
    folder = files(__package__ or "jackfield_console") / "templates"
    environment = Environment(
        loader=FileSystemLoader(str(folder)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_words.FILTERS)
    return environment


def render(template: str, visit: Any, values: Mapping[str, Any]) -> str:
    """Return a page's text.

    Args:
        template: The template.
        visit: The `Visit` that it answers.
        values: What the template shows besides.
    """

    def static(name: str) -> str:
        address: str = visit.url(STATIC, name, v=_version(name))
        return address

    page: Page = visit.page
    context: Mapping[str, Any] = {
        "page": page,
        "title": page.title,
        "visit": visit,
        "url": visit.url,
        "static": static,
        "csrf_token": visit.csrf,
        "user": visit.user,
        "is_admin": visit.is_admin,
        "messages": visit.messages,
        "navigation": _navigation(visit),
        "form": visit.form,
        "errors": visit.form.errors,
        **values,
    }
    text: str = _environment().get_template(template).render(context)
    return text


def _navigation(visit: Any) -> Sequence[tuple[str, Sequence[Page]]]:
    """Return the groups of the navigation, with the pages that the user may see."""
    if visit.session is None:
        return ()
    shown = [page for page in find_pages() if page.role == "viewer" or visit.is_admin]
    groups = [(group, [page for page in shown if page.group == group]) for group in GROUPS]
    return [(group, pages) for group, pages in groups if pages]
