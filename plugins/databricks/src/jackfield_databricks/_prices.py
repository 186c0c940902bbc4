"""What tokens cost, in USD and in DBU."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

import attrs

from jackfield import Usage
from jackfield.plugin import ModelRef, RateCard

from ._models import row_of, table

__all__ = ["dbu", "rates", "with_dbu"]


def rates(model: ModelRef) -> RateCard | None:
    """Give the pay-per-token rates of a foundation model in the US; None if they are unknown.

    An endpoint of the customer's own is paid by the hour (provisioned throughput) or to another provider
    (external models), so its underlying model's pay-per-token rates say nothing of it.
    """
    return None if model.underlying is not None else _card(model.id)


@lru_cache(maxsize=256)
def _card(model: str) -> RateCard | None:
    row = row_of(model)
    if row is None or "price" not in row:
        return None
    whole = table()
    return RateCard.of(source=whole["sources"][row["source"]], as_of=whole["as_of"], **row["price"])


@lru_cache(maxsize=256)
def dbu(model: str) -> Mapping[str, Decimal] | None:
    """Give the DBU for one token of each kind; None if they are unknown."""
    card = _card(model)
    if card is None:
        return None
    usd = Decimal(table()["usd_per_dbu"])
    return {unit: rate.amount / rate.per / usd for unit, rate in card.rates.items()}


def with_dbu(usage: Usage, per_token: Mapping[str, Decimal], *, output: int | None) -> Usage:
    """Add the DBU of a usage to it.

    Args:
        usage: The usage.
        per_token: DBU for one token, by kind.
        output: Its output; None if it is not told yet, then there are no DBU yet either.
    """
    if usage.input_tokens is None or output is None:
        return usage
    total, plain = output * per_token["output"], usage.input_tokens
    for count, unit in ((usage.cached_input_tokens, "cache_read"), (usage.cache_write_tokens, "cache_write")):
        if count and unit in per_token:
            total += count * per_token[unit]
            plain -= count
    total += max(0, plain) * per_token["input"]
    # Nine places: what a division by 0.070 leaves behind is no information.
    return attrs.evolve(usage, units={**usage.units, "DBU": round(total, 9)})
