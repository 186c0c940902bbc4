"""Middlewares: coroutines around a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from jackfield._faces import show_in
from jackfield._types.calls import Call
from jackfield._values import Value, frozen

__all__ = ["Handler", "Middleware", "MiddlewareKind", "chain"]

Handler: TypeAlias = Callable[[Call], Awaitable[Any]]
"""Carries a call out: gives a reply, or for a streaming call a stream that has begun."""

Middleware: TypeAlias = Callable[[Call, Handler], Awaitable[Any]]
"""`async def middleware(call, proceed)`: may change the call, the answer, or answer by itself.

One that a configuration names may be an object with `__call__` and `async aclose()`, which the mesh awaits when it is left,
after its connections are closed. With an attribute `needs_content = False` it also stands around calls whose bytes are relayed:
their request holds no content, what `proceed` gives iterates over bytes, and the middleware must return that or a
`WatchedStream` of it. Others keep calls from being relayed. A method `async explain(call)` returns what it has to say of a call
before that is made, as JSON-able data by name.
"""


@frozen
class MiddlewareKind(Value):
    """A middleware with checked settings. What an entry point of `jackfield.middlewares.v1` best names.

        cache = MiddlewareKind(CacheSettings, ResponseCache)

    The table `[middleware.NAME]` is read into the class when the configuration is loaded: an unknown key, a wrong type or
    a missing key is an error with its place, paths start from the file's folder, secrets stay references.

    Attributes:
        settings: An attrs class; its fields are the keys of the table.
        factory: Makes the middleware of the settings. It is called when the mesh is entered.
    """

    settings: type
    factory: Callable[[Any], Middleware]

    def __call__(self, settings: object = None) -> Middleware:
        """Make the middleware.

        Args:
            settings: A settings object, or for programs a mapping that is read into one.

        Raises:
            ConfigurationError: The mapping is not right.
        """
        if not isinstance(settings, self.settings):
            from .settings import read_settings

            table = settings if isinstance(settings, Mapping) else {}
            settings = read_settings(self.settings, table, where="settings")
        return self.factory(settings)


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


show_in("jackfield.plugin", MiddlewareKind)
