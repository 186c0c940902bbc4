"""The live list of serving endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from jackfield import MalformedResponseError, ModelCard
from jackfield.plugin import Capabilities, Head, Kind, Listing, Wire, read_json

from ._errors import reject_page
from ._models import capabilities, retired

__all__ = ["listing"]

_KINDS: Final[Mapping[str, Kind]] = {
    "llm/v1/chat": "chat",
    "llm/v1/completions": "completion",
    "llm/v1/embeddings": "embedding",
}


def listing() -> Listing:
    """Return how to list serving endpoints: one page, without limits or prices.

    Source: Databricks SDK for Python 0.162.0, `serving_endpoints.list`.
    """
    return Listing(Wire("/api/2.0/serving-endpoints", method="GET", meta={"api": "models"}), _parse)


def _parse(head: Head, body: bytes) -> tuple[Sequence[ModelCard], Wire | None]:
    reject_page(head)
    value = read_json(body)
    entries = value.get("endpoints", []) if isinstance(value, Mapping) else None
    if not isinstance(entries, list):
        raise MalformedResponseError("the listing has no list of endpoints", body=body)
    return [_card(entry) for entry in entries], None


def _card(entry: Mapping[str, Any]) -> ModelCard:
    name = entry.get("name") or ""
    known: Capabilities = capabilities(name)
    kind = _KINDS.get(entry.get("task") or "")
    if kind is not None:
        known = attrs.evolve(known, known=True, kinds=frozenset({kind}))
    served = (entry.get("config") or {}).get("served_entities") or ()
    models = [_underlying_of(entity) for entity in served]
    return ModelCard(
        id=name,
        kinds=known.kinds,
        capabilities=known,
        limits=known.limits,
        underlying=next((model for model in models if model and model != name), None),
        title=entry.get("description") or None,
        retired=retired(name),
        data=entry,
    )


def _underlying_of(entity: Mapping[str, Any]) -> str | None:
    outside = entity.get("external_model") or {}
    if outside.get("name"):
        return f"{outside.get('provider', 'unknown')}:{outside['name']}"
    inside: str | None = (entity.get("foundation_model") or {}).get("name") or entity.get("entity_name")
    return inside
