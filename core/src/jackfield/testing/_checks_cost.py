"""Checks of rates and costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from jackfield._contract.protocols import CostContext
from jackfield._types.billing import compute_cost
from jackfield._types.capabilities import ModelRef
from jackfield._types.cost import Cost, RateCard
from jackfield._types.usage import Usage

from ._check import check
from ._checks_answers import read_answers
from ._findings import SkipCheck
from ._subject import PROBE_MODEL, Subject

_WHEN = 1_780_000_000.0
_NO_TIER = "a-tier-that-nobody-has"


def _cost(subject: Subject, model: ModelRef, usage: Usage) -> Cost | None:
    answer = subject.hooks.cost(model, usage, CostContext(when=_WHEN, kind=model.kind, duration=1.0))
    return compute_cost(usage, answer) if isinstance(answer, RateCard) else answer


def _priced(subject: Subject) -> Iterator[tuple[ModelRef, Callable[[Usage], Decimal | None]]]:
    """Return each model that has a price, and a function that prices tokens alone, without a fee per call.

    Raises:
        SkipCheck: There is none.
    """
    found = False
    for model, kind in subject.models:
        if kind == "count":
            continue

        def amount(usage: Usage, model: ModelRef = model) -> Decimal | None:
            total, fee = _cost(subject, model, usage), _cost(subject, model, Usage(0, 0))
            if total is None or total.amount is None:
                return None
            return total.amount - (Decimal(0) if fee is None or fee.amount is None else fee.amount)

        price = amount(Usage(1000, 1000))
        if price is not None and price != 0:
            found = True
            yield model, amount
    if not found:
        raise SkipCheck("it knows the price of no model that is tried")


@check(
    "cost.answers",
    law="jackfield_cost gives a RateCard, a Cost or None, for every model and every usage.",
    remedy="return None for what you do not know",
)
def answers(subject: Subject) -> Iterable[str]:
    for model, kind in subject.models:
        for usage in (Usage(), Usage(0, 0), Usage(10), Usage(10, 5, 3, 2, 1), Usage(None, 5)):
            answer: Any = subject.hooks.cost(model, usage, CostContext(when=_WHEN))
            if not isinstance(answer, RateCard | Cost | None):
                yield f"{kind} with {model.id}: it gives a {type(answer).__name__}"


@check(
    "cost.unknown_is_not_zero",
    law="A cost that is not known is unknown, never zero.",
    remedy="return None for a model without a price; do not put 0 in its place",
)
def unknown_is_not_zero(subject: Subject) -> Iterable[str]:
    for model, kind in subject.models:
        if model.id == PROBE_MODEL:
            cost = _cost(subject, model, Usage(1000, 1000))
            if cost is not None and cost.amount == 0:
                yield f"{kind} with {model.id}, which no table knows, costs 0"
        cost = _cost(subject, model, Usage())
        if cost is not None and cost.status == "complete" and kind != "rerank":
            yield f"{kind} with {model.id}: a call of which nothing is known costs exactly {cost.amount}"


@check(
    "cost.decimal",
    law="Money is Decimal.",
    remedy="use RateCard.of(source=..., input='2.50'); amounts are strings or integers",
)
def decimal(subject: Subject) -> Iterable[str]:
    for model, kind in subject.models:
        usage = Usage(1000, 1000)
        answer: Any = subject.hooks.cost(model, usage, CostContext(when=_WHEN))
        amounts: dict[str, Any] = {}
        if isinstance(answer, RateCard):
            amounts = {f"the rate for {unit}": rate.amount for unit, rate in answer.rates.items()}
        elif isinstance(answer, Cost):
            amounts = {"the amount": answer.amount}
        for what, amount in amounts.items():
            if not isinstance(amount, Decimal | None):
                yield f"{kind} with {model.id}: {what} is a {type(amount).__name__}"


@check(
    "cost.sourced",
    law="A rate says where it comes from and on which day it held.",
    remedy="pass source= and as_of= to RateCard.of",
    gentle=True,
)
def sourced(subject: Subject) -> Iterable[str]:
    for model, kind in subject.models:
        answer = subject.hooks.cost(model, Usage(1000, 1000), CostContext(when=_WHEN))
        for rate in answer.rates.values() if isinstance(answer, RateCard) else ():
            if rate.source in {"", "declared"} or rate.as_of is None:
                yield f"{kind} with {model.id}: the rate for {rate.unit}: source {rate.source!r}, as of {rate.as_of}"
                break


@check(
    "cost.tiers",
    law="Where answers report a tier, the price of a tier that the table does not know is unknown, not the usual one.",
    remedy="return None unless context.service_tier is None or a tier whose price is known",
)
def tiers(subject: Subject) -> Iterable[str]:
    if not any(folded.service_tier for _, folded in read_answers(subject, lambda _: True)):
        raise SkipCheck("no case reports a tier")
    usage = Usage(1000, 1000)
    for model, _ in _priced(subject):
        context = CostContext(when=_WHEN, kind=model.kind, duration=1.0, service_tier=_NO_TIER)
        answer = subject.hooks.cost(model, usage, context)
        cost = compute_cost(usage, answer) if isinstance(answer, RateCard) else answer
        if cost is not None and cost.status == "complete":
            yield f"{model.id}: an answer of the tier {_NO_TIER!r} costs exactly {cost.amount}"


@check(
    "cost.monotone",
    law="More tokens never cost less.",
    remedy="look at the tiers: a rate applies to the whole call or to what is above a bound, not to both",
)
def monotone(subject: Subject) -> Iterable[str]:
    for model, amount in _priced(subject):
        last = Decimal(0)
        for tokens in (1, 10, 1000, 100_000, 1_000_000):
            price = amount(Usage(tokens, tokens))
            if price is None or price < last:
                yield f"{model.id}: {tokens} tokens each way cost {price}, fewer cost {last}"
                break
            last = price


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other


@check(
    "cost.once",
    law="Every token is charged once: cached input, written input and thinking are parts of their totals.",
    remedy="give a RateCard and let the core do the arithmetic",
)
def once(subject: Subject) -> Iterable[str]:
    parts = {
        "cached input": (Usage(1000, 0, 400), Usage(600, 0), Usage(400, 0, 400)),
        "input written to a cache": (
            Usage(1000, 0, cache_write_tokens=400),
            Usage(600, 0),
            Usage(400, 0, cache_write_tokens=400),
        ),
        "thinking": (
            Usage(0, 1000, reasoning_tokens=400),
            Usage(0, 600),
            Usage(0, 400, reasoning_tokens=400),
        ),
    }
    for model, amount in _priced(subject):
        for what, (whole, plain, part) in parts.items():
            total, pieces = amount(whole), _sum(amount(plain), amount(part))
            if total is not None and pieces is not None and total != pieces:
                yield f"{model.id}: with {what}, 1,000 tokens cost {total}, their parts {pieces}"
        cached, plain_price = amount(Usage(1000, 0, 400)), amount(Usage(1000, 0))
        if cached is not None and plain_price is not None and cached > plain_price:
            yield f"{model.id}: 1,000 input tokens, 400 of them cached, cost {cached}; uncached they cost {plain_price}"
        thought, said = amount(Usage(0, 1000, reasoning_tokens=400)), amount(Usage(0, 1000))
        if thought is not None and said is not None and thought > said * 2:
            yield f"{model.id}: 1,000 output tokens with thinking cost {thought}, without {said}"


@check(
    "cost.adds_up",
    law="The costs of parts add up to the cost of the whole.",
    remedy="keep to rates per token; do not round",
)
def adds_up(subject: Subject) -> Iterable[str]:
    for model, amount in _priced(subject):
        whole, parts = amount(Usage(1000, 500)), _sum(amount(Usage(600, 200)), amount(Usage(400, 300)))
        if whole != parts:
            yield f"{model.id}: the whole costs {whole}, its parts {parts}"
