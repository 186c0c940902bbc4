"""An address that cannot be one is a mistake of the configuration, for every provider."""

from __future__ import annotations

import pytest

from jackfield import ConfigurationError, Registry, load_config

KEYS = {"azure-llm": "target_uri", "azure-openai": "endpoint", "databricks": "host"}
MODELS = [{"id": "mine", "underlying": "openai:gpt-4o"}]


@pytest.mark.parametrize("provider", Registry.installed().provider_ids())
@pytest.mark.parametrize("address", ["https://...", "service.example/v1"])
def test_a_base_url_that_is_no_address(provider, address):
    info = Registry.installed().provider(provider).info
    if "base_url" not in {field.name for field in info.settings.__attrs_attrs__}:
        pytest.skip(f"{provider} has no base_url")
    table = {
        "provider": provider,
        "base_url": address,
        **({"models": MODELS} if info.requires_models else {}),
    }
    with pytest.raises(
        ConfigurationError, match=r"connections\.c\.base_url: (names no host|must begin with)"
    ):
        load_config({"connections": {"c": table}}, Registry.installed())


@pytest.mark.parametrize("provider", KEYS)
def test_an_address_under_another_name(provider):
    registry = Registry.installed()
    if not registry.has_provider(provider):
        pytest.skip(f"jackfield-{provider} is not installed")
    table = {"provider": provider, KEYS[provider]: "https://..."}
    if registry.provider(provider).info.requires_models:
        table["models"] = MODELS
    with pytest.raises(ConfigurationError, match=r"https://\.\.\."):
        load_config({"connections": {"c": table}}, registry)
