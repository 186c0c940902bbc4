"""Deployments: the model behind them determines the capabilities, never their name."""

from __future__ import annotations

import pytest

import jackfield_azure_openai as azure
from jackfield import ConfigurationError, Mesh, Message, UnsupportedError, Usage
from jackfield.plugin import ChatRequest, CostContext, CountRequest, ModelRef, Options
from jackfield_azure_openai._models import row_of


def deployment(underlying=None, name="prod", **declared):
    return ModelRef(name, underlying=underlying, declared={"id": name, **declared})


def known(underlying, **declared):
    return azure.jackfield_capabilities(deployment(underlying, **declared))


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
def test_limits_are_those_of_azure(underlying, kind, window, output):
    found = known(underlying)
    assert found.known
    assert found.kinds == {kind}
    assert (found.limits.context_window, found.limits.max_output_tokens) == (window, output)


def test_features_are_those_of_the_model_without_those_that_azure_lacks():
    found = known("gpt-4o")
    assert found.feature("tools").value is True
    assert found.lacks("documents")
    assert found.lacks("count_tokens")
    assert known("gpt-4o", route="responses").feature("documents").value is True
    assert known("gpt-5-pro").feature("documents").value is True


def test_nothing_follows_from_a_deployments_name():
    assert not azure.jackfield_capabilities(deployment(name="gpt-4o")).known
    assert azure.jackfield_cost(deployment(name="gpt-4o"), Usage(10, 10), CostContext(when=1.8e9)) is None


def test_models_of_others_have_another_name_for_the_limit():
    rules = known("grok-4").parameters
    assert rules["max_tokens"].wire == "max_tokens"
    model = deployment("grok-4")
    asked = ChatRequest((Message("user", "Hi"),), Options(max_tokens=5))
    made = azure.jackfield_translate(model, asked, azure.jackfield_capabilities(model))
    assert made.wire.body["max_tokens"] == 5


@pytest.mark.parametrize(
    "underlying", ["gpt-5-pro", "gpt-5.1-codex-2025-11-13", "codex-mini", "o3-deep-research"]
)
def test_models_of_the_responses_api_are_sent_there(underlying):
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


def test_both_parts_of_the_table_are_found_in_any_case():
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
