"""Find the rates of a call, and what it cost."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import attrs

from jackfield._types.capabilities import ModelEntry, ModelRef
from jackfield._types.cost import Cost, RateCard
from jackfield._types.errors import ConfigurationError

if TYPE_CHECKING:
    from jackfield._contract.protocols import CostContext
    from jackfield._plugins.registry import Provider, Registry
    from jackfield._types.usage import Usage

    from .price_file import PriceTable

__all__ = ["Pricing"]

_log = logging.getLogger("jackfield")


class Pricing:
    """Look up the rates of one connection's calls.

    Rates are looked for in this order: declared on the model or the connection, the price file, the plugin (and
    of a deployment the plugin that `underlying` names), an installed price extension. Unknown is never zero.

    Attributes:
        provider: The connection's.
        rate: What the connection declares for all of its models.
        registry: For the other plugins that know a price.
        table: The price file.
    """

    __slots__ = ("provider", "rate", "registry", "table")

    def __init__(
        self, provider: Provider, rate: RateCard | None, registry: Registry, table: PriceTable | None
    ) -> None:
        self.provider = provider
        self.rate = rate
        self.registry = registry
        self.table = table

    def cost(self, model: ModelRef, entry: ModelEntry | None, usage: Usage, context: CostContext) -> Cost:
        """Return what a call cost."""
        card = self._declared_card(entry) or self._table_card(model, context)
        if card is None:
            answer = self._plugin_price(model, usage, context)
            if isinstance(answer, Cost):
                return answer
            card = answer or self._extension_card(model, usage, context)
        from jackfield._types.billing import compute_cost  # a cost is computed when it is read

        return compute_cost(_complete_usage(usage, card, context), card)

    def card(
        self, model: ModelRef, entry: ModelEntry | None, usage: Usage, context: CostContext
    ) -> RateCard | None:
        """Return the rates alone, for listings and estimates."""
        card = self._declared_card(entry) or self._table_card(model, context)
        if card is None:
            answer = self._plugin_price(model, usage, context)
            card = answer if isinstance(answer, RateCard) else self._extension_card(model, usage, context)
        return card

    def _declared_card(self, entry: ModelEntry | None) -> RateCard | None:
        price = entry.price if entry is not None else None
        rate = (entry.rate if entry is not None else None) or self.rate
        if price is None or rate is None:
            return price or rate
        return attrs.evolve(price, rates={**rate.rates, **price.rates})

    def _table_card(self, model: ModelRef, context: CostContext) -> RateCard | None:
        if self.table is None:
            return None
        for name in dict.fromkeys((model.id, model.known_as)):
            card = self.table.rates(self.provider.info.id, name, context.when)
            if card is not None:
                return card
        return None

    def _plugin_price(self, model: ModelRef, usage: Usage, context: CostContext) -> RateCard | Cost | None:
        answer = _query_plugin(self.provider, model, usage, context)
        if answer is None and self.provider.gives_prices:
            other = self._find_underlying_provider(model.underlying)
            if other is not None:
                alike = ModelRef(model.known_as, model.connection, model.kind)
                answer = _query_plugin(other, alike, usage, context)
        return answer

    def _find_underlying_provider(self, underlying: str | None) -> Provider | None:
        """Return the other provider that `underlying` names.

        Not asked for a plugin that has no prices at all: what runs there is paid by the hour, and another's
        price of tokens would be wrong.
        """
        prefix, colon, _ = (underlying or "").partition(":")
        if not colon or prefix == self.provider.info.id or not self.registry.has_provider(prefix):
            return None
        try:
            return self.registry.provider(prefix)
        except ConfigurationError:
            return None  # it is broken; its own connections say why

    def _extension_card(self, model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
        told = attrs.evolve(context, provider=self.provider.info.id, input_tokens=usage.input_tokens)
        return self.registry.price(model, told)


def _query_plugin(
    provider: Provider, model: ModelRef, usage: Usage, context: CostContext
) -> RateCard | Cost | None:
    try:
        return provider.cost(model, usage, context)
    except Exception:
        # A bill that cannot be made must not cost the caller the answer.
        _log.exception("jackfield_cost of %s failed; the cost is unknown", provider.info.id)
        return None


def _complete_usage(usage: Usage, card: RateCard | None, context: CostContext) -> Usage:
    """Add what the kind of call and its duration say of its usage."""
    if context.kind in {"embedding", "rerank"} and usage.output_tokens is None:
        usage = attrs.evolve(usage, output_tokens=0)  # it has no output, so none is missing from the bill
    return _add_seconds(usage, card, context)


def _add_seconds(usage: Usage, card: RateCard | None, context: CostContext) -> Usage:
    """Add the call's own seconds where a rate wants them and the provider counts none."""
    if card is None or "second" not in card.rates or "second" in usage.units or context.duration is None:
        return usage
    from decimal import Decimal

    seconds = Decimal(str(round(context.duration, 6)))
    return attrs.evolve(usage, units={**usage.units, "second": seconds})
