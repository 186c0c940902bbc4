"""A response cache for Jackfield: equal calls are answered once.

    [defaults]
    middlewares = ["cache"]

    [middleware.cache]
    ttl = 3600
    path = "answers.sqlite"

Answers are kept in memory, or in a SQLite file. An answer from the cache says so (`reply.replay`) and costs nothing.
"""

from __future__ import annotations

from jackfield.plugin import MiddlewareKind

from ._cache import ResponseCache
from ._settings import CacheSettings

__all__ = ["CACHE", "CacheSettings", "ResponseCache"]

CACHE = MiddlewareKind(CacheSettings, ResponseCache)
"""The middleware kind that the entry point names; `CACHE({"ttl": 60})` creates a middleware for a program's own mesh."""
