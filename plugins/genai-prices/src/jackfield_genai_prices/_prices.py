"""Look prices up in the genai-prices package, which is imported when a price is first needed.

Written for its versions 0.2.x. Only the bundled data is read: the background updates of the package are never started
(pydantic/genai-prices issue 703: newer data was once wrong where the bundled data was right).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import attrs

from ._billing import Biller

__all__ = ["Entry", "Found", "find"]

# What may follow a name that the data matches by its prefix: a date, a version, "latest".
_SUFFIX: Final = re.compile(r"([-@:](\d{8}|\d{4}(-\d{2}-\d{2})?|\d{2}-\d{2}|latest|v\d+(:\d+)?|v\d+@\d+))*")


@attrs.frozen
class Found:
    """Prices for one call.

    Attributes:
        amounts: US dollars, by the data's own keys (`input_mtok`).
        source: Where they are written.
        as_of: The day (ISO) from which they apply, or on which the data was at least up to date.
    """

    amounts: Mapping[str, Decimal]
    source: str
    as_of: str | None


@attrs.frozen
class Entry:
    """One model of the data."""

    provider: Any
    model: Any

    @property
    def context_window(self) -> int | None:
        """Its size in tokens; None if it is unknown."""
        window: int | None = self.model.context_window
        return window

    def prices(self, when: datetime, choices: Mapping[str, str], tokens: int | None) -> Found | None:
        """Return the prices at a time.

        Args:
            when: The time of the call.
            choices: What the caller chose (`{"service_tier": "flex"}`); each must have prices of its own.
            tokens: All input of the call; all tokens of a longer prompt may cost more.
        """
        own = any(self.model is model for model in self.provider.models)
        variants = (self.model.price_variants or ()) if own else ()
        priced = [v for v in variants if v.constraint is None or v.constraint.active(when)]
        for choice in choices.items():
            if choice != ("service_tier", "default") and not any(choice in v.when.items() for v in priced):
                return None
        price = self.model.get_prices(when, choices if own else None)
        amounts = {key: _amount(value, tokens) for key, value in vars(price).items() if value is not None}
        if not any(amounts.values()):
            return None  # a price of zero means that it is not public
        begin = _begin(self.model, when)
        since = begin if begin is not None else _newest(when.date())
        source = f"genai-prices {_version()}, {self.provider.id}: {self.model.id}"
        return Found(amounts, source, None if since is None else since.isoformat())


def find(biller: Biller) -> Entry | None:
    """Return the entry of a model, by the first of its names that is in the data."""
    for name in biller.models:
        found = _lookup(biller.name, name.lower())
        if found is not None:
            return found
    return None


@lru_cache(maxsize=512)
def _lookup(provider_id: str, name: str) -> Entry | None:
    known = _providers()
    provider = known.get(provider_id)
    if provider is None:
        return None
    model = provider.find_model(name, all_providers=list(known.values()))
    return Entry(provider, model) if model is not None and _is_exact(model.match, name) else None


def _is_exact(match: Any, name: str) -> bool:
    """Return whether a name is matched exactly; after a matching prefix, only a date or a version may follow.

    Older entries match any name with their prefix, so a new model would get the price of an old one (issue 173).
    """
    for attribute in ("or_", "and_"):
        inner = getattr(match, attribute, None)
        if inner is not None:
            fits = [one.is_match(name) and _is_exact(one, name) for one in inner]
            return any(fits) if attribute == "or_" else all(fits)
    begin = getattr(match, "starts_with", None)
    if begin is not None:
        return _SUFFIX.fullmatch(name.removeprefix(begin.lower())) is not None
    return bool(match.is_match(name))


def _amount(value: Any, tokens: int | None) -> Decimal:
    if isinstance(value, Decimal):
        return value
    amount: Decimal = value.base
    for tier in value.tiers:  # sorted by their starts
        if tokens is not None and tokens > tier.start:
            amount = tier.price
    return amount


def _begin(model: Any, when: datetime) -> date | None:
    """Return the day from which the model's price at a time applies, if it is in the data."""
    if not isinstance(model.prices, list):
        return None
    for dated in reversed(model.prices):
        if dated.constraint is None or dated.constraint.active(when):
            begin: date | None = getattr(dated.constraint, "start_date", None)
            return begin
    return None


@lru_cache(maxsize=64)
def _newest(day: date) -> date | None:
    """Return the latest day, up to a given one, on which a price in the data begins."""
    begins = [
        begin
        for provider in _providers().values()
        for model in provider.models
        if isinstance(model.prices, list)
        for dated in model.prices
        if (begin := getattr(dated.constraint, "start_date", None)) is not None and begin <= day
    ]
    return max(begins, default=None)


@lru_cache(maxsize=1)
def _providers() -> dict[str, Any]:
    """Load the bundled data, once; it takes a fifth of a second."""
    from genai_prices.data import providers

    return {provider.id: provider for provider in providers}


@lru_cache(maxsize=1)
def _version() -> str:
    from importlib.metadata import version

    return version("genai-prices")
