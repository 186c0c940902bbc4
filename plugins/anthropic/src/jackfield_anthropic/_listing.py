"""The live list of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from jackfield import MalformedResponseError, ModelCard
from jackfield.plugin import Capability, Head, Limits, Listing, ModelRef, Wire, read_json

from ._dialect import Dialect
from ._errors import raise_failure
from ._models import capabilities, retired

__all__ = ["listing"]

_FEATURES: Final[Mapping[str, str]] = {
    "image_input": "images",
    "pdf_input": "documents",
    "citations": "citations",
    "thinking": "reasoning",
}


def listing(dialect: Dialect) -> Listing:
    """Return how to list models.

    Source: Anthropic's Python SDK 2.12.0: pages of at most 1,000, `has_more` and `last_id`; limits, `lifecycle`
    and `capabilities` since 2026, no prices. Retired models are listed only when asked for.
    """
    first = Wire(dialect.models_path or "", method="GET", query={"limit": "1000"}, meta={"api": "models"})

    def parse(_: Head, body: bytes) -> tuple[Sequence[ModelCard], Wire | None]:
        value = read_json(body)
        raise_failure(value)
        entries = value.get("data") if isinstance(value, Mapping) else None
        if not isinstance(entries, list):
            raise MalformedResponseError("the listing has no list of models", body=body)
        cards = [_card(dialect, entry) for entry in entries]
        if not (value.get("has_more") and value.get("last_id")):
            return cards, None
        return cards, attrs.evolve(first, query={**first.query, "after_id": value["last_id"]})

    return Listing(first, parse)


def _card(dialect: Dialect, entry: Mapping[str, Any]) -> ModelCard:
    name = entry["id"]
    known = capabilities(dialect, ModelRef(name))
    declared = entry.get("capabilities") or {}
    features = {
        ours: Capability(bool(declared[theirs].get("supported")), "listing")
        for theirs, ours in _FEATURES.items()
        if isinstance(declared.get(theirs), Mapping)
    }
    if (declared.get("structured_outputs") or {}).get("supported"):
        features["json_schema"] = Capability(True, "listing")
    limits = Limits(
        context_window=entry.get("max_input_tokens") or known.limits.context_window,
        max_output_tokens=entry.get("max_tokens") or known.limits.max_output_tokens,
    )
    known = attrs.evolve(known, known=True, features={**known.features, **features}, limits=limits)
    return ModelCard(
        id=name,
        kinds=known.kinds,
        capabilities=known,
        limits=limits,
        title=entry.get("display_name"),
        retired=(entry.get("retires_at") or "")[:10] or retired(name),
        data=entry,
    )
