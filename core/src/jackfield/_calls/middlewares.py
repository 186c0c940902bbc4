"""The middlewares of a mesh: made when it is entered, closed when it is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, cast

from jackfield._plugins.hooks import PASSED_ON
from jackfield._types.errors import ConfigurationError, JackfieldError

from .fingerprint import Layer

if TYPE_CHECKING:
    from jackfield._config.connections import ConnectionConfig, MeshConfig
    from jackfield._contract.middleware import Middleware
    from jackfield._plugins.registry import Registry

__all__ = ["Middlewares", "around_calls"]

_AROUND: Final[ContextVar[tuple[Middleware, ...]]] = ContextVar("jackfield_around", default=())


@contextmanager
def around_calls(middleware: Middleware) -> Iterator[None]:
    """Put a middleware around all calls that are made inside: by any mesh, and by any task that is started inside.

    It stands outside those of the meshes. It is not closed.
    """
    token = _AROUND.set((*_AROUND.get(), middleware))
    try:
        yield
    finally:
        _AROUND.reset(token)


class Middlewares:
    """The middlewares of a mesh: a program's own, and those that the configuration names, made while it is open.

    Args:
        config: Names them.
        registry: Makes them.
        own: The program's, around all the others.
    """

    def __init__(self, config: MeshConfig, registry: Registry, own: Sequence[Middleware]) -> None:
        self._config = config
        self._registry = registry
        self._made: dict[str, Middleware] = {}
        self.own = tuple(own)

    async def make(self) -> None:
        """Create each middleware that a connection names, once.

        Raises:
            JackfieldError: One cannot be created; those created before are closed.
        """
        named = (name for config in self._config.connections.values() for name in config.middlewares)
        for name in dict.fromkeys(named):
            try:
                self._made[name] = self._make(name)
            except JackfieldError:
                await self.close()
                raise

    async def close(self) -> list[BaseException]:
        """Close those that have `aclose`, in reverse order, and return the errors."""
        made, self._made = self._made, {}
        faults: list[BaseException] = []
        for middleware in reversed(list(made.values())):
            close = getattr(middleware, "aclose", None)
            if close is not None:
                try:
                    await close()
                except Exception as error:
                    faults.append(error)
        return faults

    def list_around(self, config: ConnectionConfig) -> Sequence[Middleware]:
        """Return those around the calls of a connection, outermost first."""
        around = _AROUND.get()
        if not config.middlewares:
            return (*around, *self.own) if around else self.own
        return (*around, *self.own, *(self._made[name] for name in config.middlewares))

    def describe(self, config: ConnectionConfig) -> list[Layer]:
        """Return the same with their names and settings, for fingerprints."""
        settings = self._config.middleware_settings
        named = [Layer(self._made[name], name, settings.get(name)) for name in config.middlewares]
        return [*map(Layer, self.own), *named]

    def _make(self, name: str) -> Middleware:
        settings = self._config.middleware_settings.get(name, {})
        try:
            return cast("Middleware", self._registry.middleware(name)(settings))
        except (JackfieldError, *PASSED_ON):
            raise
        except BaseException as error:  # `sys.exit` and panics of extension modules included
            # To go on without it would be worse: it may be the one that hides what must not be sent.
            raise ConfigurationError(
                f"the middleware {name} cannot be made from [middleware.{name}]: "
                f"{type(error).__name__}: {error}"
            ) from error
