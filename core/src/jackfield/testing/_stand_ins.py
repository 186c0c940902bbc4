"""Stand-ins: real plugins whose answers are a fake's, so that a program's own configuration can be tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from jackfield._config.document import read_document
from jackfield._contract.hookspecs import hookimpl
from jackfield._contract.protocols import CostContext, ProviderInfo
from jackfield._plugins.provider import Provider, bind_provider
from jackfield._plugins.registry import Registry
from jackfield._types.capabilities import Capabilities, ModelRef
from jackfield._types.cost import Cost, RateCard
from jackfield._types.errors import ConfigurationError, JackfieldError
from jackfield._types.failures import Failure
from jackfield._types.parameters import Translation
from jackfield._types.requests import Request
from jackfield._types.usage import Usage

from ._fake_wire import meta_of
from ._fakes import AnswerLike, FakeProvider, FakeTransport, Script

__all__ = ["StandIn", "stand_ins"]


class StandIn(FakeProvider):
    """An installed provider that answers in this process, under the configuration of the real one.

    Its keys, its table of models, what it refuses, its wires, its errors and its prices are the plugin's; only what
    comes back is a fake's, and no key need be there. So a program can be tested under the configuration that it has in
    production. `wires` holds what the service would have got.

    Args:
        provider: The id of an installed provider, or a plugin.
        answers: As for a `FakeProvider`.
        models: The ids that its listing shows.

    Raises:
        ConfigurationError: No installed plugin has this id.
        PluginError: The plugin cannot be used.
    """

    def __init__(
        self,
        provider: str | object,
        answers: Sequence[AnswerLike] | AnswerLike | Script = (),
        *,
        models: Sequence[str] = (),
    ) -> None:
        self.real = _bound(provider)
        super().__init__(self.real.info.id, answers, models=models)

    @hookimpl
    def jackfield_provider(self) -> ProviderInfo:
        """Return the plugin's provider info."""
        return self.real.info

    @hookimpl
    def jackfield_capabilities(self, model: ModelRef) -> Capabilities:
        """Return the capabilities from the plugin's table."""
        return self.real.capabilities(model)

    @hookimpl
    def jackfield_table(self, settings: Any) -> Sequence[str]:
        """Name the models of the plugin's table."""
        return self.real.table(settings)

    @hookimpl
    def jackfield_translate(
        self, model: ModelRef, request: Request, capabilities: Capabilities
    ) -> Translation:
        """Write the plugin's wire, and leave beside it what the fake needs to answer."""
        real = self.real.translate(model, request, capabilities)
        wire = attrs.evolve(real.wire, meta=meta_of(model, request), framing="jsonlines")
        return Translation(wire, real.report)

    @hookimpl
    def jackfield_error(self, model: ModelRef | None, failure: Failure) -> JackfieldError | None:
        """Return a scripted error as it is, and map a scripted status as the plugin does."""
        scripted = super().jackfield_error(model, failure)
        return self.real.error(model, failure) if scripted is None else scripted

    @hookimpl
    def jackfield_cost(self, model: ModelRef, usage: Usage, context: CostContext) -> RateCard | Cost | None:
        """Return the plugin's prices."""
        return self.real.cost(model, usage, context)

    @hookimpl
    def jackfield_transport(self, settings: Any) -> FakeTransport:
        """Answer in this process; the settings, and the secrets in them, are not asked."""
        del settings
        return FakeTransport(self)


def stand_ins(
    source: str | Path | Mapping[str, Any] | None = None,
    answers: Sequence[AnswerLike] | AnswerLike | Script = (),
    *,
    registry: Registry | None = None,
) -> dict[str, StandIn]:
    """Make a stand-in for every provider that a configuration names.

        fakes = stand_ins("jackfield.toml")
        registry = Registry.installed().extended(*fakes.values())
        mesh = Mesh.from_config("jackfield.toml", registry=registry)

    A provider whose plugin is missing or broken gets none: loading the configuration says what is wrong with it.

    Args:
        source: As for `Mesh.from_config`.
        answers: What each of them answers, as for a `FakeProvider`.
        registry: The real plugins; None takes those that are installed.

    Returns:
        By provider id.

    Raises:
        ConfigurationError: There is no configuration, or it cannot be read.
    """
    registry = Registry.installed() if registry is None else registry
    connections = read_document(source, registry).content.get("connections", {})
    tables = connections.values() if isinstance(connections, Mapping) else ()
    found = {}
    for table in tables:
        name = table.get("provider") if isinstance(table, Mapping) else None
        if isinstance(name, str) and name not in found:
            with suppress(ConfigurationError):  # of a plugin that is missing or broken
                found[name] = StandIn(registry.provider(name), answers)
    return found


def _bound(provider: str | object) -> Provider:
    if isinstance(provider, str):
        return Registry.installed().provider(provider)
    if isinstance(provider, Provider):
        return provider
    return bind_provider(provider, f"the plugin {getattr(provider, '__name__', type(provider).__name__)}")
