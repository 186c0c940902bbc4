"""What a model can do, by its declaration, listings and tables; also for deployments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

import attrs

from jackfield._types.capabilities import (
    Capabilities,
    Capability,
    Limits,
    ModelEntry,
    ModelRef,
    ParameterRule,
)
from jackfield._types.errors import ConfigurationError

if TYPE_CHECKING:
    from .registry import Provider, Registry

__all__ = ["find_underlying", "resolve_capabilities"]

S = TypeVar("S", Capability, ParameterRule)


def resolve_capabilities(
    registry: Registry,
    provider: Provider,
    model: ModelRef,
    entry: ModelEntry | None,
    *,
    listing: Capabilities | None = None,
) -> Capabilities:
    """Return what a model can do: what is declared precedes the service's listing, tables and what is inferred.

    This is the only place that knows the order; calls and the cards of `mesh.models` both come here.

    Args:
        registry: For the tables of other plugins, where a deployment's underlying model stands.
        provider: The connection's.
        model: The model.
        entry: Its entry in `models`, if there is one.
        listing: What the service's own listing says of it, if it was asked.
    """
    found = find_underlying(registry, provider, model)
    known = provider.capabilities(model) if found is None else found[0]
    if listing is not None:
        known = _add_listed(known, listing)
    return known if entry is None else _add_declared(known, entry)


def find_underlying(
    registry: Registry, provider: Provider, model: ModelRef
) -> tuple[Capabilities, str] | None:
    """Find the table entry of the model behind a deployment.

    It is looked up in the plugin's own table, then in those of plugins that it depends on (`ProviderInfo.related`),
    then in the named provider's, if that is installed.

    Returns:
        What is known of it, and `underlying` written so that `ModelRef.known_as` is the name it was found
        under; None if it is not a deployment, or no table knows it.
    """
    if model.underlying is None:
        return None
    own = provider.info.id
    prefix, names = _read_underlying(registry, model.underlying)
    for name in names:
        written = model.underlying if _find_known_as(model.underlying) == name else f"{own}:{name}"
        capabilities = provider.capabilities(attrs.evolve(model, underlying=written))
        if capabilities.known:
            return capabilities, written
    for name in names:
        written = model.underlying if _find_known_as(model.underlying) == name else f"{own}:{name}"
        for other in _find_others(registry, provider, prefix):
            capabilities = other.capabilities(ModelRef(name, model.connection, model.kind))
            if capabilities.known:
                # The model is the same; when this service lets go of it, another's table does not know.
                capabilities = attrs.evolve(capabilities, retired=None)
                related = other.info.id in provider.info.related
                return capabilities if related else _drop_wires(capabilities), written
    return None


def _read_underlying(registry: Registry, underlying: str) -> tuple[str | None, tuple[str, ...]]:
    # Model ids have colons of their own ("anthropic.claude-3-haiku-20240307-v1:0"), so what stands before
    # the first one is a provider only if it is the id of one.
    prefix, _, rest = underlying.partition(":")
    if not rest:
        return None, (underlying,)
    if registry.has_provider(prefix):
        return prefix, (rest,)
    return None, (underlying, rest)


def _find_known_as(underlying: str) -> str:
    return ModelRef("", underlying=underlying).known_as


def _find_others(registry: Registry, provider: Provider, named: str | None) -> Iterator[Provider]:
    ids = [*provider.info.related, *([named] if named else [])]
    for name in dict.fromkeys(ids):
        if name == provider.info.id or not registry.has_provider(name):
            continue
        try:
            yield registry.provider(name)
        except ConfigurationError:
            continue  # a broken neighbour knows nothing; its own connections say why


def _drop_wires(capabilities: Capabilities) -> Capabilities:
    # The model is the same, the service is another: how an option is called there says nothing here.
    parameters = {name: attrs.evolve(rule, wire=None) for name, rule in capabilities.parameters.items()}
    return attrs.evolve(capabilities, parameters=parameters)


def _add_listed(known: Capabilities, listed: Capabilities) -> Capabilities:
    """Return capabilities in which a listing precedes tables. A card may also contain facts of tables, and guesses."""
    if listed.source == "inferred" and known.known and not listed.known:
        kinds, limits = known.kinds or listed.kinds, _merge_limits(listed.limits, known.limits)
    else:
        kinds, limits = listed.kinds or known.kinds, _merge_limits(known.limits, listed.limits)
    features = {name: said for name, said in listed.features.items() if said.value is not None}
    return attrs.evolve(
        known,
        known=known.known or listed.known,
        kinds=kinds,
        features=_merge_by_source(known.features, features),
        parameters=_merge_by_source(known.parameters, listed.parameters),
        limits=limits,
        retired=listed.retired or known.retired,
        source=listed.source if _weigh(listed.source) > _weigh(known.source) else known.source,
    )


def _merge_by_source(known: Mapping[str, S], listed: Mapping[str, S]) -> dict[str, S]:
    """Return the known values, replaced by listed ones whose source counts for more."""
    weightier = {
        name: said
        for name, said in listed.items()
        if name not in known or _weigh(said.source) > _weigh(known[name].source)
    }
    return {**known, **weightier}


def _weigh(source: str) -> int:
    if source in {"inferred", "unknown"}:
        return 0
    return 2 if source.startswith("listing") else 1


def _add_declared(known: Capabilities, entry: ModelEntry) -> Capabilities:
    declared = known.with_features("declared", **entry.capabilities) if entry.capabilities else known
    if entry.kinds:
        declared = attrs.evolve(declared, kinds=entry.kinds)
    if entry.limits is not None:
        declared = attrs.evolve(declared, limits=_merge_limits(declared.limits, entry.limits))
    return declared


def _merge_limits(lower: Limits, upper: Limits) -> Limits:
    """Return the sizes of `upper`, and those of `lower` where `upper` has none."""
    told = {name: size for name, size in attrs.asdict(upper).items() if size is not None}
    return attrs.evolve(lower, **told)
