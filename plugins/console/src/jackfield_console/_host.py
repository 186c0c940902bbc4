"""Where the console runs: inside a gateway, or alone over a mesh of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from jackfield import ConfigurationError, JackfieldError, Mesh, MeshConfig, Registry, load_config
from jackfield_gateway._workers import reload_workers

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from jackfield_gateway._state import State

__all__ = ["AloneHost", "GatewayHost", "Host"]


class Host(Protocol):
    """What runs the console."""

    @property
    def config(self) -> MeshConfig:
        """The configuration in use."""

    @property
    def registry(self) -> Registry:
        """The plugins."""

    @property
    def state(self) -> State | None:
        """The gateway around the console; None if it runs alone."""

    def use(self) -> AbstractAsyncContextManager[Mesh]:
        """Hold the mesh in use, also while another one takes its place."""

    async def reload(self) -> str | None:
        """Read the file again and use it; return why not if it is not valid: then the old one stays."""


async def _load(path: Path | None, registry: Registry) -> MeshConfig:
    if path is None:
        raise ConfigurationError("the configuration does not come from a file")
    return await asyncio.to_thread(load_config, path, registry)


class GatewayHost:
    """A gateway.

    Args:
        state: Its state.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def config(self) -> MeshConfig:
        """The configuration in use."""
        return self._state.current.config

    @property
    def registry(self) -> Registry:
        """The plugins."""
        return self._state.registry

    @property
    def state(self) -> State | None:
        """The gateway."""
        return self._state

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Mesh]:
        """Hold the mesh in use."""
        with self._state.use() as generation:
            yield generation.mesh

    async def reload(self) -> str | None:
        """Read the file again and use it."""
        try:
            await self._state.reload(await _load(self.config.path, self.registry))
        except JackfieldError as error:
            return error.message
        reload_workers()
        return None


class AloneHost:
    """A mesh of the console's own, inside `async with`.

    Args:
        config: What is declared.
        registry: The plugins.
    """

    def __init__(self, config: MeshConfig, registry: Registry) -> None:
        self._config = config
        self._registry = registry
        self._mesh: Mesh | None = None

    async def __aenter__(self) -> Self:
        self._mesh = await Mesh(self._config, self._registry).__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._mesh is not None:
            await self._mesh.__aexit__(None, None, None)

    @property
    def config(self) -> MeshConfig:
        """The configuration in use."""
        return self._config

    @property
    def registry(self) -> Registry:
        """The plugins."""
        return self._registry

    @property
    def state(self) -> State | None:
        """There is no gateway."""
        return None

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Mesh]:
        """Hold the mesh in use."""
        if self._mesh is None:
            raise ConfigurationError("the console is not open")
        yield self._mesh

    async def reload(self) -> str | None:
        """Read the file again and use it; what still runs on the old mesh is cancelled."""
        try:
            config = await _load(self._config.path, self._registry)
            fresh = await Mesh(config, self._registry).__aenter__()
        except JackfieldError as error:
            return error.message
        old, self._mesh, self._config = self._mesh, fresh, config
        if old is not None:
            await old.__aexit__(None, None, None)
        return None
