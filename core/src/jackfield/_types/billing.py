"""The arithmetic that charges every token once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from .cost import UNKNOWN_COST, Cost, CostItem, CostStatus, RateCard
from .usage import Usage

__all__ = ["compute_cost", "sum_costs"]

# Rates of tokens and of requests begin like this; all others are of units.
_OF_TOKENS: Final = ("input", "output", "cache_", "reasoning", "request")

# Measures of what was computed for the same tokens: where tokens have a price, they are not a second bill.
_MEASURES: Final = frozenset({"DBU", "credit", "credits"})

_INPUT: Final = "input_tokens"
_OUTPUT: Final = "output_tokens"
_AT: Final = "@"
"""In the names of details, what separates a count from the model that it is of."""

# A count that is a part of a larger one, the rate that prices it, and the rate of the larger one, which
# prices the part where it has no rate of its own.
_INPUT_PARTS: Final = (("cached_input_tokens", "cache_read"), ("cache_write_tokens", "cache_write"))
_WRITE_FOR: Final = "cache_write_"
_ORDINARY_WRITE: Final = "cache_write_5m"
"""Cache writes of the lifetime that the rate `cache_write` is for."""


def compute_cost(usage: Usage, card: RateCard | None) -> Cost:
    """Charge every token once.

    Input that was cached or written to a cache is charged at its own rate, or as plain input where it
    has none; the rest as input. Details whose rate the card names are taken out of the count they are
    part of (`cache_write_1h_tokens` out of the cache writes, other `*_input_*`/`input_*` out of the plain
    input, `output_*` out of the output). Cache writes of a lifetime without a rate (`cache_write_1h`) are missing from the
    bill of a card that prices other cache writes; those of five minutes are the ordinary ones. Units (seconds, searches) are added; seconds, DBU and credits that no rate
    names are not a gap: they are a measure, and become a price only by a rate. DBU and credits measure the tokens
    themselves: a card that prices tokens does not charge them again. Where a service says what it bills
    (`billed_input_tokens`, `billed_output_tokens` of Cohere), that is charged, and none of its other counts. A card of units alone prices no tokens: that a machine is
    paid by the hour says that its tokens cost nothing more.
    """
    if card is None or not card.rates:
        return UNKNOWN_COST
    bill = _Bill(card)
    tokens_have_a_price = any(unit.startswith(_OF_TOKENS) for unit in card.rates)
    if tokens_have_a_price:
        own, others = _split_models(usage)
        _charge_input(bill, own)
        _charge_output(bill, own)
        for unit, count in others.items():
            bill.add(unit, count)
    else:
        bill.missing += [unit for unit in card.rates if unit not in usage.units]
    for unit, quantity in usage.units.items():
        measure = unit in _MEASURES
        if (measure and tokens_have_a_price) or ((measure or unit == "second") and not bill.has(unit)):
            continue
        bill.add(unit, quantity)
    if "request" in card.rates and "request" not in usage.units:
        bill.add("request", Decimal(1))
    return bill.total()


def _split_models(usage: Usage) -> tuple[Usage, Mapping[str, int]]:
    """Return the counts of the model that answered, and by unit those of other models (`input@model_tokens`).

    No rate of one model is charged for another's tokens: what has no rate of its own is missing from the bill.
    """
    others = {name.removesuffix("_tokens"): n for name, n in usage.details.items() if _AT in name}
    if not others:
        return usage, others
    taken = dict.fromkeys((_INPUT, _OUTPUT, *(count for count, _ in _INPUT_PARTS)), 0)
    for unit, quantity in others.items():
        kind = unit.partition(_AT)[0]
        taken[_OUTPUT if kind.startswith("output") else _INPUT] += quantity
        for count, part in _INPUT_PARTS:
            taken[count] += quantity if kind.startswith(part) else 0
    own: dict[str, Any] = {
        count: None if (all_of := getattr(usage, count)) is None else max(0, all_of - quantity)
        for count, quantity in taken.items()
    }
    details = {name: quantity for name, quantity in usage.details.items() if _AT not in name}
    return attrs.evolve(usage, **{**own, "details": details}), others


def sum_costs(costs: Sequence[Cost]) -> Cost:
    """Add up the costs of parts; they must share a currency, else the sum is unknown."""
    known = [cost for cost in costs if cost.amount is not None]
    currencies = {cost.currency for cost in known}
    if not known or len(currencies) != 1:
        return UNKNOWN_COST
    complete = all(cost.status == "complete" for cost in costs)
    return Cost(
        "complete" if complete else "partial",
        sum((cost.amount for cost in known if cost.amount is not None), Decimal(0)),
        known[0].currency,
        tuple(item for cost in known for item in cost.items),
        tuple(dict.fromkeys(name for cost in costs for name in cost.missing)),
    )


class _Bill:
    def __init__(self, card: RateCard) -> None:
        self.card = card
        self.items: list[CostItem] = []
        self.missing: list[str] = []

    def has(self, unit: str) -> bool:
        return unit in self.card.rates

    def add(self, unit: str, quantity: Decimal | int) -> None:
        quantity = Decimal(quantity)
        rate = self.card.rates.get(unit)
        if rate is None:
            if quantity:
                self.missing.append(unit)
            return
        if not quantity:
            return
        amount = quantity * rate.amount / rate.per
        self.items.append(CostItem(unit, quantity, rate.amount, rate.per, amount, rate.source, rate.as_of))

    def total(self) -> Cost:
        if not self.items and self.missing:
            return Cost("unknown", None, None, (), tuple(self.missing))
        amount = sum((item.amount for item in self.items), Decimal(0))
        status: CostStatus = "partial" if self.missing else "complete"
        return Cost(status, amount, self.card.currency, tuple(self.items), tuple(self.missing))


def _charge_input(bill: _Bill, usage: Usage) -> None:
    if usage.input_tokens is None:
        if bill.has("input"):
            bill.missing.append("input_tokens")
        return
    billed = usage.details.get("billed_input_tokens")
    if billed is not None:
        bill.add("input", billed)
        return
    plain, details = usage.input_tokens, _counted(usage)
    for count_name, unit in _INPUT_PARTS:
        count = getattr(usage, count_name) or 0
        rest = count
        for name, quantity in details:
            part = name.removesuffix("_tokens")
            if name.startswith(unit) and (bill.has(part) or _is_unpriced_lifetime(bill, part)):
                bill.add(part, quantity)  # without a rate it is missing from the bill
                rest -= quantity
        if bill.has(unit):
            bill.add(unit, rest)
            plain -= count
        else:
            plain -= count - rest
    plain -= _charge_details(bill, usage, "input_")
    # A service that counts more cached tokens than input tokens must not lower the bill by it.
    bill.add("input", max(0, plain))


def _counted(usage: Usage) -> list[tuple[str, int]]:
    """Return the details that count something: services name many, and most are 0."""
    return [detail for detail in usage.details.items() if detail[1]]


def _is_unpriced_lifetime(bill: _Bill, unit: str) -> bool:
    """Return whether these are cache writes of a lifetime that the card has no rate for, though it has rates of others.

    The rate of cache writes is that of the ordinary lifetime; longer ones cost more.
    """
    return (
        unit != _ORDINARY_WRITE
        and unit.startswith(_WRITE_FOR)
        and unit[len(_WRITE_FOR) : len(_WRITE_FOR) + 1].isdigit()
        and any(rate.startswith("cache_write") for rate in bill.card.rates)
    )


def _charge_output(bill: _Bill, usage: Usage) -> None:
    if usage.output_tokens is None:
        if bill.has("output"):
            bill.missing.append("output_tokens")
        return
    billed = usage.details.get("billed_output_tokens")
    if billed is not None:
        bill.add("output", billed)
        return
    plain = usage.output_tokens - _charge_details(bill, usage, "output_")
    reasoning = usage.reasoning_tokens or 0
    if reasoning and bill.has("reasoning"):
        bill.add("reasoning", reasoning)
        plain -= reasoning
    bill.add("output", max(0, plain))


def _charge_details(bill: _Bill, usage: Usage, prefix: str) -> int:
    taken = 0
    for name, quantity in _counted(usage):
        unit = name.removesuffix("_tokens")
        if name.startswith(prefix) and bill.has(unit):
            bill.add(unit, quantity)
            taken += quantity
    return taken
