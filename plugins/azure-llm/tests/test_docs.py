"""The tables of the documentation page are the plugin's own. `JACKFIELD_WRITE_DOCS=1` rewrites them."""

from __future__ import annotations

import pytest
from provider_pages import WORDS, check_keys, check_table

import jackfield_azure_llm as azure
from jackfield import Usage
from jackfield.plugin import FEATURES, CostContext, ModelRef
from jackfield_azure_openai._models import table

SHOWN = ("deepseek-r1", "Llama-3.3-70B-Instruct", "grok-4", "gpt-4o", "gpt-6-luna", "embed-v-4-0")
NOW = CostContext(when=1_795_400_000.0)


def deployment(name):
    return ModelRef("d", underlying=name, declared={"id": "d"})


def known(name):
    return azure.jackfield_capabilities(deployment(name))


def models():
    yield ["model", "kind", "context", "output", "retirement", "in", "out", "cached"]
    for name, row in table()["foundry"].items():
        limits = known(name).limits
        sizes = [f"{size:,}" if size else "" for size in (limits.context_window, limits.max_output_tokens)]
        card = azure.jackfield_cost(deployment(name), Usage(10, 10), NOW)
        rates = {} if card is None else card.rates
        amounts = [f"{rates[u].amount:f}" if u in rates else "" for u in ("input", "output", "cache_read")]
        if "fee" in row:
            amounts[0] = f"the chosen model's, and {row['fee']}"
        yield [f"`{name}`", row["kind"], *sizes, row.get("retired", ""), *amounts]


def features():
    yield ["", *(f"`{name}`" for name in SHOWN)]
    for feature in FEATURES:
        yield [f"`{feature}`", *(WORDS[known(name).feature(feature).value] for name in SHOWN)]


@pytest.mark.parametrize("make", [models, features], ids=lambda make: make.__name__)
def test_the_page_shows_the_tables(make):
    check_table("azure-llm", make)


def test_every_row_of_the_table_can_be_read():
    for name, row in table()["foundry"].items():
        assert known(name).kinds == {row["kind"]}


def test_the_page_names_every_key():
    check_keys("azure-llm", azure.AzureLLMSettings, azure.AzureLLMModelKeys, shared={"proxy", "ca_bundle"})
