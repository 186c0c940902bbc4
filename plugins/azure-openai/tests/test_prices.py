"""Costs: USD for a million tokens of input and one of output. Sources: genai-prices 0.2.3, litellm 1.109.1."""

from __future__ import annotations

from decimal import Decimal

import pytest

import jackfield_azure_openai as azure
from jackfield import Usage
from jackfield.plugin import CostContext, ModelRef
from jackfield.testing import cost_of

USED = Usage(1_000_000, 1_000_000, 0)
NOW = 1_795_400_000.0  # 2026-11-23


def cost(underlying, usage=USED, *, reported=None, tier=None, batch=False, **declared):
    model = ModelRef("prod", underlying=underlying, declared={"id": "prod", **declared})
    context = CostContext(when=NOW, reported_model=reported, service_tier=tier, batch=batch)
    return cost_of(azure, model, usage, context)


@pytest.mark.parametrize(
    ("underlying", "declared", "amount"),
    [
        ("gpt-4o", {}, "12.5"),
        ("gpt-35-turbo", {}, "2"),
        ("gpt-35-turbo-0613", {}, "3.5"),
        ("gpt-35-turbo-instruct", {}, "3.85"),
        ("gpt-4-turbo", {}, "40"),
        ("gpt-4-turbo", {"zone": "regional"}, "44"),
        ("gpt-4o-2024-08-06", {"zone": "eu"}, "13.75"),
        ("gpt-5.1", {"zone": "us"}, "12.375"),
        ("gpt-5.1-chat", {}, "11.25"),
        ("Llama-3.3-70B-Instruct", {}, "1.42"),
        ("mistral-large-latest", {}, "32"),
    ],
)
def test_costs(underlying, declared, amount):
    # gpt-5.1's window is 272,000 tokens, so no rate of longer prompts is met
    made = cost(underlying, Usage(250_000, 250_000, 0), **declared)
    assert made.status == "complete"
    assert made.amount == Decimal(amount) / 4


@pytest.mark.parametrize(
    ("underlying", "facts"),
    [
        ("gpt-4o", {"zone": "regional"}),
        ("gpt-4o", {"zone": "provisioned"}),
        ("gpt-4o-mini", {"zone": "eu"}),
        ("gpt-4o-2024-08-06", {"zone": "eu", "batch": True}),
        ("gpt-4o-2024-08-06", {"zone": "eu", "tier": "priority"}),
        ("ada", {}),
        ("an unknown model", {}),
    ],
)
def test_a_price_without_a_source_is_unknown(underlying, facts):
    assert cost(underlying, **facts).status == "unknown"


def test_embeddings_have_the_price_of_their_zone():
    used = Usage(1_000_000, 0)
    assert cost("text-embedding-3-small", used).amount == Decimal("0.02")
    assert cost("text-embedding-3-small", used, zone="regional").amount == Decimal("0.022")


def test_cached_input_of_a_pro_model_has_its_own_rate():
    assert cost("gpt-5.4-pro", Usage(100_000, 0, 100_000)).amount == Decimal("0.3")


def test_the_reported_model_determines_the_price():
    used = Usage(1000, 1000, 0)
    assert cost("gpt-4o", used, reported="gpt-4o-2024-05-13").amount == Decimal("0.02")
    assert cost("gpt-35-turbo-0613", used, reported="gpt-35-turbo").amount == Decimal("0.0035")


def test_a_router_charges_for_its_choice_and_a_fee():
    made = cost("model-router", Usage(1_000_000, 0, 500_000), reported="gpt-4.1-2025-04-14")
    # 2 and 0.5 a million, and 0.14 for each token of input
    assert made.amount == Decimal(1) + Decimal("0.25") + Decimal("0.14")
    assert cost("model-router").status == "unknown"
