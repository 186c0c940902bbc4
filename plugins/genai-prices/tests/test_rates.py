"""Rates of the extension: what is unknown, properties of every bill, laziness, and through a mesh."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest
from hypothesis import given, settings, strategies as st

import jackfield_genai_prices as extension
from jackfield import Mesh, Registry, Usage
from jackfield.plugin import CostContext, ModelRef
from jackfield.testing import Answer, FakeProvider, RecordingServer, cost_of

NOW = datetime(2026, 11, 20, tzinfo=UTC).timestamp()
CHAT = {"id": "c", "model": "gpt-4o-2024-08-06", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1_000, "completion_tokens": 500, "total_tokens": 1_500}}  # fmt: skip


def card(provider, model, *, underlying=None, when=NOW, **context):
    told = CostContext(when=when, provider=provider, **context)
    return extension.jackfield_price(ModelRef(model, underlying=underlying), told)


def input_of(found):
    return None if found is None else str(found.rates["input"].amount)


@pytest.mark.parametrize(
    ("provider", "model", "context"),
    [
        ("openai", "gpt-nobody-knows", {}),
        ("openai", "gpt-4o", {"service_tier": "scale"}),  # no published price
        ("anthropic", "claude-opus-4-8", {"service_tier": "priority"}),  # by contract
        ("anthropic", "claude-opus-4-8", {"raw_usage": {"inference_geo": "us"}}),
        ("anthropic", "claude-3-opus-foo", {}),  # matched by its beginning alone
        (
            "anthropic",
            "claude-opus-4-8",
            {"batch": True, "when": 1_780_000_000},
        ),  # before the data has batches
        ("mistral", "mistral-large-latest", {"batch": True}),
        ("azure-openai", "gpt-4o", {"batch": True}),  # the price of a batch is OpenAI's own, not Azure's
        ("onnx", "smollm2-135m", {}),
        ("sagemaker", "gpt-4o", {}),
        ("snowflake", "claude-opus-4-8", {}),
        ("some-gateway", "gpt-4o", {}),
        (None, "gpt-4o", {}),
    ],
)
def test_what_has_no_published_price_is_unknown(provider, model, context):
    assert card(provider, model, **context) is None


@pytest.mark.parametrize(
    ("model", "underlying", "expected"),
    [
        ("databricks-bge-large-en", None, "0.1"),
        ("mine", "databricks:databricks-bge-large-en", None),  # paid by the hour
        ("mine", "databricks-bge-large-en", None),
        ("mine", "anthropic:claude-opus-4-8", "5"),
    ],
)
def test_who_bills_on_databricks(model, underlying, expected):
    assert input_of(card("databricks", model, underlying=underlying)) == expected


def test_the_model_that_answered_counts_more_than_the_alias():
    """gpt-4o-2024-05-13 cost twice what gpt-4o costs (pydantic/genai-prices pull 496)."""
    assert input_of(card("openai", "gpt-4o")) == "2.5"
    assert input_of(card("openai", "gpt-4o", reported_model="gpt-4o-2024-05-13")) == "5"
    assert input_of(card("openai", "gpt-4o", reported_model="what-nobody-knows")) == "2.5"


def test_context_windows():
    assert extension.context_window("anthropic", "claude-sonnet-4-5") == 200_000
    assert extension.context_window("azure-openai", "gpt-4o") == 128_000
    assert extension.context_window("openai", "gpt-nobody-knows") is None


MODELS = [
    ("openai", "gpt-5.6-luna"), ("openai", "gpt-4o"), ("openai", "gpt-4o-audio-preview"), ("anthropic", "claude-opus-4-8"),
    ("anthropic", "claude-sonnet-4-5"), ("cohere", "command-a-03-2025"), ("mistral", "mistral-large-4"),
    ("azure-openai", "gpt-4o"), ("databricks", "databricks-glm-5-2"), ("vertex", "gemini-2.5-flash"), ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
]  # fmt: skip


def charged(usage, rates):
    """Return the cost of a call by these rates."""
    return cost_of(FakeProvider(price=rates), "m", usage)


@st.composite
def usages(draw):
    """A usage whose parts are parts: cached and written of the input, one hour of the written, thinking of the output."""
    plain, cached, short, hour = (draw(st.integers(0, 200_000)) for _ in range(4))
    said, thought = draw(st.integers(0, 50_000)), draw(st.integers(0, 50_000))
    details = {"cache_write_1h_tokens": hour} if hour or draw(st.booleans()) else {}
    if details and draw(st.booleans()):
        details["cache_write_5m_tokens"] = short
    return Usage(plain + cached + short + hour, said + thought, cached, short + hour, thought, details)


def as_reported(usage, rates):
    """Return a usage as a service without an hour's price reports it: its writes have one lifetime."""
    one = "cache_write" in rates.rates and "cache_write_1h" not in rates.rates
    return attrs.evolve(usage, details={}) if one else usage


@pytest.mark.parametrize(("provider", "model"), MODELS)
@settings(max_examples=60, deadline=None)
@given(usage=usages())
def test_each_token_is_charged_once_and_the_parts_sum_to_the_whole(provider, model, usage):
    found = card(provider, model, input_tokens=usage.input_tokens)
    cost = charged(as_reported(usage, found), found)
    quantities = {item.unit: item.quantity for item in cost.items}
    into = sum(q for unit, q in quantities.items() if unit.startswith(("input", "cache_")))
    out = sum(q for unit, q in quantities.items() if unit.startswith(("output", "reasoning")))
    assert (into, out) == (usage.input_tokens, usage.output_tokens)
    assert cost.status == "complete"
    assert cost.amount == sum((item.amount for item in cost.items), Decimal(0))
    for item in cost.items:
        assert item.amount == item.quantity * item.rate / item.per
        assert item.amount > 0
        assert item.source
        assert item.as_of


@pytest.mark.parametrize(("provider", "model"), MODELS)
@settings(max_examples=30, deadline=None)
@given(usage=usages())
def test_the_bill_is_the_packages_own(provider, model, usage):
    """The package's calculator is a second opinion: same data, other arithmetic."""
    import genai_prices

    from jackfield_genai_prices._billing import NAMES

    hour = usage.details.get("cache_write_1h_tokens", 0)
    theirs = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=hour,
    )
    price = genai_prices.calc_price(
        theirs,
        model,
        provider_id=NAMES.get(provider, provider),
        genai_request_timestamp=datetime.fromtimestamp(NOW, UTC),
    )
    found = card(provider, model, input_tokens=usage.input_tokens)
    assert charged(as_reported(usage, found), found).amount == price.total_price


def test_no_price_below_the_cached_one_is_made_of_counts_that_contradict():
    usage = Usage(10, 0, cached_input_tokens=20)
    cost = charged(usage, card("openai", "gpt-4o"))
    assert cost.amount == Decimal("0.000025")


def test_a_usage_that_is_not_told_is_not_free():
    assert charged(Usage(), card("openai", "gpt-4o")).status == "unknown"
    assert charged(Usage(10, None), card("openai", "gpt-4o")).status == "partial"


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_it_loads_neither_the_package_nor_pydantic():
    assert run("import jackfield_genai_prices, sys; print({'genai_prices', 'pydantic', 'httpx2'} & set(sys.modules))") == "set()"  # fmt: skip


def test_asking_for_a_price_starts_no_thread_and_opens_no_socket():
    code = """
import sys, threading
heard = []
sys.addaudithook(lambda event, args: heard.append(event) if event.startswith("socket.c") else None)
from jackfield.plugin import CostContext, ModelRef
import jackfield_genai_prices as e
assert e.jackfield_price(ModelRef("gpt-4o"), CostContext(when=1.79e9, provider="openai"))
print(heard, threading.active_count())
"""
    assert run(code) == "[] 1"


def test_it_is_bound_as_an_extension():
    registry = Registry.of(extensions=[extension])
    told = CostContext(when=NOW, provider="openai")
    assert input_of(registry.price(ModelRef("gpt-4o"), told)) == "2.5"
    assert not registry.has_observers or registry.names("extension")


@pytest.mark.parametrize(("declared", "amount", "source"), [({}, "0.0075", "genai-prices"), ({"price": {"input": "1", "output": "1"}}, "0.0015", "declared")])  # fmt: skip
async def test_through_a_mesh_it_prices_what_no_one_else_knows(declared, amount, source):
    """An OpenAI deployment on Databricks: the plugin has no price of it, a declared one comes first."""
    databricks = pytest.importorskip("jackfield_databricks")
    openai = pytest.importorskip("jackfield_openai")
    registry = Registry.of(databricks, openai, extensions=[extension])
    entry = {"id": "mine", "underlying": "openai:gpt-4o", **declared}
    async with RecordingServer() as server:
        server.answer(Answer.json(CHAT))
        connection = {"provider": "databricks", "host": server.url, "models": [entry]}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DATABRICKS_TOKEN", "dapi-made-up")
            async with Mesh.from_config({"connections": {"db": connection}}, registry=registry) as mesh:
                cost = (await mesh.chat("db:mine", "Hello")).cost
    assert (cost.status, cost.amount) == ("complete", Decimal(amount))
    assert all(item.source.startswith(source) for item in cost.items)
