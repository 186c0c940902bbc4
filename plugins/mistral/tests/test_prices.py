"""Rates and costs."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

import jackfield_mistral as mistral
from jackfield import Usage
from jackfield.plugin import CostContext, ModelRef
from jackfield.testing import cost_of
from jackfield_mistral import MistralSettings

NOW = datetime(2026, 11, 22, tzinfo=UTC).timestamp()


def card(model, settings=None, **context):
    told = CostContext(**{"when": NOW, "kind": "chat", **context})
    return mistral.jackfield_cost(ModelRef(model, settings=settings), told)


def amounts(*arguments, **context):
    found = card(*arguments, **context)
    return None if found is None else {unit: str(rate.amount) for unit, rate in found.rates.items()}


def test_the_reported_model_is_priced():
    assert amounts("mistral-small", reported_model="mistral-small-2603") == {
        "input": "0.15",
        "output": "0.6",
        "cache_read": "0.015",
    }


def test_the_day_chooses_the_rate():
    before = datetime(2026, 3, 15, tzinfo=UTC).timestamp()
    assert amounts("mistral-small-latest", when=before) == {"input": "0.1", "output": "0.3"}
    assert (
        amounts("mistral-large-4-0", when=datetime(2026, 10, 25, tzinfo=UTC).timestamp())["input"] == "1.36"
    )


def test_batches_and_tiers():
    assert amounts("mistral-large-2512", batch=True) == {"input": "0.25", "output": "0.75"}
    assert amounts("mistral-large-2407", batch=True) is None
    assert amounts("mistral-large-2512", service_tier="standard") is not None
    assert amounts("mistral-large-2512", service_tier="priority") is None


def test_a_regional_host_costs_a_tenth_more():
    europe = MistralSettings(base_url="https://api.eu.mistral.ai")
    found = card("mistral-large-2512", europe)
    assert found.rates["input"].amount == Decimal("0.55")
    assert found.rates["cache_read"].amount == Decimal("0.055")
    assert card("mistral-embed", europe, kind="embedding").rates["input"].amount == Decimal("0.1")
    assert card("mistral-large-2512", MistralSettings()).rates["input"].amount == Decimal("0.5")


@pytest.mark.parametrize(
    "model", ["mistral-large-latest", "open-mistral-nemo", "mistral-small-2402", "made-up"]
)
def test_uncertain_prices_are_unknown(model):
    assert card(model) is None


def test_costs_that_were_calculated_by_hand():
    # 8 plain at 0.15, 4 from the cache at 0.015, 5 out at 0.6 USD a million
    now = CostContext(when=NOW, kind="chat")
    cost = cost_of(mistral, "mistral-small-2603", Usage(12, 5, 4), now)
    assert (cost.status, cost.amount) == ("complete", Decimal("0.00000426"))
    seen = cost_of(mistral, "open-mixtral-8x7b", Usage(1_000_000, 1_000_000), now)
    assert seen.amount == Decimal("1.4")
