"""The live list of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from jackfield import MalformedResponseError, ModelCard
from jackfield.plugin import Capability, Head, Kind, Listing, ModelRef, Wire, read_json

from ._dialect import Dialect
from ._errors import raise_failure
from ._models import capabilities, retired

__all__ = ["listing"]

_KINDS: Final[Mapping[str, Kind]] = {
    "chat": "chat",
    "generate": "completion",
    "summarize": "summarization",
    "embed": "embedding",
    "rerank": "rerank",
}
_FEATURES: Final[Mapping[str, str]] = {
    "json_mode": "json",
    "json_schema": "json_schema",
    "tools": "tools",
    "reasoning": "reasoning",
    "vision": "images",
}


def listing(dialect: Dialect) -> Listing | None:
    """Return how to list models; None if the service has no listing.

    Source: Cohere's Python SDK 7.3.1: pages of at most 1,000, `next_page_token`; endpoints, context length and
    features, no prices. Older listings name endpoints that their models reject, so the table takes precedence for kinds.
    """
    path = dialect.paths.get("models")
    if path is None:
        return None
    first = Wire(path, method="GET", query={"page_size": "1000"}, meta={"api": "models"})

    def parse(_: Head, body: bytes) -> tuple[Sequence[ModelCard], Wire | None]:
        value = read_json(body)
        raise_failure(value)
        entries = value.get("models") if isinstance(value, Mapping) else None
        if entries is None and isinstance(value, Mapping) and "name" in value:
            entries = [value]  # a single model, requested by name
        if not isinstance(entries, list):
            raise MalformedResponseError("the listing has no list of models", body=body)
        cards = [_card(dialect, entry) for entry in entries]
        token = value.get("next_page_token")
        return cards, attrs.evolve(first, query={**first.query, "page_token": token}) if token else None

    return Listing(first, parse)


def _card(dialect: Dialect, entry: Mapping[str, Any]) -> ModelCard:
    name = entry.get("name") or ""
    known = capabilities(dialect, ModelRef(name))
    listed = entry.get("features")
    features = {
        ours: Capability(theirs in listed, "listing")
        for theirs, ours in _FEATURES.items()
        if isinstance(listed, list)
    }
    kinds = (
        known.kinds
        if known.known
        else frozenset(_KINDS[endpoint] for endpoint in entry.get("endpoints") or () if endpoint in _KINDS)
    )
    context = entry.get("context_length")
    limits = attrs.evolve(
        known.limits, context_window=int(context) if context else known.limits.context_window
    )
    known = attrs.evolve(
        known, known=True, kinds=kinds, features={**known.features, **features}, limits=limits
    )
    return ModelCard(
        id=name, kinds=kinds, capabilities=known, limits=limits, retired=retired(name), data=entry
    )
