"""Invoices that were computed by hand: each amount with its arithmetic, and where its prices stand.

Prices are USD per million tokens: the providers' price pages as genai-prices 0.2.3 gives them (November 2026),
compared with litellm's map 1.109.1 of the same month where both know the model. No amount here was computed by
the code under test. Where a provider's plugin has prices of its own, the same invoice is made from those, too.
"""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest

import jackfield_genai_prices
from jackfield import Usage
from jackfield.plugin import CostContext, ModelRef
from jackfield.testing import FakeProvider, cost_of

NOVEMBER = datetime(2026, 11, 20, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Invoice:
    provider: str
    model: str
    usage: Usage
    amount: str
    when: datetime = NOVEMBER
    reported: str | None = None
    tier: str | None = None
    batch: bool = False
    raw: dict | None = None
    underlying: str | None = None
    own_table: bool = True  # the provider's own plugin must come to the same amount, if it has a price


def used(read, written, **more):
    return Usage(read, written, **more)


WROTE = {"cache_write_1h_tokens": 3_000}
BOTH = {"cache_write_5m_tokens": 1_000, "cache_write_1h_tokens": 3_000}

INVOICES = {
    # -- OpenAI. gpt-4o: 2.5 in, 1.25 cached, 10 out (openai.com price page, 2026-11).
    # 1,000 x 2.5 + 500 x 10 = 2,500 + 5,000 = 7,500 millionths
    "openai plain": Invoice(provider="openai", model="gpt-4o", usage=used(1_000, 500), amount="0.0075"),
    # (2,000 - 1,500) x 2.5 + 1,500 x 1.25 + 100 x 10 = 1,250 + 1,875 + 1,000 = 4,125
    "openai cached": Invoice(
        provider="openai",
        model="gpt-4o",
        usage=used(2_000, 100, cached_input_tokens=1_500),
        amount="0.004125",
    ),
    # gpt-5.5: 5 in, 0.5 cached, 30 out. Thinking is output: 100 x 5 + 2,000 x 30 = 500 + 60,000 = 60,500
    "openai thinking": Invoice(
        provider="openai", model="gpt-5.5", usage=used(100, 2_000, reasoning_tokens=1_900), amount="0.0605"
    ),
    # gpt-5.6-luna since 2026-07-30: 0.2 in, 0.25 written, 0.02 cached, 1.2 out
    # (10,000 - 4,000 - 5,000) x 0.2 + 4,000 x 0.02 + 5,000 x 0.25 + 1,000 x 1.2 = 200 + 80 + 1,250 + 1,200 = 2,730
    "openai cache written": Invoice(
        provider="openai",
        model="gpt-5.6-luna",
        usage=used(10_000, 1_000, cached_input_tokens=4_000, cache_write_tokens=5_000),
        amount="0.00273",
    ),
    # The same model before 2026-07-30: 1 in, 6 out. 1,000 x 1 + 1,000 x 6 = 7,000
    "openai before the cut": Invoice(
        provider="openai",
        model="gpt-5.6-luna",
        usage=used(1_000, 1_000),
        amount="0.007",
        when=datetime(2026, 7, 29, tzinfo=UTC),
    ),
    # A day later: 1,000 x 0.2 + 1,000 x 1.2 = 1,400
    "openai after the cut": Invoice(
        provider="openai",
        model="gpt-5.6-luna",
        usage=used(1_000, 1_000),
        amount="0.0014",
        when=datetime(2026, 7, 30, 12, tzinfo=UTC),
    ),
    # 272,000 tokens are not over the limit: 272,000 x 0.2 + 10 x 1.2 = 54,412
    "openai at the limit": Invoice(
        provider="openai", model="gpt-5.6-luna", usage=used(272_000, 10), amount="0.054412"
    ),
    # One more, and the whole prompt and its answer cost more: 0.4 in, 1.8 out: 272,001 x 0.4 + 10 x 1.8 = 108,818.4
    "openai over the limit": Invoice(
        provider="openai", model="gpt-5.6-luna", usage=used(272_001, 10), amount="0.1088184"
    ),
    # Over it with a cache, all at the higher rates (0.4, 0.04 cached, 1.8):
    # 100,000 x 0.4 + 200,000 x 0.04 + 1,000 x 1.8 = 40,000 + 8,000 + 1,800 = 49,800
    "openai over the limit, cached": Invoice(
        provider="openai",
        model="gpt-5.6-luna",
        usage=used(300_000, 1_000, cached_input_tokens=200_000),
        amount="0.0498",
    ),
    # gpt-5.6-sol since 2026-08-21: 4 in, 20 out; flex is half: 1,000 x 2 + 1,000 x 10 = 12,000
    "openai flex": Invoice(
        provider="openai", model="gpt-5.6-sol", usage=used(1_000, 1_000), tier="flex", amount="0.012"
    ),
    # ... and priority is double: 1,000 x 8 + 1,000 x 40 = 48,000
    "openai priority": Invoice(
        provider="openai", model="gpt-5.6-sol", usage=used(1_000, 1_000), tier="priority", amount="0.048"
    ),
    # "default" is the tier that answers name when none was chosen: 1,000 x 4 + 1,000 x 20 = 24,000
    "openai default tier": Invoice(
        provider="openai", model="gpt-5.6-sol", usage=used(1_000, 1_000), tier="default", amount="0.024"
    ),
    # A batch is half, cached input too: 1,000 x 2 + 1,000 x 0.2 + 1,000 x 10 = 2,000 + 200 + 10,000 = 12,200
    "openai batch": Invoice(
        provider="openai",
        model="gpt-5.6-sol",
        usage=used(2_000, 1_000, cached_input_tokens=1_000),
        batch=True,
        amount="0.0122",
    ),
    # -- Anthropic. claude-opus-4-8: 5 in, 0.5 cached, 6.25 written (5 min), 10 written (1 h), 25 out.
    # All input is 12,000: 2,000 plain, 6,000 cached, 4,000 written for 5 minutes.
    # 2,000 x 5 + 6,000 x 0.5 + 4,000 x 6.25 + 1,000 x 25 = 10,000 + 3,000 + 25,000 + 25,000 = 63,000
    "anthropic cache 5m": Invoice(
        provider="anthropic",
        model="claude-opus-4-8",
        usage=used(12_000, 1_000, cached_input_tokens=6_000, cache_write_tokens=4_000),
        amount="0.063",
    ),
    # 1,000 of the 4,000 written for 5 minutes, 3,000 for an hour:
    # 2,000 x 5 + 6,000 x 0.5 + 1,000 x 6.25 + 3,000 x 10 + 1,000 x 25 = 10,000 + 3,000 + 6,250 + 30,000 + 25,000 = 74,250
    "anthropic cache 5m and 1h": Invoice(
        provider="anthropic",
        model="claude-opus-4-8",
        usage=used(12_000, 1_000, cached_input_tokens=6_000, cache_write_tokens=4_000, details=WROTE),
        amount="0.07425",
    ),
    # The same with both parts named.
    "anthropic cache, both named": Invoice(
        provider="anthropic",
        model="claude-opus-4-8",
        usage=used(12_000, 1_000, cached_input_tokens=6_000, cache_write_tokens=4_000, details=BOTH),
        amount="0.07425",
    ),
    # A batch: everything half of the above: 74,250 / 2 = 37,125
    "anthropic batch": Invoice(
        provider="anthropic",
        model="claude-opus-4-8",
        usage=used(12_000, 1_000, cached_input_tokens=6_000, cache_write_tokens=4_000, details=WROTE),
        batch=True,
        amount="0.037125",
    ),
    # An answer may name the batch as its tier.
    "anthropic batch as a tier": Invoice(
        provider="anthropic",
        model="claude-opus-4-8",
        usage=used(1_000, 1_000),
        tier="batch",
        # 1,000 x 2.5 + 1,000 x 12.5 = 15,000
        amount="0.015",
    ),
    # Fast mode is double: 1,000 x 10 + 1,000 x 50 = 60,000
    "anthropic fast": Invoice(
        provider="anthropic",
        model="claude-opus-4-8",
        usage=used(1_000, 1_000),
        raw={"speed": "fast"},
        amount="0.06",
    ),
    # claude-sonnet-4-5 up to 200,000 tokens: 3 in, 15 out: 200,000 x 3 + 1,000 x 15 = 615,000
    "anthropic at the limit": Invoice(
        provider="anthropic",
        model="claude-sonnet-4-5",
        reported="claude-sonnet-4-5-20250929",
        usage=used(200_000, 1_000),
        tier="standard",
        amount="0.615",
    ),
    # Over it all of it: 6 in, 22.5 out: 200,001 x 6 + 1,000 x 22.5 = 1,222,506
    "anthropic over the limit": Invoice(
        provider="anthropic", model="claude-sonnet-4-5", usage=used(200_001, 1_000), amount="1.222506"
    ),
    # claude-haiku-5-5 has its limit at 100,000: five times the price above it (0.5 in, 2.5 out).
    # 100,001 x 0.5 + 1,000 x 2.5 = 50,000.5 + 2,500 = 52,500.5
    "anthropic haiku over its limit": Invoice(
        provider="anthropic", model="claude-haiku-5-5", usage=used(100_001, 1_000), amount="0.0525005"
    ),
    # -- Cohere. command-a: 2.5 in, 10 out (cohere.com/pricing, 2026-11). Billed units count, not tokens: of a
    # recorded answer 46 were billed where 755 tokens were read, 704 of them cached: 46 x 2.5 + 9 x 10 = 115 + 90 = 205
    "cohere billed units": Invoice(
        provider="cohere",
        model="command-a-03-2025",
        usage=used(
            755, 11, cached_input_tokens=704, details={"billed_input_tokens": 46, "billed_output_tokens": 9}
        ),
        amount="0.000205",
        own_table=False,
    ),
    # -- Mistral. mistral-large-4 since 2026-10-29: 0.7 in, 0.07 cached, 2.1 out; from 10-20 to 10-28: 1.36 and 4.18.
    # 400 x 0.7 + 600 x 0.07 + 1,000 x 2.1 = 280 + 42 + 2,100 = 2,422
    "mistral cached": Invoice(
        provider="mistral",
        model="mistral-large-4",
        usage=used(1_000, 1_000, cached_input_tokens=600),
        amount="0.002422",
        own_table=False,
    ),
    # 1,000 x 1.36 + 1,000 x 4.18 = 5,540
    "mistral before the cut": Invoice(
        provider="mistral",
        model="mistral-large-4",
        usage=used(1_000, 1_000),
        when=datetime(2026, 10, 28, tzinfo=UTC),
        amount="0.00554",
        own_table=False,
    ),
    # 1,000 x 0.35 + 1,000 x 1.05 = 1,400
    "mistral batch": Invoice(
        provider="mistral",
        model="mistral-large-4",
        usage=used(1_000, 1_000),
        batch=True,
        amount="0.0014",
        own_table=False,
    ),
    # -- Databricks. Llama 3.3 70B: 0.5 in, 1.5 out (DBU x 0.070 USD): 1,000 x 0.5 + 1,000 x 1.5 = 2,000
    "databricks": Invoice(
        provider="databricks",
        model="databricks-meta-llama-3-3-70b-instruct",
        reported="meta-llama-3.3-70b-instruct-121024",
        usage=used(1_000, 1_000),
        amount="0.002",
    ),
    # Another provider's model behind an endpoint is billed by that provider: gpt-4o, as in the first line.
    "databricks external model": Invoice(
        provider="databricks",
        model="mine",
        underlying="openai:gpt-4o",
        usage=used(1_000, 500),
        amount="0.0075",
    ),
    # -- Azure OpenAI, global prices: gpt-4o, 2.5 in, 10 out, as OpenAI's.
    "azure deployment": Invoice(
        provider="azure-openai",
        model="chat-prod",
        underlying="gpt-4o",
        usage=used(1_000, 500),
        amount="0.0075",
        own_table=False,
    ),
}


def context_of(invoice):
    return CostContext(
        when=invoice.when.timestamp(),
        kind="chat",
        provider=invoice.provider,
        input_tokens=invoice.usage.input_tokens,
        reported_model=invoice.reported,
        service_tier=invoice.tier,
        batch=invoice.batch,
        raw_usage=invoice.raw,
    )


def model_of(invoice):
    return ModelRef(invoice.model, underlying=invoice.underlying)


@pytest.mark.parametrize("name", INVOICES)
def test_the_extension_comes_to_the_amount(name):
    invoice = INVOICES[name]
    card = jackfield_genai_prices.jackfield_price(model_of(invoice), context_of(invoice))
    cost = cost_of(FakeProvider(price=card), model_of(invoice), invoice.usage)
    assert (cost.status, cost.amount, cost.currency) == ("complete", Decimal(invoice.amount), "USD")
    assert sum(item.amount for item in cost.items) == cost.amount
    for item in cost.items:
        assert item.source.startswith("genai-prices 0.2")
        assert item.as_of <= invoice.when.date().isoformat()


@pytest.mark.parametrize("name", [name for name, invoice in INVOICES.items() if invoice.own_table])
def test_the_providers_own_table_comes_to_the_same_amount(name):
    invoice = INVOICES[name]
    plugin = pytest.importorskip(f"jackfield_{invoice.provider.replace('-', '_')}")
    cost = cost_of(plugin, model_of(invoice), invoice.usage, context_of(invoice))
    if cost.status == "unknown":
        pytest.skip("the plugin's own table does not know it; the extension does")
    assert cost.amount == Decimal(invoice.amount)


def test_every_provider_and_case_has_an_invoice():
    assert {invoice.provider for invoice in INVOICES.values()} >= {"openai", "anthropic", "cohere", "mistral"}
    assert importlib.util.find_spec("genai_prices")
