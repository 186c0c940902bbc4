"""The published rates."""

from __future__ import annotations

from typing import Final

from jackfield import Usage
from jackfield.plugin import CostContext, ModelRef, RateCard

from ._names import row_of, table

__all__ = ["rates"]

# Priced otherwise, or bought beforehand: no published rate is known for them.
_PUBLISHED: Final = (None, "standard", "STANDARD", "ON_DEMAND")


def rates(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Give the rates of a call; None if they are unknown: a long prompt, another tier, audio, a batch.

    Claude's prices on Vertex AI are Google's own, and none is known.

    Source: named in the table, with its date.
    """
    row = row_of(model.known_as)
    prices = table()
    price = row.get("price")
    if price is None or context.batch or context.service_tier not in _PUBLISHED:
        return None
    if (usage.input_tokens or 0) > row.get("price_up_to", float("inf")):
        return None
    if row.get("price_of_text") and usage.details.get("input_audio_tokens"):
        return None
    if usage.cached_input_tokens:  # what the cache gives is cheaper by an amount that no source tells
        return None
    return RateCard.of(
        source=prices["price_source"],
        as_of=prices["as_of"],
        currency=prices["currency"],
        per=prices["per"],
        **price,
    )
