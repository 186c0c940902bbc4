"""List the catalogue, with what of it is in the cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson

from jackfield import ModelCard
from jackfield.plugin import Head, Listing, Wire

from ._models import KINDS

if TYPE_CHECKING:
    from ._files.store import StoredModel

__all__ = ["LISTING", "encode_listing"]


def encode_listing(models: Sequence[StoredModel]) -> bytes:
    """Encode a listing as JSON."""
    return orjson.dumps({"models": [_to_row(model) for model in models]})


def _to_row(model: StoredModel) -> dict[str, Any]:
    entry = model.entry
    return {
        "id": entry.id,
        "title": entry.title,
        "kind": entry.kind,
        "licence": entry.licence,
        "remark": entry.remark,
        "parameters": entry.parameters,
        "download_bytes": entry.download_bytes,
        "ready": model.ready,
        "bytes": model.size,
    }


def _parse(_head: Head, body: bytes) -> tuple[Sequence[ModelCard], Wire | None]:
    return [_to_card(row) for row in orjson.loads(body)["models"]], None


def _to_card(row: dict[str, Any]) -> ModelCard:
    # Limits and features come from the table, which takes the connection's settings into account.
    return ModelCard(id=row["id"], kinds=KINDS.get(row["kind"], frozenset()), title=row["title"], data=row)


LISTING: Final = Listing(Wire("models", method="GET"), _parse)
