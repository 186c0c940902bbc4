"""Validate the ids used as keys of `extra`: a call may go to several providers, and each takes what is under its id."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from jackfield._hints import suggestion
from jackfield._types.requests import EmbedRequest, Request, RerankRequest

if TYPE_CHECKING:
    from jackfield._contract.protocols import ProviderInfo
    from jackfield._plugins.registry import Registry

    from .connections import ConnectionConfig

__all__ = ["extra_fault", "extra_ids", "find_declared_faults", "keep_own_extra"]


def extra_ids(registry: Registry, connections: Iterable[ConnectionConfig]) -> frozenset[str]:
    """Return every id that may stand in `extra`: installed, declared, of a dialect, of this project, of a middleware."""
    from jackfield._plugins.known import known_plugins

    known = known_plugins()
    ids = {*registry.provider_ids(), *known.providers, *registry.names("middleware"), *known.middlewares}
    for connection in connections:
        ids.add(connection.provider_id)
        if connection.provider is not None:
            ids.update(connection.provider.info.related)
    return frozenset(ids)


def find_declared_faults(registry: Registry, connections: Collection[ConnectionConfig]) -> Iterator[str]:
    """Yield what is wrong with `extra` in the declared options of models; it takes all connections to know."""
    known = None
    for connection in connections:
        for entry in connection.models or ():
            extra = entry.options.get("extra")
            if not isinstance(extra, Mapping):
                continue
            known = extra_ids(registry, connections) if known is None else known
            fault = extra_fault(extra, known, connection.provider_id)
            if fault is not None:
                yield f"connections.{connection.name}.models[{entry.id}].options.extra{fault}"


def extra_fault(
    extra: Mapping[Any, Any], known: frozenset[str], provider: str, *, only_slips: bool = False
) -> str | None:
    """Return what is wrong with the ids of `extra`; None is nothing.

    Args:
        extra: What the caller wrote.
        known: Ids that may stand in it.
        provider: The id that its call goes to.
        only_slips: Middlewares of the program are there, which may read names of their own.
    """
    for name, value in extra.items():
        if name in known:
            if not isinstance(value, Mapping):
                return f".{name} must be a mapping, got {value!r}"
            continue
        meant = suggestion(str(name), known)
        if meant is not None and (not only_slips or _is_slip(str(name), known)):
            return f": there is no provider {name!r}; did you mean {meant!r}?"
        if not only_slips:
            return f': there is no provider {name!r}; write extra={{"{provider}": {{...}}}}'
    return None


def keep_own_extra(request: Request, info: ProviderInfo) -> Request:
    """Return a request whose `extra` holds what is for a provider and those it is related to, and nothing else.

    So nothing is sent that a middleware before it (a cache) must take for somebody else's.
    """
    extra = request.extra if isinstance(request, EmbedRequest | RerankRequest) else request.options.extra
    if not extra:
        return request
    kept = {name: said for name, said in extra.items() if name == info.id or name in info.related}
    if len(kept) == len(extra):
        return request
    if isinstance(request, EmbedRequest | RerankRequest):
        return attrs.evolve(request, extra=kept)
    return attrs.evolve(request, options=attrs.evolve(request.options, extra=kept))


def _is_slip(name: str, known: frozenset[str]) -> bool:
    """Return whether a name is all but a known one; a middleware may well read one that is merely like it."""
    import difflib

    return bool(difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.9))
