"""A connection at work: its transport, its slots, its models."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from jackfield._contract.paths import model_id_fault
from jackfield._contract.protocols import CostContext, HttpAccess, Listing, Transport
from jackfield._contract.secrets import Secret
from jackfield._hints import a_or_an, closest
from jackfield._pricing.lookup import Pricing
from jackfield._types.capabilities import Capabilities, Kind, ModelCard, ModelRef
from jackfield._types.errors import (
    ConfigurationError,
    JackfieldError,
    ModelNotAllowedError,
    PluginError,
    UnknownTargetError,
)
from jackfield._types.usage import Usage
from jackfield._types.wire import Headers
from jackfield._values import Value

from .fingerprint import Fingerprint

if TYPE_CHECKING:
    from jackfield._config.loader import ConnectionConfig, ModelEntry
    from jackfield._plugins.registry import Provider, Registry
    from jackfield._pricing.price_file import PriceTable

    from .fingerprint import Layer

__all__ = ["Connection", "Target"]


@attrs.frozen(eq=False, repr=False)
class Target(Value):
    """A model of a connection, as one kind of request sees it; made once and kept."""

    model: ModelRef
    capabilities: Capabilities
    entry: ModelEntry | None


class Connection:
    """What a declared connection becomes inside an entered mesh."""

    def __init__(
        self,
        config: ConnectionConfig,
        registry: Registry,
        prices: PriceTable | None,
        layers: Sequence[Layer] = (),
    ) -> None:
        self.config = config
        self.fingerprint = Fingerprint(config, registry, layers)
        self.name = config.name
        self._registry = registry
        self._prices = prices
        self.transport: Transport | None = None
        self._opening = asyncio.Lock()
        self._closed = False
        self._declared_secrets: list[str] | None = None
        self._targets: dict[tuple[str, Kind], Target] = {}
        self._listing: list[ModelCard] | None = None
        self.slots = asyncio.Semaphore(config.max_parallel) if config.max_parallel else None
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
        """What prices this connection's calls."""
        if self._pricing is None:
            self._pricing = Pricing(self.provider, self.config, self._registry, self._prices)
        return self._pricing

    def target(self, model_id: str, kind: Kind) -> Target:
        """Look a model up.

        Raises:
            UnknownTargetError: What is given is not valid as the id of a model.
            ModelNotAllowedError: The allow-list does not name it.
        """
        target = self._targets.get((model_id, kind))
        if target is None:
            target = self._looked_up(model_id, kind)
            if len(self._targets) < 4096:  # model ids may come from a program's users
                self._targets[model_id, kind] = target
        return target

    def _looked_up(self, model_id: str, kind: Kind | None) -> Target:
        from jackfield._config.loader import find_model, is_allowed, resolve_capabilities

        config, provider = self.config, self.provider
        fault = model_id_fault(model_id)
        if fault is not None:
            raise UnknownTargetError(
                f"{model_id!r} is not valid as the id of a model: {fault}",
                connection=self.name,
                provider=config.provider_id,
                model=model_id,
            )
        if not is_allowed(config, model_id):
            allowed = [entry.id for entry in config.models or ()]
            hint = closest(model_id, allowed) if allowed else "; its list is empty"
            raise ModelNotAllowedError(
                f"connection {self.name} does not allow the model {model_id!r}{hint}",
                connection=self.name,
                provider=config.provider_id,
                model=model_id,
            )
        entry = find_model(config, model_id)
        model = ModelRef(
            model_id,
            self.name,
            kind,
            entry.underlying if entry is not None else None,
            entry.raw if entry is not None else {},
            config.settings,
        )
        try:
            capabilities = resolve_capabilities(self._registry, provider, model, entry)
        except JackfieldError:
            raise
        except Exception as error:
            raise PluginError(
                f"jackfield_capabilities failed for {model_id}: {type(error).__name__}: {error}; "
                "this is a fault of the plugin"
            ) from error
        return Target(model, capabilities, entry)

    def make_transport(self) -> Transport:
        """Make the transport, unopened; no I/O.

        Raises:
            PluginError: The plugin gave something else.
        """
        config, provider = self.config, self.provider
        try:
            made: Any = provider.transport(config.settings)
        except JackfieldError:
            raise
        except Exception as error:
            raise PluginError(
                f"jackfield_transport of {provider.info.id} failed: {type(error).__name__}: {error}"
            ) from error
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
        if not isinstance(made, Transport):
            raise PluginError(
                f"jackfield_transport of {provider.info.id} gave {a_or_an(type(made).__name__)}; "
                "it must give an HttpAccess or a Transport"
            )
        return made

    async def opened(self) -> Transport:
        """Give the open transport; the first caller opens it, others wait."""
        transport = self.transport
        if transport is not None:
            return transport
        async with self._opening:
            if self._closed:
                raise ConfigurationError(f"the mesh was left while connection {self.name} was in use")
            if self.transport is None:
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
        async with self._opening:
            transport, self.transport = self.transport, None
            if transport is not None:
                await transport.aclose()

    def filled(self, error: JackfieldError, model_id: str | None = None) -> JackfieldError:
        """Say in an error where it happened, and take every secret out of it."""
        error.connection = error.connection or self.name
        error.provider = error.provider or self.config.provider_id
        error.model = error.model or model_id
        _redact(error, self._secrets())
        return error

    def _secrets(self) -> list[str]:
        """Give every secret that may stand in an error, the longest first, for one may contain another."""
        of_transport = getattr(self.transport, "secrets", None)
        if callable(of_transport):
            # What proves identity, and what tokens are fetched with: a token endpoint may echo that, too.
            seen = (secret.seen for secret in _secrets_in(self.config.settings))
            found = [*of_transport(), *filter(None, seen)]
        else:
            # Not open yet, or a transport of the plugin's own, which resolves the secrets of its settings itself.
            if self._declared_secrets is None:
                self._declared_secrets = list(_revealed(self.config.settings))
            found = self._declared_secrets
        return sorted({secret for secret in found if len(secret) >= 4}, key=len, reverse=True)

    async def models(self, *, refresh: bool = False) -> list[ModelCard]:
        """List the models: the service's own listing where it has one, and those declared.

        Raises:
            JackfieldError: The listing failed.
        """
        if self._listing is None or refresh:
            self._listing = self._with_declared(await self._discovered())
        return list(self._listing)

    def known_models(self) -> list[ModelCard]:
        """Give the models that are declared, and those of the plugin's table; asks nobody.

        Raises:
            JackfieldError: The plugin failed.
        """
        try:
            names = self.provider.table(self.config.settings)
        except JackfieldError as error:
            raise self.filled(error)  # noqa: B904 -- the same error, filled
        except Exception as error:
            fault = f"jackfield_table failed: {type(error).__name__}: {error}; this is a fault of the plugin"
            raise self.filled(PluginError(fault)) from error
        return self._with_declared([ModelCard(id=name) for name in names])

    def _with_declared(self, discovered: Sequence[ModelCard]) -> list[ModelCard]:
        cards = {card.id: card for card in discovered}
        for entry in self.config.models or ():
            if not entry.id.endswith("*") and entry.id not in cards:
                cards[entry.id] = ModelCard(id=entry.id)
        try:
            return [self._completed(card) for card in cards.values()]
        except JackfieldError as error:
            raise self.filled(error)  # noqa: B904 -- the same error, filled

    def listing(self) -> Listing | None:
        """Say how the service's models are listed; None if they are not.

        Raises:
            PluginError: The plugin failed.
        """
        try:
            return self.provider.discover(self.config.settings)
        except JackfieldError as error:
            raise self.filled(error)  # noqa: B904 -- the same error, filled
        except Exception as error:
            fault = PluginError(f"jackfield_discover failed: {type(error).__name__}: {error}")
            raise self.filled(fault) from error

    async def _discovered(self) -> list[ModelCard]:
        listing = self.listing()
        if listing is None:
            return []
        from .listing import Discovery

        return await Discovery(self, listing).cards()

    def _completed(self, card: ModelCard) -> ModelCard:
        """Add to a card what the plugin's table and the declaration know of the model."""
        from jackfield._config.loader import is_allowed

        # A listing may name what cannot be called; the service, or who stands before it, wrote that.
        allowed = is_allowed(self.config, card.id) and model_id_fault(card.id) is None
        if not allowed:
            return attrs.evolve(card, connection=self.name, allowed=False)
        target = self._looked_up(card.id, None)
        known = target.capabilities
        capabilities = attrs.evolve(known, features={**known.features, **card.capabilities.features})
        price = self.pricing.card(target.model, target.entry, Usage(), CostContext(when=time.time()))
        return attrs.evolve(
            card,
            connection=self.name,
            kinds=card.kinds or known.kinds,
            capabilities=capabilities,
            limits=_merged_limits(known.limits, card.limits),
            price=price,
            underlying=target.model.underlying or card.underlying,
            retired=card.retired or known.retired,
        )


def _revealed(settings: Any) -> Iterator[str]:
    """Resolve every secret of a settings object."""
    for secret in _secrets_in(settings):
        with contextlib.suppress(JackfieldError):
            yield secret.reveal()


def _secrets_in(settings: Any) -> Iterator[Secret]:
    """Give every secret of a settings object, those of its credentials included."""
    if isinstance(settings, Secret):
        yield settings
    elif attrs.has(type(settings)):
        for field in attrs.fields(type(settings)):
            yield from _secrets_in(getattr(settings, field.name))


def _merged_limits(table: Any, listed: Any) -> Any:
    """Take the listing's word over the table's, where it says anything."""
    said = {k: v for k, v in attrs.asdict(listed).items() if v is not None}
    return attrs.evolve(table, **said)


def _redact(error: JackfieldError, secrets: list[str]) -> None:
    for secret in secrets:
        error.message = error.message.replace(secret, "***")
        error.args = (error.message,)
        if error.body:
            error.body = error.body.replace(secret.encode(), b"***")
        if error.headers and any(secret in value for value in error.headers.values()):
            error.headers = Headers({k: v.replace(secret, "***") for k, v in error.headers.items()})
        if error.code:
            error.code = error.code.replace(secret, "***")
