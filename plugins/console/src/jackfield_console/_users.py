"""Users of the console: their roles, and passwords as argon2 hashes."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from functools import cache
from typing import Final, Literal, cast

import attrs
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, insert, select, update

from jackfield import ConfigurationError

from ._schema import devices, sessions, users

__all__ = [
    "ROLES",
    "User",
    "add_user",
    "check_password",
    "find_user",
    "keep_outside_user",
    "list_users",
    "remove_user",
    "set_password",
]

ROLES: Final = ("admin", "viewer")
_NAME: Final = re.compile(r"[\w.@+-]{1,100}\Z")
_SHORTEST: Final = 12
_LONGEST: Final = 1_000
_HASHING = threading.BoundedSemaphore(2)
"""A hash takes 64 MiB for a moment: a flood of log-ins may not take more than twice that."""


@attrs.frozen(kw_only=True)
class User:
    """Somebody who may log in.

    Attributes:
        name: The name.
        role: What they may do: an admin everything, a viewer nothing but look.
        blocked: Log-in is refused.
        created_at: Seconds of `time.time()`.
    """

    name: str
    role: Literal["admin", "viewer"]
    blocked: bool = False
    created_at: float = 0.0


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobody() -> str:
    """Return a hash that is checked where there is no user, so that the time does not tell."""
    return _hasher().hash("nobody")


def check_new_password(password: str) -> None:
    """Check a password before it is set.

    Raises:
        ConfigurationError: It is too short or too long.
    """
    if not _SHORTEST <= len(password) <= _LONGEST:
        raise ConfigurationError(f"a password has {_SHORTEST} to {_LONGEST} characters")


def hash_password(password: str) -> str:
    """Return the argon2 hash of a password."""
    with _HASHING:
        return _hasher().hash(password)


def add_user(connection: Connection, name: str, role: str, password: str | None) -> None:
    """Add a user; None as the password leaves log-in to another service.

    Raises:
        ConfigurationError: The name, the role or the password is not valid, or there is such a user.
    """
    if not _NAME.match(name):
        raise ConfigurationError("a user's name has letters, digits and .@+-_ only, at most 100")
    if role not in ROLES:
        raise ConfigurationError(f"a role is admin or viewer, not {role!r}")
    if find_user(connection, name) is not None:
        raise ConfigurationError(f"there is a user {name!r} already")
    if password is not None:
        check_new_password(password)
    now = time.time()
    hashed = None if password is None else hash_password(password)
    connection.execute(
        insert(users).values(
            name=name, role=role, password=hashed, created_at=now, changed_at=now, blocked=False
        )
    )


def keep_outside_user(connection: Connection, name: str, role: str) -> User | None:
    """Return the user for whom another service vouches, with the role that it gives; add them if they are new.

    Returns:
        None if the name is not one, is blocked, or belongs to somebody with a password here: the service must not take over
        their account.
    """
    row = connection.execute(select(users.c.password, users.c.blocked).where(users.c.name == name)).first()
    if row is None:
        try:
            add_user(connection, name, role, None)
        except ConfigurationError:
            return None
    elif row.blocked or row.password is not None:
        return None
    else:
        connection.execute(update(users).where(users.c.name == name).values(role=role))
    return find_user(connection, name)


def find_user(connection: Connection, name: str) -> User | None:
    """Return a user; None if there is none of this name."""
    return next(iter(list_users(connection, name)), None)


def list_users(connection: Connection, name: str | None = None) -> Sequence[User]:
    """Return all users by name, or the one that is named."""
    query = select(users.c.name, users.c.role, users.c.blocked, users.c.created_at).order_by(users.c.name)
    if name is not None:
        query = query.where(users.c.name == name)
    return [
        User(
            name=row.name,
            role=cast('Literal["admin", "viewer"]', row.role),
            blocked=row.blocked,
            created_at=row.created_at,
        )
        for row in connection.execute(query)
    ]


def check_password(connection: Connection, name: str, password: str) -> User | None:
    """Return the user if the password is theirs. An unknown user takes as long as a wrong password."""
    row = connection.execute(select(users.c.password).where(users.c.name == name)).first()
    stored = None if row is None else row.password
    with _HASHING:
        try:
            _hasher().verify(stored or _nobody(), password[:_LONGEST])
        except (VerificationError, InvalidHashError):
            return None
    if stored is None:
        return None
    if _hasher().check_needs_rehash(stored):
        connection.execute(update(users).where(users.c.name == name).values(password=hash_password(password)))
    user = find_user(connection, name)
    return None if user is None or user.blocked else user


def set_password(connection: Connection, name: str, password: str) -> None:
    """Change a password; all sessions and known browsers of the user end.

    Raises:
        ConfigurationError: There is no such user, or the password is not valid.
    """
    check_new_password(password)
    values = {"password": hash_password(password), "changed_at": time.time()}
    if not connection.execute(update(users).where(users.c.name == name).values(values)).rowcount:
        raise ConfigurationError(f"there is no user {name!r}")
    forget_sessions(connection, name)


def change_user(
    connection: Connection, name: str, *, role: str | None = None, blocked: bool | None = None
) -> None:
    """Change a user's role, or block them; their sessions end.

    Raises:
        ConfigurationError: There is no such user, or they are the last administrator.
    """
    user = find_user(connection, name)
    if user is None:
        raise ConfigurationError(f"there is no user {name!r}")
    if role is not None and role not in ROLES:
        raise ConfigurationError(f"a role is admin or viewer, not {role!r}")
    if (role == "viewer" or blocked) and _is_last_admin(connection, user):
        raise ConfigurationError(f"{name!r} is the last administrator; add another one first")
    values = {key: value for key, value in (("role", role), ("blocked", blocked)) if value is not None}
    connection.execute(update(users).where(users.c.name == name).values(**values, changed_at=time.time()))
    forget_sessions(connection, name)


def remove_user(connection: Connection, name: str) -> None:
    """Remove a user, with all their sessions.

    Raises:
        ConfigurationError: There is no such user, or they are the last administrator.
    """
    user = find_user(connection, name)
    if user is None:
        raise ConfigurationError(f"there is no user {name!r}")
    if _is_last_admin(connection, user):
        raise ConfigurationError(f"{name!r} is the last administrator; add another one first")
    connection.execute(delete(users).where(users.c.name == name))
    forget_sessions(connection, name)


def forget_sessions(connection: Connection, name: str) -> None:
    """End all sessions of a user, and forget their browsers."""
    connection.execute(delete(sessions).where(sessions.c.user == name))
    connection.execute(delete(devices).where(devices.c.user == name))


def _is_last_admin(connection: Connection, user: User) -> bool:
    admins = [one.name for one in list_users(connection) if one.role == "admin" and not one.blocked]
    return admins == [user.name]
