"""The live list of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jackfield import MalformedResponseError, ModelCard
from jackfield.plugin import Head, Listing, ModelRef, Wire, read_json

from ._dialect import Dialect
from ._errors import raise_failure
from ._models import retired

__all__ = ["listing"]


def listing(dialect: Dialect) -> Listing | None:
    """Return how to list models; None if the service has no listing.

    Source: OpenAI's Python SDK 3.54.0: `id`, `created`, `owned_by`, `shutdown_date`; one page, no limits,
    no prices. Together returns a bare list, Ollama-like servers return `models`.
    """
    if dialect.models_path is None:
        return None

    def parse(_: Head, body: bytes) -> tuple[Sequence[ModelCard], Wire | None]:
        value = read_json(body)
        entries = value if isinstance(value, list) else value.get("data", value.get("models"))
        if not isinstance(entries, list):
            raise_failure(value)
            raise MalformedResponseError("the listing has no list of models", body=body)
        return [_card(dialect, entry) for entry in entries], None

    return Listing(Wire(dialect.models_path, method="GET", meta={"api": "models"}), parse)


def _card(dialect: Dialect, entry: Mapping[str, Any]) -> ModelCard:
    name = entry.get("id") or entry.get("name") or ""
    known = dialect.capabilities(ModelRef(name))
    return ModelCard(
        id=name,
        kinds=known.kinds,
        capabilities=known,
        limits=known.limits,
        retired=_parse_day(entry.get("shutdown_date")) or (retired(name) if known.known else None),
        data=entry,
    )


def _parse_day(value: Any) -> str | None:
    """Parse a day: seconds since the epoch, or text in ISO 8601."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).date().isoformat()
    return value[:10] if isinstance(value, str) and value else None
