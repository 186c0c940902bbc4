"""The published rates."""

from __future__ import annotations

from typing import Final

from jackfield import Usage
from jackfield.plugin import CostContext, ModelRef, RateCard

from ._names import row_of, table

__all__ = ["rates"]

# Other tiers are priced differently or bought in advance; no published rate is known.
_PUBLISHED: Final = (None, "standard", "STANDARD", "ON_DEMAND")


def rates(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Return the rates of a call; None if they are unknown: a long prompt, another tier, audio, a batch.

    Google sets its own prices for Claude on Vertex AI, and they are unknown.

    Source and date are in the table.
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
    if usage.cached_input_tokens:  # cached input is cheaper by an unknown amount
        return None
    return RateCard.of(
        source=prices["price_source"],
        as_of=prices["as_of"],
        currency=prices["currency"],
        per=prices["per"],
        **price,
    )
