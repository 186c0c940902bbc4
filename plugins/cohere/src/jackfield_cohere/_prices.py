"""Cohere's prices."""

from __future__ import annotations

from jackfield.plugin import RateCard, load_table

__all__ = ["rates"]


def rates(model: str) -> RateCard | None:
    """Return the rates of a model; None if no price is published.

    They apply to what Cohere bills (`billed_units`), which is less than what a model reads and writes.
    """
    table = load_table(__file__, "prices.json")
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
