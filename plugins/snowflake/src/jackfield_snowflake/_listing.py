"""The list of models that the caller may use: one page over REST, or a SHOW statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from jackfield import MalformedResponseError, ModelCard
from jackfield.plugin import Head, Listing, ModelRef, Wire, read_json

from ._models import capabilities, known_models, retired
from ._settings import SnowflakeSettings

__all__ = ["listing"]

_SHOW: Final = "SHOW CORTEX BASE MODELS IN SCHEMA SNOWFLAKE.MODELS"


def listing(settings: SnowflakeSettings) -> Listing:
    """Return how to list models. Sources: docs.snowflake.com, Cortex REST API (2026); snowflake.core 1.14.0."""

    def parse(_: Head, body: bytes) -> tuple[Sequence[ModelCard], Wire | None]:
        value = read_json(body)
        entries = _rows(value) if settings.by_sql else _entries(value)
        if entries is None:
            raise MalformedResponseError("the listing has no list of models", body=body)
        return [_card(entry, settings) for entry in entries], None

    if settings.by_sql:
        body = {"statement": _SHOW, "bind": {}}
        return Listing(Wire("show", body, meta={"api": "sql", "function": "show"}), parse)
    headers = {"Accept": "application/json"}
    return Listing(
        Wire("/api/v2/cortex/models", method="GET", headers=headers, meta={"api": "models"}), parse
    )


def _entries(value: Any) -> list[Mapping[str, Any]] | None:
    found = value if isinstance(value, list) else next(
        (value[name] for name in ("models", "data") if name in value), None
    )  # fmt: skip
    if not isinstance(found, list):
        return None
    return [entry if isinstance(entry, Mapping) else {"name": entry} for entry in found]


def _rows(value: Any) -> list[Mapping[str, Any]]:
    names = [str(name).lower() for name in value.get("columns") or ()]
    return [dict(zip(names, row, strict=False)) for row in value["rows"]]


def _card(entry: Mapping[str, Any], settings: SnowflakeSettings) -> ModelCard:
    name = str(entry.get("name") or entry.get("id") or entry.get("model") or "")
    if settings.by_sql and name.lower() in known_models():
        name = name.lower()  # SHOW returns identifiers in upper case
    known = capabilities(ModelRef(name, settings=settings))
    end = entry.get("eol_date")
    return ModelCard(
        id=name,
        kinds=known.kinds,
        capabilities=attrs.evolve(known, known=True),
        limits=known.limits,
        retired=str(end)[:10] if end else retired(name),
        data=entry,
    )
