"""Amazon's published prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Usage
from jackfield.plugin import CostContext, ModelRef, RateCard

from ._models import row_of
from ._names import table

__all__ = ["rates"]

_DEFAULT_TIERS: Final = (None, "default", "auto", "standard")


def is_optimized(settings: Any, requested: Mapping[str, Any]) -> bool:
    """Return whether a call asks for optimized latency, which has rates of its own: in the body, or by the connection's header."""
    config = requested.get("performanceConfig")
    asked = config.get("latency") if isinstance(config, Mapping) else getattr(settings, "latency", None)
    return bool(asked == "optimized")


def rates(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Return the rates of a call; None if they are unknown: for another tier, a batch, or cached input.

    The table's prices are not specific to a region; a price that is declared in the configuration takes precedence.

    Source: named in the table, with its date.
    """
    price = row_of(model.known_as).get("price")
    tier = context.service_tier or getattr(model.settings, "service_tier", None)
    if price is None or context.batch or tier not in _DEFAULT_TIERS:
        return None
    if is_optimized(model.settings, context.requested):
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
