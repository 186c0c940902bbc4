"""Cohere's prices."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from jackfield.plugin import RateCard

__all__ = ["rates"]


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    import orjson

    table: Mapping[str, Any] = orjson.loads(Path(__file__).with_name("prices.json").read_bytes())
    return table


def rates(model: str) -> RateCard | None:
    """Give the rates of a model; None if no price is published.

    They price what Cohere bills (`billed_units`), which is less than what a model reads and writes.
    """
    table = _table()
    row = table["models"].get(model)
    if row is None:
        return None
    return RateCard.of(
        source=row["source"],
        as_of=table["as_of"],
        currency=table["currency"],
        per=table["per"],
        input=row["input"],
        output=row.get("output"),
    )
