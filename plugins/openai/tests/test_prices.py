"""Rates of calls: tiers by prompt, by service tier, by day."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

import jackfield_openai
from jackfield import Usage
from jackfield.plugin import CostContext, ModelRef
from jackfield.testing import cost_of
from jackfield_openai import compatible, rates

NOW = datetime(2026, 11, 22, tzinfo=UTC).timestamp()


def card(model, *, tokens=1000, when=NOW, **context):
    return rates(ModelRef(model), Usage(tokens, 10), CostContext(when=when, **context))


def amounts(model, **facts):
    found = card(model, **facts)
    return None if found is None else {unit: str(rate.amount) for unit, rate in found.rates.items()}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4", {"input": "30", "output": "60"}),
        ("gpt-3.5-turbo", {"input": "0.5", "output": "1.5"}),
        ("gpt-3.5-turbo-0125", {"input": "0.5", "output": "1.5"}),
        ("gpt-4o-2024-11-20", {"input": "2.5", "output": "10", "cache_read": "1.25"}),
        ("gpt-4o-2024-05-13", {"input": "5", "output": "15"}),
        ("gpt-5.6", {"input": "4", "output": "20", "cache_read": "0.4", "cache_write": "5"}),
        (
            "gpt-6-luna-2026-09-01",
            {"input": "0.1", "output": "0.5", "cache_read": "0.01", "cache_write": "0.125"},
        ),
        ("text-embedding-3-small", {"input": "0.02"}),
        ("gpt-6.2-astra", None),
        ("nobody-knows", None),
    ],
)
def test_plain_rates(model, expected):
    assert amounts(model) == expected


def test_a_long_prompt_is_dearer_as_a_whole():
    assert amounts("gpt-5.5", tokens=272_000)["input"] == "5"
    assert amounts("gpt-5.5", tokens=272_001) == {"input": "10", "output": "45", "cache_read": "1"}


def test_the_tier_that_the_answer_reports_decides():
    assert amounts("gpt-5", service_tier="default")["input"] == "1.25"
    assert amounts("gpt-5", service_tier="flex")["input"] == "0.625"
    assert amounts("gpt-5", service_tier="priority") == amounts("gpt-5", service_tier="fast")
    assert amounts("gpt-5", service_tier="priority")["output"] == "20"
    assert amounts("gpt-5-nano", service_tier="priority") is None
    assert amounts("gpt-5", service_tier="scale") is None
    assert amounts("gpt-5", batch=True)["output"] == "5"


def test_the_day_of_the_call_chooses():
    june = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
    assert amounts("gpt-5.6-luna", when=june)["input"] == "1"
    assert amounts("gpt-5.6-luna")["input"] == "0.2"
    assert amounts("o3", when=datetime(2025, 5, 1, tzinfo=UTC).timestamp())["input"] == "10"


def test_the_model_that_answers_wins_over_the_alias():
    assert amounts("gpt-4o", reported_model="gpt-4o-2024-05-13")["input"] == "5"
    assert amounts("gpt-4o", reported_model="something-else")["input"] == "2.5"


def test_a_deployment_costs_what_its_model_costs():
    found = rates(ModelRef("prod", underlying="openai:gpt-4o"), Usage(1, 1), CostContext(when=NOW))
    assert found.rates["input"].amount == Decimal("2.5")


def test_every_token_is_charged_once():
    usage = Usage(1000, 500, cached_input_tokens=400, cache_write_tokens=100, reasoning_tokens=300)
    cost = cost_of(jackfield_openai, "gpt-5.6", usage, CostContext(when=NOW))
    assert cost.status == "complete"
    assert (
        cost.amount
        == (500 * Decimal(4) + 400 * Decimal("0.4") + 100 * Decimal(5) + 500 * Decimal(20)) / 1_000_000
    )
    assert {item.source for item in cost.items} == {"genai-prices 0.2.3"}


def test_a_service_may_report_the_cost_of_a_call():
    router = compatible(id="router", base_url="http://127.0.0.1:1/v1", cost="cost")
    told = router.jackfield_cost(CostContext(when=NOW, raw_usage={"cost": 0.0123}))
    assert (told.amount, told.currency, told.status) == (Decimal("0.0123"), "USD", "complete")
    assert router.jackfield_cost(CostContext(when=NOW, raw_usage={})) is None
    assert compatible(id="x").jackfield_cost(CostContext(when=NOW, raw_usage={"cost": 1})) is None
