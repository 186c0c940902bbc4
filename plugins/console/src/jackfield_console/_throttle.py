"""Throttle log-in: by account, by browser and by address, with short locks.

Whoever guesses waits longer each time, up to a minute for an account. The browser from which somebody has logged in before
is counted apart, so that strangers who guess cannot lock its user out.
"""

from __future__ import annotations

import time
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from ._schema import attempts
from ._security import hash_token

__all__ = ["forget_failures", "note_failure", "seconds_to_wait"]

_FORGOTTEN: Final = 15 * 60.0
_FREE: Final = {"account": 5, "device": 10, "address": 20}
_LONGEST: Final = {"account": 60.0, "device": 60.0, "address": 300.0}


def subject(kind: str, value: str) -> str:
    """Return the name under which failures are counted; what somebody typed as a name is kept as a hash."""
    return f"{kind}:{hash_token(value)[:32]}"


def seconds_to_wait(connection: Connection, kind: str, value: str) -> float:
    """Return how many seconds must pass before the next log-in is looked at."""
    now = time.time()
    query = select(func.count(), func.max(attempts.c.at)).where(
        attempts.c.subject == subject(kind, value), attempts.c.at > now - _FORGOTTEN
    )
    count, last = connection.execute(query).one()
    if count < _FREE[kind]:
        return 0.0
    wait: float = min(2.0 ** min(count - _FREE[kind], 10), _LONGEST[kind])
    return max(0.0, float(last) + wait - now)


def note_failure(connection: Connection, kind: str, value: str) -> None:
    """Note that a log-in failed, and forget what is long past."""
    now = time.time()
    connection.execute(delete(attempts).where(attempts.c.at < now - _FORGOTTEN))
    connection.execute(insert(attempts).values(subject=subject(kind, value), at=now))


def forget_failures(connection: Connection, kind: str, value: str) -> None:
    """Forget the failures after a log-in that succeeded."""
    connection.execute(delete(attempts).where(attempts.c.subject == subject(kind, value)))
