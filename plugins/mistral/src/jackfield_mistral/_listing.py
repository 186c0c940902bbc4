"""The live list of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from jackfield import MalformedResponseError, ModelCard
from jackfield.plugin import Capability, Head, Kind, Listing, Wire, read_json

from ._models import capabilities, retired

__all__ = ["listing"]

# Our features by the words of the list; `completion_*` are kinds.
_FEATURES: Final[Mapping[str, tuple[str, ...]]] = {
    "function_calling": ("tools", "tool_choice"),
    "reasoning": ("reasoning",),
    "vision": ("images",),
    "audio": ("audio",),
}


def listing() -> Listing:
    """Return how to list models.

    Source: `BaseModelCard` and `ModelCapabilities` of the Python SDK 3.7.0; one page. Each alias is an entry.
    """
    return Listing(Wire("/v1/models", method="GET", meta={"api": "models"}), _parse)


def _parse(_: Head, body: bytes) -> tuple[Sequence[ModelCard], Wire | None]:
    value = read_json(body)
    entries = value.get("data") if isinstance(value, dict) else value
    if not isinstance(entries, list):
        raise MalformedResponseError("the listing has no list of models", body=body)
    return [_card(entry) for entry in entries], None


def _card(entry: Mapping[str, Any]) -> ModelCard:
    name = entry.get("id") or ""
    known = capabilities(entry.get("root") or name)  # a fine-tuned model names its base
    listed = entry.get("capabilities") or {}
    found = dict(known.features)
    for word, features in _FEATURES.items():
        if isinstance(listed.get(word), bool):
            for feature in features:
                found[feature] = Capability(value=listed[word], source="listing")
    kinds: set[Kind] = set()
    if listed.get("completion_chat"):
        kinds.add("chat")
    if listed.get("completion_fim"):
        kinds.add("completion")
    limits, context = known.limits, entry.get("max_context_length")
    if isinstance(context, int):
        limits = attrs.evolve(limits, context_window=context)
    known = attrs.evolve(
        known,
        known=True,
        kinds=frozenset(kinds) or known.kinds,
        features=found,
        limits=limits,
        source=known.source if known.known else "listing",
    )
    return ModelCard(
        id=name,
        kinds=known.kinds,
        capabilities=known,
        limits=limits,
        title=entry.get("name"),
        retired=retired(name),
        data=entry,
    )
