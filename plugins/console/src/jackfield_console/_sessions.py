"""Sessions: a random token in a cookie, its hash in the store, and an end."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Final

import attrs
from sqlalchemy import Connection, delete, insert, select, update

from ._schema import devices, sessions, users
from ._security import hash_token, new_token
from ._users import User

__all__ = ["Session", "end_session", "find_session", "leave_message", "start_session", "take_messages"]

_SEEN_EVERY: Final = 60.0
"""Seconds after which the time at which a session was last seen is written again."""


@attrs.frozen(kw_only=True)
class Session:
    """A user who has logged in.

    Attributes:
        hash: What is kept of the cookie.
        user: Who it is.
        role: Their role now.
        csrf: What every form of theirs must show.
        has_messages: A message waits for the next page.
    """

    hash: str
    user: str
    role: str
    csrf: str
    has_messages: bool = False


def start_session(connection: Connection, user: User, *, longest: float) -> str:
    """Start a session, forget those that have ended, and return its token. Each log-in has a token of its own."""
    token, now = new_token(), time.time()
    connection.execute(delete(sessions).where(sessions.c.began_at < now - longest))
    connection.execute(
        insert(sessions).values(
            hash=hash_token(token),
            user=user.name,
            role=user.role,
            csrf=new_token(),
            began_at=now,
            seen_at=now,
            messages="",
        )
    )
    return token


def find_session(connection: Connection, token: str, *, idle: float, longest: float) -> Session | None:
    """Return the session of a token; None if it has ended, or its user is gone or blocked."""
    if not token or len(token) > 200:
        return None
    digest, now = hash_token(token), time.time()
    query = (
        select(sessions, users.c.role.label("now_role"))
        .join(users, users.c.name == sessions.c.user)
        .where(sessions.c.hash == digest, users.c.blocked.is_(False))
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    if now - row.seen_at > idle or now - row.began_at > longest:
        connection.execute(delete(sessions).where(sessions.c.hash == digest))
        return None
    if now - row.seen_at > _SEEN_EVERY:
        connection.execute(update(sessions).where(sessions.c.hash == digest).values(seen_at=now))
    return Session(
        hash=digest, user=row.user, role=row.now_role, csrf=row.csrf, has_messages=bool(row.messages)
    )


def end_session(connection: Connection, digest: str) -> None:
    """End a session."""
    connection.execute(delete(sessions).where(sessions.c.hash == digest))


def leave_message(connection: Connection, digest: str, kind: str, text: str) -> None:
    """Leave a message for the next page of a session."""
    waiting = take_messages(connection, digest)
    value = json.dumps([*waiting, (kind, text)][-10:])
    connection.execute(update(sessions).where(sessions.c.hash == digest).values(messages=value))


def take_messages(connection: Connection, digest: str) -> Sequence[tuple[str, str]]:
    """Return the messages of a session, each once."""
    found = connection.execute(select(sessions.c.messages).where(sessions.c.hash == digest)).scalar()
    if not found:
        return []
    connection.execute(update(sessions).where(sessions.c.hash == digest).values(messages=""))
    return [(kind, text) for kind, text in json.loads(found)]


def remember_device(connection: Connection, name: str) -> str:
    """Remember a browser from which a user has logged in; return the token of its cookie."""
    token = new_token()
    connection.execute(insert(devices).values(hash=hash_token(token), user=name, seen_at=time.time()))
    return token


def is_known_device(connection: Connection, name: str, token: str) -> bool:
    """Return whether a user has logged in from a browser before."""
    if not token or len(token) > 200:
        return False
    query = select(devices.c.hash).where(devices.c.hash == hash_token(token), devices.c.user == name)
    return connection.execute(query).first() is not None
