"""Token counts of Cortex, and the declared credits that they cost."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from jackfield import Usage
from jackfield.plugin import ModelRef, Rate, RateCard, read_count, read_quantity

__all__ = ["credit_card", "credits_of", "read_usage", "with_credits"]

_FOR_AN_HOUR: Final = "cache_write_1h_tokens"
_MILLION: Final = 1_000_000
_SOURCE: Final = "declared credits"
_COUNTS: Final = (
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
)


def read_usage(raw: Any) -> Usage:
    """Convert the usage of `inference:complete`, `inference:embed` or a SQL function.

    Sources: docs.snowflake.com, COMPLETE and Cortex REST API (2026); snowflake.core 1.14.0. If cached tokens are not
    part of the prompt's, the total shows it. The tokens of Cortex Guard are billed separately.
    """
    if not isinstance(raw, Mapping):
        return Usage()
    get = raw.get
    prompt, out, total, read, written = (read_count(get(name)) for name in _COUNTS)
    parts = (read or 0) + (written or 0)
    if parts and prompt is not None and out is not None and total == prompt + out + parts:
        prompt += parts
    if prompt is None and out is None:
        prompt = total  # an embedding's
    guard = read_quantity(get("guard_tokens", get("guardrails_tokens")))
    units = {"guard_token": guard} if guard else {}
    return Usage(prompt, out, read, written, units=units)


def credits_of(model: ModelRef) -> Mapping[str, Decimal] | None:
    """Return the credits per token of each kind, if they are declared."""
    declared = model.declared.get("credits")
    if not isinstance(declared, Mapping):
        return None
    return {unit: Decimal(amount) / _MILLION for unit, amount in declared.items()}


def with_credits(usage: Usage, per_token: Mapping[str, Decimal], *, embeds: bool = False) -> Usage:
    """Return a usage with its credits added, if all counts have a rate."""
    out = 0 if embeds else usage.output_tokens
    if (
        usage.input_tokens is None
        or out is None
        or "input" not in per_token
        or (out and "output" not in per_token)
        or usage.details.get(_FOR_AN_HOUR)  # the table has no row for it: the cost is partial
    ):
        return usage
    total, plain = out * per_token.get("output", Decimal(0)), usage.input_tokens
    for count, unit in ((usage.cached_input_tokens, "cache_read"), (usage.cache_write_tokens, "cache_write")):
        if count and unit in per_token:
            total += count * per_token[unit]
            plain -= count
    total += max(0, plain) * per_token["input"]
    units = dict(usage.units)
    if "guard" in per_token and "guard_token" in units:
        total += units.pop("guard_token") * per_token["guard"]
    return attrs.evolve(usage, units={**units, "credit": round(total, 12)})


def credit_card(model: ModelRef, usage: Usage) -> RateCard | None:
    """Return the rates of a call in credits, which are its cost if the price of a credit is not declared.

    If some counts have no declared credits, the cost is partial and says what is missing.
    """
    declared = model.declared.get("credits")
    if not isinstance(declared, Mapping):
        # The account pays credits, not the prices of the company that made the model behind a deployment.
        return None if model.underlying is None else RateCard({}, "credit")
    if "credit" in usage.units:
        return RateCard({"credit": Rate("credit", Decimal(1), per=1, source=_SOURCE)}, "credit")
    rates = {
        unit: Rate(unit, Decimal(amount), source=_SOURCE)
        for unit, amount in declared.items()
        if unit != "guard"
    }
    return RateCard(rates, "credit")
