"""Google's own list of publisher models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from jackfield import MalformedResponseError, ModelCard
from jackfield.plugin import Frame, Head, Listing, ModelRef, Wire

from ._gemini_decoder import values_of
from ._models import capabilities
from ._names import row_of
from ._settings import VertexSettings

__all__ = ["listing"]


def listing(settings: VertexSettings) -> Listing:
    """Return how to list models; the list is incomplete, and has neither context windows nor prices.

    Source: Model Garden's `publishers.models.list` in v1beta1 (2026); it requires a quota project.
    """
    project = settings.quota_project or settings.project
    headers = {} if project is None or settings.quota_project else {"x-goog-user-project": project}
    first = Wire(
        "/v1beta1/publishers/google/models", method="GET", query={"pageSize": "100"}, headers=headers
    )

    def parse(_: Head, body: bytes) -> tuple[Sequence[ModelCard], Wire | None]:
        (value,) = values_of(Frame(body), stream=False)
        entries = value.get("publisherModels", [] if not value else None)
        if not isinstance(entries, list):
            raise MalformedResponseError("the listing has no list of models", body=body)
        cards = [_card(entry) for entry in entries]
        token = value.get("nextPageToken")
        return cards, attrs.evolve(first, query={**first.query, "pageToken": token}) if token else None

    return Listing(first, parse)


def _card(entry: Mapping[str, Any]) -> ModelCard:
    name = str(entry["name"]).rpartition("/")[2]
    known = capabilities(ModelRef(name))
    return ModelCard(
        id=name,
        # Kinds guessed from a name are not enough here: Google also publishes models of images and video.
        kinds=known.kinds if known.known else frozenset(),
        capabilities=known,
        limits=known.limits,
        retired=row_of(name).get("retired"),
        data=entry,
    )
