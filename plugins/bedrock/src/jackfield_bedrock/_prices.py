"""Amazon's published prices."""

from __future__ import annotations

from typing import Final

from jackfield import Usage
from jackfield.plugin import CostContext, ModelRef, RateCard

from ._models import row_of
from ._names import table

__all__ = ["rates"]

_DEFAULT_TIERS: Final = (None, "default", "auto", "standard")


def rates(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Return the rates of a call; None if they are unknown: for another tier, a batch, or cached input.

    The table's prices are not specific to a region; a price that is declared in the configuration takes precedence.

    Source: named in the table, with its date.
    """
    price = row_of(model.known_as).get("price")
    if price is None or context.batch or context.service_tier not in _DEFAULT_TIERS:
        return None
    if usage.cached_input_tokens or usage.cache_write_tokens:  # no source publishes prices of the cache
        return None
    known = table()
    return RateCard.of(
        source=known["price_source"],
        as_of=known["as_of"],
        currency=known["currency"],
        per=known["per"],
        **price,
    )
