"""Keys: made once, kept as hashes, looked up in memory."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, Final

import attrs

from ._settings import KeySettings

__all__ = ["OPEN", "Key", "KeyRing", "hash_key", "key_in", "make_key"]

_PREFIX: Final = "jf-"
_BYTES: Final = 32
_LONGEST: Final = 200
"""More is not a key of ours, and is not hashed."""


def make_key() -> str:
    """Return a new key: a prefix and 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(_BYTES)


def hash_key(key: str) -> str:
    """Return what is kept of a key. A plain hash is enough: nobody can try all keys of 256 random bits."""
    return "sha256:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def key_in(headers: Mapping[str, str]) -> str | None:
    """Return the key that a client shows, in any header in which the clients of our surfaces show one."""
    for name in ("Authorization", "x-api-key", "api-key"):
        value = headers.get(name)
        if value is not None:
            scheme, _, rest = value.partition(" ")
            return rest.strip() if scheme.lower() == "bearer" else value.strip()
    return None


@attrs.frozen(kw_only=True, slots=False)
class Key:
    """A key as the gateway uses it.

    Attributes:
        name: Its name; "" for calls without a key.
        hash: As `hash_key` returns it.
        owner: Who pays.
        models: Patterns of aliases and targets; None allows all.
        expires_at: When it is no longer accepted, in seconds of `time.time()`.
        blocked: It is refused.
    """

    name: str
    hash: str = attrs.field(default="", repr=False)
    owner: str = "default"
    models: tuple[str, ...] | None = None
    expires_at: float | None = None
    blocked: bool = False

    @classmethod
    def of(cls, name: str, settings: KeySettings) -> Key:
        """Return a declared key."""
        return cls(
            name=name,
            hash=settings.hash,
            owner=settings.owner,
            models=settings.models,
            expires_at=None if settings.expires is None else end_of_day(settings.expires),
            blocked=settings.blocked,
        )

    @cached_property
    def _allowed(self) -> re.Pattern[str] | None:
        if self.models is None:
            return None
        patterns = (".*".join(map(re.escape, pattern.split("*"))) for pattern in self.models)
        return re.compile("|".join(patterns) or r"(?!)", re.DOTALL)

    @cached_property
    def who(self) -> Mapping[str, Any]:
        """The options by which a call says for whom it is made."""
        return {"owner": self.owner, "labels": {"key": self.name}} if self.name else {"owner": self.owner}

    def allows(self, name: str) -> bool:
        """Return whether the key may use an alias or a target."""
        return self._allowed is None or self._allowed.fullmatch(name) is not None

    def fault(self, now: float) -> str | None:
        """Return why the key is refused; None if it is accepted."""
        if self.blocked:
            return "this key is blocked"
        if self.expires_at is not None and now >= self.expires_at:
            return "this key has expired"
        return None


OPEN: Final = Key(name="")
"""Who calls a gateway without keys, which listens on a loopback address only."""


def end_of_day(day: date) -> float:
    """Return when a day ends (UTC), in seconds of `time.time()`."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC).timestamp()


class KeyRing:
    """All keys, by hash. Looked up in memory, so a million wrong keys cost a million hashes and nothing else.

    Args:
        keys: The keys; of two with one hash the first counts.

    Attributes:
        owners: How many owners they have.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        self._by_hash: dict[str, Key] = {}
        for key in keys:
            self._by_hash.setdefault(key.hash, key)
        self.owners = len({key.owner for key in self._by_hash.values()})

    def __bool__(self) -> bool:
        return bool(self._by_hash)

    def find(self, shown: str | None) -> tuple[Key | None, str]:
        """Look up a key that a client shows.

        Returns:
            The key, or None and why it is refused. The sentence does not tell whether such a key ever existed.
        """
        if not shown:
            return None, "a key is missing: send it as Authorization: Bearer KEY, or as x-api-key"
        if len(shown) > _LONGEST:
            return None, "this key is not valid"
        digest = hash_key(shown)
        key = self._by_hash.get(digest)
        if key is None or not hmac.compare_digest(key.hash, digest):
            return None, "this key is not valid"
        fault = key.fault(time.time())
        return (key, "") if fault is None else (None, fault)
