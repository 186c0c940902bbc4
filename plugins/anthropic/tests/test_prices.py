"""Rates and costs. Expected amounts are worked out by hand from the table of the provider's page, November 2026."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

import jackfield_anthropic
from jackfield import Usage
from jackfield.plugin import CostContext, ModelRef
from jackfield.testing import cost_of

NOW = datetime(2026, 11, 22, tzinfo=UTC).timestamp()


def cost(model, usage, **context):
    return cost_of(jackfield_anthropic, model, usage, CostContext(**{"when": NOW, **context}))


INVOICES = {
    "plain": ("claude-sonnet-4-6", Usage(1_000_000, 100_000), {}, "4.5"),
    "each token once": (
        # 300,000 plain, 500,000 read, 100,000 written for 5 minutes, 100,000 for an hour: 0.9 + 0.15 + 0.375 + 0.6
        "claude-sonnet-4-6",
        Usage(1_000_000, 0, 500_000, 200_000, None,
              {"cache_write_5m_tokens": 100_000, "cache_write_1h_tokens": 100_000}),
        {}, "2.025",
    ),
    "thinking is output": ("claude-opus-4-8", Usage(0, 100_000, None, None, 60_000), {}, "2.5"),
    "dated id": ("claude-haiku-4-5-20251001", Usage(1_000_000, 0), {}, "1"),
    "latest": ("claude-3-5-haiku-latest", Usage(1_000_000, 0), {}, "0.8"),
    "long prompt": ("claude-haiku-5-5", Usage(200_000, 100_000), {}, "0.35"),
    "short prompt": ("claude-haiku-5-5", Usage(100_000, 100_000), {}, "0.06"),
    "before the change": (
        "claude-opus-4-6", Usage(1_000_000, 0), {"when": datetime(2026, 3, 12, tzinfo=UTC).timestamp()}, "10",
    ),
    "after the change": (
        "claude-opus-4-6", Usage(1_000_000, 0), {"when": datetime(2026, 3, 13, tzinfo=UTC).timestamp()}, "5",
    ),
    "batch": ("claude-opus-5", Usage(1_000_000, 100_000), {"service_tier": "batch"}, "3.75"),
    "called as batch": ("claude-opus-5", Usage(1_000_000, 100_000), {"batch": True}, "3.75"),
    "fast": ("claude-opus-5", Usage(1_000_000, 100_000), {"raw_usage": {"speed": "fast"}}, "15"),
    "fast and cached": ("claude-opus-5", Usage(1_000_000, 0, 1_000_000), {"raw_usage": {"speed": "fast"}}, "1"),
    "in the US": ("claude-opus-5", Usage(1_000_000, 100_000), {"raw_usage": {"inference_geo": "us"}}, "8.25"),
    "searches": ("claude-opus-5", Usage(0, 0, units={"web_search_request": Decimal(3)}), {}, "0.03"),
    "the model that answered": ("default", Usage(1_000_000, 0), {"reported_model": "claude-opus-5"}, "5"),
    "Claude 2": ("claude-2.1", Usage(1_000_000, 1_000_000), {}, "32"),
}  # fmt: skip


@pytest.mark.parametrize("name", INVOICES)
def test_invoices(name):
    model, usage, context, amount = INVOICES[name]
    bill = cost(model, usage, **context)
    assert (bill.amount, bill.status) == (Decimal(amount), "complete")


@pytest.mark.parametrize(
    ("model", "context"),
    [
        ("claude-of-tomorrow", {}),
        ("claude-instant-1.2", {}),  # its sources contradict one another tenfold
        ("claude-mythos-5", {}),
        ("claude-opus-5", {"service_tier": "priority"}),
        ("claude-3-haiku", {"batch": True}),
        ("claude-sonnet-5", {"raw_usage": {"speed": "fast"}}),
    ],
)
def test_what_has_no_published_price_is_unknown(model, context):
    context = CostContext(**{"when": NOW, **context})
    assert jackfield_anthropic.jackfield_cost(ModelRef(model), Usage(1000, 1000), context) is None


def test_a_count_that_is_not_told_is_no_zero():
    assert cost("claude-2.1", Usage()).status == "unknown"
    assert cost("claude-opus-5", Usage(10, 10, units={"web_fetch_request": Decimal(1)})).status == "partial"
