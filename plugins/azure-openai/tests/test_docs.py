"""The tables of the documentation page are the plugin's own. `JACKFIELD_WRITE_DOCS=1` rewrites them."""

from __future__ import annotations

import pytest
from provider_pages import WORDS, bounds_of, check_keys, check_table

import jackfield_azure_openai as azure
from jackfield import Usage
from jackfield.plugin import FEATURES, CostContext, ModelRef
from jackfield_azure_openai._models import table
from jackfield_azure_openai._prices import azure_rates

SHOWN = (
    "gpt-4o",
    "gpt-6-luna",
    "gpt-5.2-chat",
    "gpt-6-astra",
    "gpt-5-pro",
    "gpt-35-turbo-instruct",
    "grok-4",
)
NOW = CostContext(when=1_795_400_000.0)


def known(name):
    return azure.jackfield_capabilities(ModelRef("d", underlying=name, declared={"id": "d"}))


def amounts(name, zone="global"):
    model = ModelRef("d", underlying=name, declared={"id": "d", "zone": zone})
    card = azure_rates(model, Usage(10, 10), NOW)
    rates = {} if card is None else card.rates
    return [f"{rates[unit].amount:f}" if unit in rates else "" for unit in ("input", "output", "cache_read")]


def models():
    yield [
        "model",
        "kind",
        "context",
        "output",
        "retirement",
        "in",
        "out",
        "cached",
        "other zones: in / out / cached",
    ]
    for name, row in table()["azure"].items():
        limits, price = known(name).limits, row.get("price", {})
        sizes = [f"{size:,}" if size else "" for size in (limits.context_window, limits.max_output_tokens)]
        others = [f"{zone} {' / '.join(filter(None, amounts(name, zone)))}" for zone in ("us", "eu", "regional")
                  if zone in price]  # fmt: skip
        kind = "chat, by Responses" if row.get("route") else row["kind"]
        yield [f"`{name}`", kind, *sizes, row.get("retired", ""), *amounts(name), "; ".join(others)]


def features():
    yield ["", *(f"`{name}`" for name in SHOWN)]
    for feature in FEATURES:
        yield [f"`{feature}`", *(WORDS[known(name).feature(feature).value] for name in SHOWN)]


def law(rule):
    if rule.supported is False:
        return "no"
    said = [f"as `{rule.wire}`"] if rule.wire is not None else []
    return "; ".join(filter(None, [*said, bounds_of(rule)]))


def options():
    names = dict.fromkeys(option for name in SHOWN for option in known(name).parameters)
    yield ["option", *(f"`{name}`" for name in SHOWN)]
    for option in names:
        rules = [known(name).parameters.get(option) for name in SHOWN]
        yield [f"`{option}`", *("" if rule is None else law(rule) for rule in rules)]


@pytest.mark.parametrize("make", [models, features, options], ids=lambda make: make.__name__)
def test_the_page_shows_the_tables(make):
    check_table("azure-openai", make)


def test_every_row_of_the_table_can_be_read():
    for name, row in table()["azure"].items():
        found = known(name)
        assert found.known
        assert found.kinds == {row["kind"]}
        assert set(row.get("price", {})) <= {"global", "us", "eu", "regional", "add"}


def test_the_page_names_every_key():
    check_keys("azure-openai", azure.AzureOpenAISettings, azure.AzureModelKeys, shared={"proxy", "ca_bundle"})
