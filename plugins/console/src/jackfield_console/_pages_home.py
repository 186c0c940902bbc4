"""The first page: where the gateway stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ._pages import Page
from ._visit import Visit

__all__ = ["PAGES"]


async def _show(visit: Visit) -> Mapping[str, Any]:
    state = visit.console.host.state
    return {
        "connections": sorted(visit.config.connections),
        "aliases": sorted(visit.config.aliases),
        "calls": None if state is None else state.current.calls,
        "is_open": state is not None and state.is_open,
        "store_is_away": state is not None and state.store_is_away,
    }


PAGES: Final = [Page(path="/", title="Overview", template="home.html", get=_show, group="Spend", order=0)]
