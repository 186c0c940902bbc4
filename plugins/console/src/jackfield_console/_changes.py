"""What administrators changed: who, when, from where."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert

from ._schema import changes

__all__ = ["note_change"]


def note_change(
    connection: Connection, user: str, address: str, action: str, subject: str, detail: Mapping[str, Any] = {}
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
    text = json.dumps(detail, ensure_ascii=False, default=str) if detail else ""
    connection.execute(
        insert(changes).values(
            at=time.time(), user=user, address=address, action=action, subject=subject, detail=text
        )
    )
