"""What is known of deployments: by the model behind them, never by their name."""

from __future__ import annotations

from decimal import Decimal

import pytest

import jackfield_azure_openai as azure
from jackfield import ConfigurationError, Mesh, Message, UnsupportedError, Usage
from jackfield.plugin import ChatRequest, CostContext, CountRequest, ModelRef, Options
from jackfield.testing import cost_of
from jackfield_azure_openai._models import row_of

USED = Usage(1_000_000, 1_000_000, 0)
NOW = 1_795_400_000.0  # 2026-11-23


def deployment(underlying=None, name="prod", **declared):
    return ModelRef(name, underlying=underlying, declared={"id": name, **declared})


def known(underlying, **declared):
    return azure.jackfield_capabilities(deployment(underlying, **declared))


def cost(underlying, usage=USED, *, reported=None, tier=None, batch=False, **declared):
    model = deployment(underlying, **declared)
    context = CostContext(when=NOW, reported_model=reported, service_tier=tier, batch=batch)
    return cost_of(azure, model, usage, context)


@pytest.mark.parametrize(
    ("underlying", "kind", "window", "output"),
    [
        ("gpt-35-turbo", "chat", 4097, 4096),
        ("gpt-5.4", "chat", 922000, 128000),
        ("gpt-5.2-chat", "chat", 111616, 16384),
        ("gpt-35-turbo-instruct", "completion", 4097, 4097),
        ("text-embedding-3-large", "embedding", 8192, None),
        ("Llama-3.3-70B-Instruct", "chat", 128000, 8192),
        ("grok-4", "chat", 262000, 8192),
        ("azure-openai:gpt-4o", "chat", 128000, 16384),
    ],
)
def test_limits_are_azures(underlying, kind, window, output):
    found = known(underlying)
    assert found.known
    assert found.kinds == {kind}
    assert (found.limits.context_window, found.limits.max_output_tokens) == (window, output)


def test_features_are_the_models_and_what_azure_lacks_is_said():
    found = known("gpt-4o")
    assert found.feature("tools").value is True
    assert found.lacks("documents")
    assert found.lacks("count_tokens")
    assert known("gpt-4o", route="responses").feature("documents").value is True
    assert known("gpt-5-pro").feature("documents").value is True


def test_a_deployments_name_says_nothing():
    assert not azure.jackfield_capabilities(deployment(name="gpt-4o")).known
    assert azure.jackfield_cost(deployment(name="gpt-4o"), USED, CostContext(when=NOW)) is None


def test_models_of_others_have_a_limit_of_another_name():
    rules = known("grok-4").parameters
    assert rules["max_tokens"].wire == "max_tokens"
    model = deployment("grok-4")
    asked = ChatRequest((Message("user", "Hi"),), Options(max_tokens=5))
    made = azure.jackfield_translate(model, asked, azure.jackfield_capabilities(model))
    assert made.wire.body["max_tokens"] == 5


@pytest.mark.parametrize(
    "underlying", ["gpt-5-pro", "gpt-5.1-codex-2025-11-13", "codex-mini", "o3-deep-research"]
)
def test_what_only_the_responses_api_serves_goes_there(underlying):
    model = deployment(underlying)
    made = azure.jackfield_translate(model, ChatRequest((Message("user", "Hi"),)), known(underlying))
    assert made.wire.path == "/responses"
    assert made.wire.body["model"] == "prod"


def test_rules_follow_the_underlying_model():
    asked = ChatRequest((Message("user", "Hi"),), Options(temperature=0))
    for underlying in ("gpt-5.2-chat", "gpt-5-mini", "o3"):
        with pytest.raises(UnsupportedError):
            azure.jackfield_translate(deployment(underlying), asked, known(underlying))
    azure.jackfield_translate(deployment("gpt-4.1"), asked, known("gpt-4.1"))


def test_tokens_are_not_counted_by_the_service():
    with pytest.raises(UnsupportedError, match="counts tokens"):
        azure.jackfield_translate(
            deployment("gpt-4o"), CountRequest((Message("user", "Hi"),)), known("gpt-4o")
        )


# -- prices. USD for a million tokens of input and one of output; sources: genai-prices 0.2.3, litellm 1.109.1 ---------


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
def test_invoices(underlying, declared, amount):
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


def test_the_model_that_answered_is_priced():
    used = Usage(1000, 1000, 0)
    assert cost("gpt-4o", used, reported="gpt-4o-2024-05-13").amount == Decimal("0.02")
    assert cost("gpt-35-turbo-0613", used, reported="gpt-35-turbo").amount == Decimal("0.0035")


def test_a_router_charges_for_its_choice_and_a_fee():
    made = cost("model-router", Usage(1_000_000, 0, 500_000), reported="gpt-4.1-2025-04-14")
    # 2 and 0.5 a million, and 0.14 for each token of input
    assert made.amount == Decimal(1) + Decimal("0.25") + Decimal("0.14")
    assert cost("model-router").status == "unknown"


def test_the_table_holds_what_it_says():
    assert row_of("GPT-4O") is row_of("gpt-4o")
    assert row_of("mistral-large-latest", "foundry") is not row_of("mistral-large-latest")


# -- loading ------------------------------------------------------------------------------------------------------


def config(*models):
    return {
        "connections": {
            "az": {"provider": "azure-openai", "endpoint": "https://x.openai.azure.com", "models": [*models]}
        }
    }


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"id": "prod"}, "which model is behind it"),
        ({"id": "prod", "underlying": "gpt-9000"}, "no table knows"),
        ({"id": "prod", "underlying": "gpt-4o", "zone": "moon"}, "zone"),
    ],
)
def test_a_deployment_of_an_unknown_model_is_refused_when_loaded(entry, why):
    with pytest.raises(ConfigurationError, match=why):
        Mesh.from_config(config(entry))


def test_deployments_must_be_declared():
    made = config()
    del made["connections"]["az"]["models"]
    with pytest.raises(ConfigurationError, match="underlying"):
        Mesh.from_config(made)


def test_a_retired_or_new_model_can_be_declared():
    price = {"input": "1", "output": "2"}
    Mesh.from_config(
        config({"id": "old", "underlying": "gpt-4-32k"}, {"id": "new", "kind": "chat", "price": price})
    )
