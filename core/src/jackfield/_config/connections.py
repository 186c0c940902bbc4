"""What is declared: connections and everything else of a configuration, and which models it allows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jackfield._contract.secrets import Secret
from jackfield._faces import show_in
from jackfield._types.capabilities import ModelEntry
from jackfield._types.cost import RateCard
from jackfield._types.errors import JackfieldError
from jackfield._types.option_rules import UnsupportedPolicy
from jackfield._types.policies import PacePolicy, RetryPolicy, TimeoutPolicy
from jackfield._types.sizes import MAX_RESPONSE
from jackfield._values import Value, field, frozen

from .defaults import SharedKeys

if TYPE_CHECKING:
    from jackfield._plugins.registry import Provider
    from jackfield._pricing.price_file import PriceTable

__all__ = ["ConnectionConfig", "MeshConfig", "find_model", "is_allowed"]


@frozen(kw_only=True)
class ConnectionConfig(Value):
    """A declared connection.

    Attributes:
        name: What programs write before the colon.
        provider: Its provider, bound; None if `failure` says why not.
        provider_id: The provider's id.
        settings: The plugin's settings object, secrets unresolved; None if it failed.
        identity: Kind and settings of the `[credentials.NAME]` that it names; None if it names none.
        models: The allow-list; None allows all.
        timeout: Seconds per phase.
        retry: When to try again.
        max_parallel: Most calls at once; None is no limit.
        pace: How fast the service may be asked, for all of its models together; None is no limit.
        proxy: Address of a proxy.
        ca_bundle: File of certificate authorities.
        headers: Sent with every request.
        max_response: Most bytes of an answer, decompressed, and four times what one event of a stream may have; None is
            no limit.
        unsupported: What happens to what a model cannot honour.
        middlewares: Names, outermost first.
        rate: Cost of time or of a unit, for all of its models.
        failure: Why it cannot be used: its plugin, or one that it names, is broken.
    """

    name: str
    provider: Provider | None = None
    provider_id: str
    settings: Any = field(default=None, repr=False)
    identity: Any = field(default=None, repr=False)
    models: tuple[ModelEntry, ...] | None = None
    timeout: TimeoutPolicy = field(factory=TimeoutPolicy)
    retry: RetryPolicy = field(factory=RetryPolicy)
    max_parallel: int | None = None
    pace: PacePolicy | None = None
    proxy: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None
    headers: Mapping[str, str | Secret] = field(factory=dict, repr=False)
    max_response: int | None = MAX_RESPONSE
    unsupported: UnsupportedPolicy = "error"
    middlewares: tuple[str, ...] = ()
    rate: RateCard | None = None
    failure: JackfieldError | None = None


@frozen(kw_only=True)
class MeshConfig(Value):
    """Everything that is declared.

    Attributes:
        connections: By name.
        aliases: Targets in the order in which they are tried, by name.
        defaults: What connections say unless they say otherwise.
        credentials: By name: what the table `[credentials.NAME]` is read into; None where that failed.
        tables: By name: what a table of an installed plugin, such as `[gateway]`, is read into.
        middleware_settings: By name: the table `[middleware.NAME]`, or what a `MiddlewareKind` reads it into.
        prices: The user's price file.
        path: The file it was read from; None for a mapping.
    """

    connections: Mapping[str, ConnectionConfig] = field(factory=dict)
    aliases: Mapping[str, tuple[str, ...]] = field(factory=dict)
    defaults: SharedKeys = field(factory=SharedKeys)
    middleware_settings: Mapping[str, Any] = field(factory=dict, repr=False)
    credentials: Mapping[str, Any] = field(factory=dict, repr=False)
    tables: Mapping[str, Any] = field(factory=dict, repr=False)
    prices: PriceTable | None = None
    path: Path | None = None

    @property
    def failures(self) -> Mapping[str, JackfieldError]:
        """The connections that cannot be used, and why; raised when one is used."""
        return {
            name: connection.failure
            for name, connection in self.connections.items()
            if connection.failure is not None
        }


def find_model(config: ConnectionConfig, model_id: str) -> ModelEntry | None:
    """Find the entry that declares a model: the one with its id, else the longest pattern that matches."""
    best = None
    for entry in config.models or ():
        if entry.id == model_id:
            return entry
        if entry.matches(model_id) and (best is None or len(entry.id) > len(best.id)):
            best = entry
    return best


def is_allowed(config: ConnectionConfig, model_id: str) -> bool:
    """Return whether a connection's allow-list lets a model be called; no list allows all, an empty one none."""
    return config.models is None or any(entry.matches(model_id) for entry in config.models)


show_in("jackfield", ConnectionConfig, MeshConfig)
