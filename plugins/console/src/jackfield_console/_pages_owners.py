"""Owners: a tree of paths, with what each has used, what all below have used, and their keys."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from jackfield_gateway._keys import Key
from jackfield_gateway._state import settings_of

from ._key_rows import list_keys
from ._pages import Page
from ._selecting import PERIODS, read_selection
from ._usage import Selection, Sums, add_up, sums_by

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ._visit import Visit

__all__ = ["PAGES", "Node", "make_tree"]

_MOST: Final = 1_000


@attrs.define(kw_only=True)
class Node:
    """An owner.

    Attributes:
        path: Its path.
        depth: How many owners are above it.
        sums: What it and all below it have used.
        keys: Keys that are accepted, of it and all below it.
        own: Calls of its own, not of those below.
    """

    path: str
    depth: int
    sums: Sums = attrs.field(factory=Sums)
    keys: int = 0
    own: int = 0

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


def make_tree(sums: Mapping[str, Sums], keys: Mapping[str, int]) -> Sequence[Node]:
    """Return all owners in the order of a tree, each with the sums of all below it.

    Args:
        sums: What each has used itself.
        keys: How many keys each has itself.
    """
    nodes: dict[str, Node] = {}
    for owner in {*sums, *keys}:
        parts = owner.split("/")
        for depth in range(len(parts)):
            path = "/".join(parts[: depth + 1])
            node = nodes.setdefault(path, Node(path=path, depth=depth))
            if owner in sums:
                node.sums.join(sums[owner])
            node.keys += keys.get(owner, 0)
        if owner in sums:
            nodes[owner].own = sums[owner].requests
    return [nodes[path] for path in sorted(nodes, key=lambda path: path.split("/"))]


def _read(connection: Connection, selection: Selection) -> tuple[Mapping[str, Sums], Sequence[Key]]:
    sums = {str(name): one for name, one in sums_by(connection, "owner", selection).items()}
    return sums, [one.key for one in list_keys(connection)]


async def _show(visit: Visit) -> Mapping[str, Any]:
    selection, period = read_selection(visit, "month")
    sums, stored = await visit.database.run(_read, selection)
    declared = [Key.of(name, key) for name, key in settings_of(visit.config).keys.items()]
    counts: dict[str, int] = {}
    for key in (*declared, *stored):
        counts[key.owner] = counts.get(key.owner, 0) + (key.fault(time.time()) is None)
    tree = make_tree(sums, counts)
    total = add_up(sums.values())
    return {
        "nodes": tree[:_MOST],
        "left_out": max(0, len(tree) - _MOST),
        "total": total,
        "currencies": total.currencies,
        "selection": selection,
        "period": period,
        "periods": PERIODS,
    }


PAGES: Final = [
    Page(path="/owners", title="Owners", template="owners.html", get=_show, group="Access", order=20)
]
