"""What administrators changed: who, when, from where."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from ._schema import changes

__all__ = ["list_changes", "note_change"]

_PAGE: Final = 100


def note_change(
    connection: Connection,
    user: str,
    address: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any] = {},
) -> None:
    """Write a row.

    Args:
        connection: The store.
        user: Who.
        address: From where.
        action: What was done.
        subject: To what.
        detail: More; never a secret.
    """
    text = json.dumps(detail, default=str) if detail else ""
    values = {"user": user, "address": address, "action": action, "subject": subject, "detail": text}
    connection.execute(insert(changes).values(at=time.time(), **values))


def list_changes(
    connection: Connection, before: int | None = None
) -> tuple[Sequence[Mapping[str, Any]], int | None]:
    """Return a page of changes, the newest first, and where the next page begins.

    Args:
        connection: The store.
        before: Where the page begins; None is at the newest.
    """
    query = select(changes).order_by(changes.c.number.desc()).limit(_PAGE + 1)
    if before is not None:
        query = query.where(changes.c.number < before)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return rows[:_PAGE], rows[_PAGE - 1]["number"] if len(rows) > _PAGE else None
