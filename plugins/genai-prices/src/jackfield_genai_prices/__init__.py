"""Prices and context windows for Jackfield, from the genai-prices package."""

from __future__ import annotations

from jackfield.plugin import CostContext, ModelRef, RateCard, hookimpl

__all__ = ["context_window"]


@hookimpl
def jackfield_price(model: ModelRef, context: CostContext) -> RateCard | None:
    """Return the published rates of a model for one call; None if they are not in the data."""
    from ._rates import rates

    return rates(model, context)


def context_window(provider: str, model: str) -> int | None:
    """Return a model's context window in tokens; None if it is not in the data.

    Args:
        provider: The id of a provider of Jackfield.
        model: The model's id.
    """
    from ._billing import Biller
    from ._prices import find

    entry = find(Biller(provider, (model,)))
    return None if entry is None else entry.context_window
