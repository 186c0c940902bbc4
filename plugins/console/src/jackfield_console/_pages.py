"""The registry of pages: every module `_pages_*` of this package has a list PAGES.

A handler gets a `Visit` and returns the values of the page's template, or a response. What is changed by a POST ends with
`visit.redirect(...)`; a form with mistakes is shown again by `visit.show_again(...)`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["GROUPS", "Handler", "Page", "Role", "find_pages"]

Role: TypeAlias = Literal["admin", "viewer"]
Handler: TypeAlias = "Callable[[Any], Awaitable[Mapping[str, Any] | web.StreamResponse]]"
"""Called with a `Visit`."""

GROUPS: Final = ("Spend", "Access", "Mesh", "Console")
"""The groups of the navigation, in their order."""


@attrs.frozen(kw_only=True)
class Page:
    """A page.

    Attributes:
        path: Its path below the console's prefix, with `{names}` as aiohttp's router has them.
        title: What its head and the browser's window show.
        template: The template that shows what `get` returns.
        get: Answers GET; None if there is only something to post.
        post: Answers POST, after the CSRF token and the role were checked.
        group: The group of the navigation that shows it; None: it is in none.
        order: Its place in the group.
        role: Who may see it.
        post_role: Who may post.
        parent: The path of the page whose entry of the navigation is marked while this one is shown.
        is_open: It is shown without a session: the log-in alone.
    """

    path: str
    title: str
    template: str = ""
    get: Handler | None = None
    post: Handler | None = None
    group: str | None = None
    order: int = 100
    role: Role = "viewer"
    post_role: Role = "admin"
    parent: str = ""
    is_open: bool = False


@cache
def find_pages() -> Sequence[Page]:
    """Return all pages, in the order of the navigation."""
    package = import_module(__package__ or "jackfield_console")
    names = sorted(
        module.name for module in pkgutil.iter_modules(package.__path__) if module.name.startswith("_pages_")
    )
    found: list[Page] = []
    for name in names:
        found += import_module(f"{package.__name__}.{name}").PAGES
    order = {group: place for place, group in enumerate(GROUPS)}
    return sorted(found, key=lambda page: (order.get(page.group or "", len(order)), page.order, page.title))
