"""Middlewares: coroutines around a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from ._calls import Call

__all__ = ["Handler", "Middleware", "chain"]

Handler: TypeAlias = Callable[[Call], Awaitable[Any]]
"""Carries a call out: gives a reply, or for a streaming call a stream that has begun."""

Middleware: TypeAlias = Callable[[Call, Handler], Awaitable[Any]]
"""`async def middleware(call, proceed)`: may change the call, the answer, or answer by itself.

One that a configuration names may be an object with `__call__` and `async aclose()`, which the mesh awaits when it is left,
after its connections are closed.
"""


def chain(middlewares: Sequence[Middleware], innermost: Handler) -> Handler:
    """Put middlewares around a handler, the first outermost."""
    handler = innermost
    for middleware in reversed(middlewares):
        handler = _around(middleware, handler)
    return handler


def _around(middleware: Middleware, proceed: Handler) -> Handler:
    async def handle(call: Call) -> Any:
        return await middleware(call, proceed)

    return handle
