"""A connection at work: its transport, its slots, the models that calls name."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import importlib
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from jackfield._contract.keys import user_fault
from jackfield._contract.paths import model_id_fault
from jackfield._contract.protocols import HttpAccess, Transport
from jackfield._contract.secrets import Secret
from jackfield._hints import hint
from jackfield._plugins.hooks import PASSED_ON
from jackfield._pricing.lookup import Pricing
from jackfield._types.capabilities import Capabilities, Kind, ModelRef
from jackfield._types.errors import (
    ConfigurationError,
    JackfieldError,
    ModelNotAllowedError,
    PluginError,
    UnknownTargetError,
)

from .fingerprint import ConnectionFingerprint
from .watchdog import Timers

if TYPE_CHECKING:
    from jackfield._config.connections import ConnectionConfig
    from jackfield._plugins.registry import Provider, Registry
    from jackfield._pricing.price_file import PriceTable
    from jackfield._types.allowances import AllowanceHeaders
    from jackfield._types.calls import Call, Forecast
    from jackfield._types.capabilities import ModelEntry

    from .fingerprint import Layer
    from .pace import Pacer
    from .redaction import Redaction

__all__ = ["NOT_SEEN", "Connection", "Target", "preload"]

logger = logging.getLogger("jackfield")

NOT_SEEN: Any = ("not seen",)
"""Stands for the headers of a service that has not answered yet."""


class Target:
    """A model of a connection, as one kind of request sees it; made once and kept."""

    __slots__ = ("capabilities", "entry", "limit_headers", "model")

    def __init__(self, model: ModelRef, capabilities: Capabilities, entry: ModelEntry | None) -> None:
        self.model = model
        self.capabilities = capabilities
        self.entry = entry
        # The headers by which answers tell of limits; before the first answer one that none has.
        self.limit_headers: tuple[AllowanceHeaders, ...] = NOT_SEEN


class Connection:
    """A declared connection inside an entered mesh: its transport, its slots, the models of its calls."""

    def __init__(
        self,
        config: ConnectionConfig,
        registry: Registry,
        prices: PriceTable | None,
        layers: Sequence[Layer] = (),
    ) -> None:
        self.config = config
        self.fingerprint = ConnectionFingerprint(config, registry, layers)
        self.forecaster: Callable[[Call], Forecast] | None = None
        self.name = config.name
        self._registry = registry
        self._prices = prices
        self.transport: Transport | None = None
        self._opening = asyncio.Lock()
        self._closed = False
        self._declared_secrets: list[str] | None = None
        self._redaction: tuple[list[str], Redaction] | None = None
        self._targets: dict[tuple[str, Kind], Target] = {}
        self.slots = asyncio.Semaphore(config.max_parallel) if config.max_parallel else None
        self.timers = Timers()
        # What holds attempts back; None until something does, so that other connections pay nothing for it.
        self.pacer: Pacer | None = None
        if config.pace is not None or any(entry.pace is not None for entry in config.models or ()):
            self.require_pacer()
        self._pricing: Pricing | None = None

    @property
    def provider(self) -> Provider:
        """The bound provider.

        Raises:
            JackfieldError: The plugin could not be loaded; the reason of then.
        """
        if self.config.failure is not None:
            # A new one for each raise: tracebacks would pile up on one that is kept.
            raise copy.copy(self.config.failure) from self.config.failure.__cause__
        if self.config.provider is None:
            raise PluginError(
                f"the provider {self.config.provider_id} of connection {self.name} is not loaded"
            )
        return self.config.provider

    @property
    def pricing(self) -> Pricing:
        """The rates for this connection's calls."""
        if self._pricing is None:
            self._pricing = Pricing(self.provider, self.config.rate, self._registry, self._prices)
        return self._pricing

    def require_pacer(self) -> Pacer:
        """Return what holds attempts back; from now on each attempt asks it."""
        if self.pacer is None:
            from .pace import Pacer

            self.pacer = Pacer(self.config)
        return self.pacer

    def find_target(self, model_id: str, kind: Kind) -> Target:
        """Look up a model, and keep the result for later calls.

        Raises:
            UnknownTargetError: What is given is not valid as the id of a model.
            ModelNotAllowedError: The allow-list does not name it.
        """
        target = self._targets.get((model_id, kind))
        if target is None:
            target = self.look_up(model_id, kind)
            if len(self._targets) < 4096:  # model ids may come from a program's users
                self._targets[model_id, kind] = target
        return target

    def look_up(self, model_id: str, kind: Kind | None, *, listing: Capabilities | None = None) -> Target:
        """Look up a model without keeping the result.

        Args:
            model_id: The model.
            kind: The kind of request; None where there is none.
            listing: What the service's own listing says of it, if it was asked.

        Raises:
            JackfieldError: As `find_target`.
            PluginError: The plugin failed.
        """
        from jackfield._config.connections import find_model
        from jackfield._plugins.capabilities import resolve_capabilities

        config, provider = self.config, self.provider
        self._check_allowed(model_id)
        entry = find_model(config, model_id)
        model = ModelRef(
            model_id,
            self.name,
            kind,
            entry.underlying if entry is not None else None,
            entry.raw if entry is not None else {},
            config.settings,
        )
        capabilities = resolve_capabilities(self._registry, provider, model, entry, listing=listing)
        return Target(model, capabilities, entry)

    def _check_allowed(self, model_id: str) -> None:
        from jackfield._config.connections import is_allowed

        where: dict[str, Any] = {
            "connection": self.name, "provider": self.config.provider_id, "model": model_id
        }  # fmt: skip
        fault = model_id_fault(model_id)
        if fault is not None:
            raise UnknownTargetError(f"{model_id!r} is not valid as the id of a model: {fault}", **where)
        if not is_allowed(self.config, model_id):
            allowed = [entry.id for entry in self.config.models or ()]
            ending = hint(model_id, allowed) if allowed else "; its list is empty"
            raise ModelNotAllowedError(
                f"connection {self.name} does not allow the model {model_id!r}{ending}", **where
            )

    def make_transport(self) -> Transport:
        """Create the transport without opening it. No I/O.

        Raises:
            JackfieldError: The plugin failed, or refuses its settings.
        """
        config = self.config
        made = self.provider.transport(config.settings)
        if isinstance(made, HttpAccess):
            from jackfield._http.transport import HttpTransport

            return HttpTransport(
                made,
                connect_timeout=config.timeout.connect,
                proxy=config.proxy,
                ca_bundle=config.ca_bundle,
                headers=config.headers,
                max_response=config.max_response,
            )
        return made

    async def open_transport(self) -> Transport:
        """Return the open transport; the first caller opens it, and others wait.

        Raises:
            JackfieldError: It cannot be opened, or the mesh was left.
        """
        transport = self.transport
        if transport is not None:
            return transport
        async with self._opening:
            if self._closed:
                raise ConfigurationError(f"the mesh was left while connection {self.name} was in use")
            if self.transport is None:
                fault = user_fault(self.config.settings)
                if fault is not None:
                    raise ConfigurationError(f"base_url {fault}")
                transport = self.make_transport()
                try:
                    await transport.open()
                except BaseException as error:
                    await transport.aclose()
                    if isinstance(error, JackfieldError) or not isinstance(error, Exception):
                        raise
                    raise ConfigurationError(
                        f"connection {self.name} cannot be opened: {type(error).__name__}: {error}"
                    ) from error
                self.transport = transport
            return self.transport

    async def aclose(self) -> None:
        """Close the transport for good; what is just being opened is waited for and closed."""
        self._closed = True
        self.timers.close()
        if self.pacer is not None:
            self.pacer.close()
        async with self._opening:
            transport, self.transport = self.transport, None
            if transport is not None:
                await transport.aclose()

    def locate_and_redact(self, error: JackfieldError, model_id: str | None = None) -> None:
        """Add connection, provider and model to an error, and remove every secret from it."""
        error.connection = error.connection or self.name
        error.provider = error.provider or self.config.provider_id
        error.model = error.model or model_id
        from .redaction import Redaction

        secrets = self._find_secrets()
        if self._redaction is None or self._redaction[0] != secrets:
            # Kept, because to spell secrets takes longer than to look for them.
            self._redaction = (secrets, Redaction(secrets))
        self._redaction[1].redact_error(error)

    def _find_secrets(self) -> list[str]:
        """Return every secret that may stand in an error."""
        from urllib.request import getproxies

        from jackfield._contract.addresses import address_secrets

        config = self.config
        of_transport = getattr(self.transport, "secrets", None)
        if callable(of_transport):
            # Those that authenticate calls, and those that tokens are fetched with: a token endpoint may echo them.
            seen = (secret.seen for secret in _find_secrets_in(config.settings))
            found = [*of_transport(), *filter(None, seen)]
        else:
            # Not open yet, or a transport of the plugin's own, which resolves the secrets of its settings itself.
            if self._declared_secrets is None:
                self._declared_secrets = list(_reveal_all(config.settings))
            found = list(self._declared_secrets)
        # Whoever carries requests, an SDK say, takes proxies out of the environment too.
        for address in (
            *_find_addresses_in(config.settings),
            *filter(None, (config.proxy,)),
            *getproxies().values(),
        ):
            found += address_secrets(address)
        return found


async def preload(connections: Iterable[ConnectionConfig]) -> None:
    """Import the modules that the providers of these connections name (`ProviderInfo.preload`).

    One that cannot be imported is logged, and breaks nothing yet: the hook that needs it will say so.
    """
    infos = [connection.provider.info for connection in connections if connection.provider is not None]
    wanted = dict.fromkeys(name for info in infos for name in info.preload if name not in sys.modules)
    if wanted:
        await asyncio.to_thread(_import_all, tuple(wanted))


def _import_all(names: tuple[str, ...]) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except PASSED_ON:
            raise
        except BaseException:  # `sys.exit`, and panics of extension modules
            logger.exception("the module %s, which a plugin wants to be imported early, cannot be", name)


def _reveal_all(settings: Any) -> Iterator[str]:
    """Yield the values of every secret of a settings object that can be resolved."""
    for secret in _find_secrets_in(settings):
        with contextlib.suppress(JackfieldError):
            yield secret.reveal()


def _find_secrets_in(settings: Any) -> Iterator[Secret]:
    """Yield every secret of a settings object, including those of its credentials."""
    if isinstance(settings, Secret):
        yield settings
    elif attrs.has(type(settings)):
        for field in attrs.fields(type(settings)):
            yield from _find_secrets_in(getattr(settings, field.name))


def _find_addresses_in(settings: Any) -> Iterator[str]:
    """Yield every address of a settings object."""
    if isinstance(settings, str):
        if "://" in settings:
            yield settings
    elif isinstance(settings, Mapping):
        for value in settings.values():
            yield from _find_addresses_in(value)
    elif attrs.has(type(settings)):
        for field in attrs.fields(type(settings)):
            yield from _find_addresses_in(getattr(settings, field.name))
