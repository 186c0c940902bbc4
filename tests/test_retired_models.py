"""A model that a table knows to be retired says so, wherever it is asked through."""

from __future__ import annotations

import pytest

from jackfield import Registry
from jackfield._plugins.capabilities import find_underlying
from jackfield.plugin import ModelRef

RETIRED = {
    "anthropic": "claude-2.1",
    "azure-openai": "gpt-4",
    "bedrock": "cohere.command-text-v14",
    "cohere": "embed-english-v2.0",
    "databricks": "databricks-meta-llama-3-1-405b-instruct",
    "mistral": "open-mistral-7b",
    "openai": "gpt-3.5-turbo",
    "vertex": "gemini-1.0-pro",
}


@pytest.mark.parametrize("provider", RETIRED)
def test_the_day_stands_in_the_capabilities(provider):
    if not Registry.installed().has_provider(provider):
        pytest.skip(f"jackfield-{provider} is not installed")
    hook = Registry.installed().provider(provider).capabilities
    day = hook(ModelRef(RETIRED[provider], underlying=RETIRED[provider])).retired
    assert day is not None
    assert "2020-01-01" < day < "2026-11-22"
    assert hook(ModelRef("nobody-knows-this", underlying="nobody-knows-this")).retired is None


def test_another_services_day_does_not_hold_for_a_deployment():
    registry = Registry.installed()
    for provider in ("azure-openai", "openai"):
        if not registry.has_provider(provider):
            pytest.skip(f"jackfield-{provider} is not installed")
    found = find_underlying(
        registry, registry.provider("azure-openai"), ModelRef("mine", underlying="anthropic:claude-2.1")
    )
    assert found is None or found[0].retired is None
