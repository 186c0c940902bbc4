"""Rates of tokens, in USD and in DBU."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Final

import attrs

from jackfield import Usage
from jackfield.plugin import ModelRef, RateCard

from ._models import row_of, table

__all__ = ["add_dbu", "dbu", "rates"]

_FOR_AN_HOUR: Final = "cache_write_1h_tokens"


def rates(model: ModelRef, usage: Usage) -> RateCard | None:
    """Return the pay-per-token rates of a foundation model in the US; None if they are unknown.

    What a prefix costs that the cache keeps for an hour is not published, and so such a call has no rates.
    An endpoint of the customer's own is paid per hour (provisioned throughput) or to another provider
    (external models), so the pay-per-token rates of its underlying model do not apply.
    """
    own = model.underlying is not None
    return None if own or usage.details.get(_FOR_AN_HOUR) else _build_card(model.id)


@lru_cache(maxsize=256)
def _build_card(model: str) -> RateCard | None:
    row = row_of(model)
    if row is None or "price" not in row:
        return None
    models = table()
    return RateCard.of(source=models["sources"][row["source"]], as_of=models["as_of"], **row["price"])


@lru_cache(maxsize=256)
def dbu(model: str) -> Mapping[str, Decimal] | None:
    """Return the DBU per token, by unit; None if they are unknown."""
    card = _build_card(model)
    if card is None:
        return None
    usd = Decimal(table()["usd_per_dbu"])
    return {unit: rate.amount / rate.per / usd for unit, rate in card.rates.items()}


def add_dbu(usage: Usage, per_token: Mapping[str, Decimal], *, output: int | None) -> Usage:
    """Return a usage with its DBU, as far as they are known (see `rates`).

    Args:
        usage: The usage.
        per_token: DBU per token, by unit.
        output: The output tokens; None if they are not known yet, so the DBU are not known, either.
    """
    if usage.input_tokens is None or output is None or usage.details.get(_FOR_AN_HOUR):
        return usage
    total, plain = output * per_token["output"], usage.input_tokens
    for count, unit in ((usage.cached_input_tokens, "cache_read"), (usage.cache_write_tokens, "cache_write")):
        if count and unit in per_token:
            total += count * per_token[unit]
            plain -= count
    total += max(0, plain) * per_token["input"]
    # Nine places: the digits that a division by 0.070 adds are not information.
    return attrs.evolve(usage, units={**usage.units, "DBU": round(total, 9)})
