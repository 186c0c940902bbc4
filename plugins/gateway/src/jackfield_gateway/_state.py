"""What all requests share: the mesh of the current configuration, keys, spend and metrics."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping
from typing import Final, Self

import attrs

from jackfield import ConfigurationError, Mesh, MeshConfig, Registry
from jackfield_surfaces import Envelopes, Surface, make_surfaces

from ._keeping import Keeper
from ._kept import ResponseKeeping, ResponseStore
from ._keys import OPEN, Key, KeyRing
from ._metrics import Metrics
from ._settings import GatewaySettings
from ._spend import Ledger
from ._stores import GatewayStore, open_store
from ._targets import Targets

__all__ = ["LOOPBACK", "Generation", "State"]

logger = logging.getLogger("jackfield.gateway")

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_DAY: Final = 86_400
_REFRESH_KEYS: Final = 3.0
"""Seconds after which a key that was blocked in the store is refused."""


@attrs.define(eq=False)
class Generation:
    """One configuration at work; held by each call that is inside `with`.

    Attributes:
        config: What is declared.
        mesh: Its mesh, entered.
        targets: What clients may write as the model.
        calls: How many calls run on it.
        idle: Set when the last of them has ended.
    """

    config: MeshConfig
    mesh: Mesh
    targets: Targets
    calls: int = 0
    idle: asyncio.Event = attrs.field(factory=asyncio.Event)

    def __enter__(self) -> Self:
        self.calls += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.calls -= 1
        if not self.calls:
            self.idle.set()


class State:
    """The gateway's state, inside `async with`.

    Args:
        config: What is declared.
        registry: The plugins.
        settings: The table `[gateway]`; None takes it from the configuration.

    Attributes:
        registry: The plugins.
        settings: The table `[gateway]` at the start; a reload takes over its keys alone.
        metrics: What `/metrics` shows.
        ledger: Writes spend; None without a store.
        keeper: Keeps answers of Responses; None unless an administrator wants that.
        background: What computes answers in the background, by owner and id.
        draining: No new calls are taken.
    """

    def __init__(
        self, config: MeshConfig, registry: Registry, *, settings: GatewaySettings | None = None
    ) -> None:
        self.settings = settings if settings is not None else settings_of(config)
        self._config = config
        self.registry = registry
        self._generation: Generation | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._declared = tuple(Key.of(name, key) for name, key in self.settings.keys.items())
        self._ring = KeyRing(self._declared)
        self._refreshed = 0.0
        self._refreshing: asyncio.Task[None] | None = None
        self._has_keys = bool(self._declared)
        self.store: GatewayStore | None = None
        self.ledger: Ledger | None = None
        self._ledger_store: GatewayStore | None = None
        self._envelopes: bytes | None = None
        self._surfaces: dict[str, Mapping[str, Surface]] = {}
        self.metrics = Metrics()
        self.keeper: Keeper | None = None
        self.background: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._responses: ResponseStore | None = None
        self.draining = False

    async def __aenter__(self) -> Self:
        declared = self.settings.store
        if declared is not None:
            self.store = await asyncio.to_thread(open_store, declared)
            self._ledger_store = await asyncio.to_thread(
                open_store, declared
            )  # so that no reader waits for a writer
            self.ledger = Ledger(self._ledger_store)
            self.ledger.start()
            self.metrics.watch(self.ledger)
            await self._read_keys()
            await self._keep_responses(self.store)
        self._require_keys()
        self._envelopes = await self._envelope_key()
        self._generation = await self._enter(self._config)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.draining = True
        for task in self.background.values():
            task.cancel()
        await asyncio.gather(*self.background.values(), return_exceptions=True)
        if self._generation is not None:
            generation, self._generation = self._generation, None
            await generation.mesh.__aexit__(None, None, None)
        await asyncio.gather(*self._retiring, return_exceptions=True)
        if self._refreshing is not None:
            await asyncio.gather(self._refreshing, return_exceptions=True)
        if self.ledger is not None:
            await asyncio.to_thread(self.ledger.close)
        for store in (self.store, self._ledger_store, self._responses):
            if store is not None:
                await asyncio.to_thread(store.close)

    async def _keep_responses(self, store: GatewayStore) -> None:
        settings = self.settings
        if not isinstance(store, ResponseKeeping):
            if settings.kept_seconds is not None:
                raise ConfigurationError("gateway.keep_responses: the declared store keeps no answers")
            return
        # Also without `keep_responses`: those that were kept before have their end.
        self._responses = await asyncio.to_thread(store.open_responses)
        if settings.kept_seconds is not None:
            self.keeper = Keeper(
                self._responses,
                seconds=settings.kept_seconds,
                most=settings.most_kept,
                longest=settings.most_bytes,
            )

    def delete_old(self, now: float) -> None:
        """Delete answers whose time is over, and rows of spend that are older than is declared. Blocks."""
        if self._responses is not None:
            self._responses.delete_expired_responses(now=now)
        days = self.settings.keep_days
        if self.store is not None and days is not None:
            self.store.delete_spend(before=now - days * _DAY)

    def surface(self, name: str, owner: str) -> Surface:
        """Return a surface; what it seals for one owner is not opened for another."""
        mine = self._surfaces.get(owner)
        if mine is None:
            mine = self._surfaces[owner] = make_surfaces(Envelopes(self._envelopes, owner=owner))
        return mine[name]

    # Configurations

    @property
    def current(self) -> Generation:
        """The current configuration."""
        if self._generation is None:
            raise ConfigurationError("the gateway is not open")
        return self._generation

    def use(self) -> Generation:
        """Return the current configuration, to be entered for one call: it is held, also while another takes its place."""
        return self.current

    async def reload(self, config: MeshConfig) -> None:
        """Serve new calls by another configuration; those that run end by the old one.

        Raises:
            JackfieldError: It cannot be used; the old one stays.
        """
        settings = settings_of(config)
        declared = tuple(Key.of(name, key) for name, key in settings.keys.items())
        fresh = await self._enter(config)
        old, self._generation = self.current, fresh
        self._declared = declared
        self._config = config
        if self.store is not None:
            await self._read_keys()
        else:
            self._ring = KeyRing(declared)
            self._has_keys = bool(declared)
        task = asyncio.create_task(self._retire(old))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _enter(self, config: MeshConfig) -> Generation:
        mesh = Mesh(config, self.registry)
        await mesh.__aenter__()
        return Generation(config, mesh, Targets(config))

    async def _retire(self, generation: Generation) -> None:
        """Close a mesh when the last of its calls has ended."""
        while generation.calls:
            generation.idle.clear()
            await generation.idle.wait()
        await generation.mesh.__aexit__(None, None, None)

    async def wait_idle(self, seconds: float) -> bool:
        """Wait until no call runs; return whether that came in time."""
        deadline = asyncio.get_running_loop().time() + seconds
        generation = self.current
        while generation.calls:
            left = deadline - asyncio.get_running_loop().time()
            generation.idle.clear()
            try:
                await asyncio.wait_for(generation.idle.wait(), max(left, 0))
            except TimeoutError:
                return False
        return True

    # Keys

    @property
    def is_open(self) -> bool:
        """Whether everybody may call: no key is declared, and the address is a loopback one."""
        return not self._has_keys

    @property
    def is_shared(self) -> bool:
        """Whether several owners have keys, so that a service keeps things of several under one key of its own."""
        return self._ring.owners > 1

    def find_key(self, shown: str | None) -> tuple[Key | None, str]:
        """Look up the key that a client shows; without any key declared, everybody is let in."""
        if self.store is not None and time.monotonic() - self._refreshed > _REFRESH_KEYS:
            self._refreshed = time.monotonic()
            self._refreshing = asyncio.create_task(self._refresh_keys())
        return (OPEN, "") if self.is_open else self._ring.find(shown)

    async def _refresh_keys(self) -> None:
        try:
            await self._read_keys()
        except Exception as error:  # the keys that are known go on
            logger.warning("the keys of the store cannot be read: %s", error)

    async def _read_keys(self) -> None:
        if self.store is None:
            return
        stored = await asyncio.to_thread(self.store.list_keys)
        self._refreshed = time.monotonic()
        self._ring = KeyRing([*self._declared, *(one.key for one in stored)])
        # Not open again once there was a key: to remove the last one shall not let everybody in.
        self._has_keys = self._has_keys or bool(self._declared or stored)

    def _require_keys(self) -> None:
        """Refuse to serve everybody on an address that others reach.

        Raises:
            ConfigurationError: Says how to create a key.
        """
        if self.is_open and self.settings.host not in LOOPBACK:
            raise ConfigurationError(
                f"gateway.host: {self.settings.host!r} can be reached from other machines, and no key is declared; create "
                "one (jackfield keys new NAME), or listen on 127.0.0.1"
            )

    async def _envelope_key(self) -> bytes:
        secret = self.settings.envelope_key
        if secret is not None:
            text = await asyncio.to_thread(secret.reveal)
            if len(text) < 32:
                raise ConfigurationError("gateway.envelope_key: the secret must have at least 32 characters")
            return text.encode()
        if self.store is not None:
            return (await asyncio.to_thread(self.store.share, "envelopes")).encode()
        return secrets.token_bytes(32)

    @property
    def store_is_away(self) -> bool:
        """Whether spend could not be written the last time."""
        return self.ledger is not None and self.ledger.is_away


def settings_of(config: MeshConfig) -> GatewaySettings:
    """Return the table `[gateway]` of a configuration, or what is there without it."""
    found = config.tables.get("gateway")
    return found if isinstance(found, GatewaySettings) else GatewaySettings()
