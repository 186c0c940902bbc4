"""Invoices computed by hand from the table of prices, November 2026."""

from decimal import Decimal

import pytest

import jackfield_cohere
from jackfield.plugin import ModelRef
from jackfield.testing import cost_of
from jackfield_cohere import rates, read_usage


def bill(model, told):
    return cost_of(jackfield_cohere, model, read_usage(told))


@pytest.mark.parametrize(
    ("model", "billed", "tokens", "amount"),
    [
        ("command-a-03-2025", (6772, 248), (7596, 645), "0.01941"),  # 6772 x 2.5 + 248 x 10, by the million
        ("command-r-08-2024", (46, 14), (1445, 43), "0.0000153"),
        ("command-r7b-12-2024", (1000, 100), (1500, 120), "0.0000525"),
        ("command", (5, 57), None, "0.000119"),
        ("command-light", (5, 57), None, "0.0000357"),
    ],
)
def test_what_is_billed_is_charged(model, billed, tokens, amount):
    told = {
        "billed_units": dict(zip(("input_tokens", "output_tokens"), billed, strict=True)),
        "cached_tokens": 40,
    }
    if tokens is not None:
        told["tokens"] = dict(zip(("input_tokens", "output_tokens"), tokens, strict=True))

    assert bill(model, told).amount == Decimal(amount)
    assert bill(model, told).status == "complete"


@pytest.mark.parametrize(
    "model",
    [
        "command-a-plus-05-2026",
        "command-a-reasoning-08-2025",
        "embed-multilingual-light-v3.0",
        "rerank-v3.5",
        "mine",
    ],
)
def test_what_nobody_publishes_is_unknown(model):
    assert rates(model) is None
    assert bill(model, {"billed_units": {"input_tokens": 5, "output_tokens": 5}}).status == "unknown"


def test_a_deployment_costs_what_its_model_costs():
    assert jackfield_cohere.jackfield_cost(ModelRef("mine", underlying="cohere:command")) == rates("command")
