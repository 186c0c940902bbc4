"""The models that plugins name out of their own tables: each can be called by its name, and is known."""

from __future__ import annotations

import pytest

from jackfield import Registry
from jackfield.plugin import ModelRef

REGISTRY = Registry.installed()
TABLED = ("anthropic", "cohere", "databricks", "mistral", "openai", "snowflake", "vertex")


@pytest.mark.parametrize("id", TABLED)
def test_a_table_names_models_that_are_known(id):
    provider = REGISTRY.provider(id)
    names = provider.table(None)
    assert len(names) > 5
    assert len(set(names)) == len(names)
    for name in names:
        known = provider.capabilities(ModelRef(name))
        assert known.known, name
        assert known.source.startswith("table 20"), name


def test_only_plugins_whose_models_are_not_the_customers_own_have_a_table():
    for name in REGISTRY.provider_ids():
        provider = REGISTRY.provider(name)
        if provider.info.requires_models:
            assert provider.table(None) == ()
