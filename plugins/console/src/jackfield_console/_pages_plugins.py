"""Plugins: what is installed, whether it can be used, and why not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from ._pages import Page
from ._visit import Visit

__all__ = ["PAGES"]

_KINDS: Final = {
    "provider": "Providers",
    "credentials": "Identities",
    "middleware": "Middlewares",
    "extension": "Extensions",
    "table": "Tables of the configuration",
}


async def _list(visit: Visit) -> Mapping[str, Any]:
    registry = visit.console.host.registry
    states = await asyncio.to_thread(lambda: registry.plugins(load=True))
    connections = visit.config.connections.values()
    used = {
        "provider": {one.provider_id for one in connections},
        "credentials": {one.identity[0] for one in connections if one.identity is not None},
        "middleware": {name for one in connections for name in one.middlewares},
    }
    groups = [
        (title, used.get(kind), [state for state in states if state.kind == kind])
        for kind, title in _KINDS.items()
    ]
    return {
        "groups": [group for group in groups if group[2]],
        "failed": [state for state in states if state.state not in ("ready", "not loaded")],
    }


PAGES: Final = [
    Page(path="/plugins", title="Plugins", template="plugins.html", get=_list, group="Mesh", order=50)
]
