"""The tables of the documentation page are the plugin's own. `JACKFIELD_WRITE_DOCS=1` rewrites them."""

from __future__ import annotations

import pytest
from provider_pages import bounds_of, check_keys, check_table

import jackfield_databricks as databricks
from jackfield_databricks._models import _FEATURES, _GENERAL, _RULES, capabilities, table
from jackfield_databricks._prices import dbu


def models():
    yield ["model", "kind", "family", "context", "output", "in", "out", "cached", "written", "retired"]
    for name, row in table()["models"].items():
        limits, price = capabilities(name).limits, row.get("price", {})
        gone = row.get("retired") or ("yes" if row.get("gone") else "")
        sizes = [f"{size:,}" if size else "" for size in (limits.context_window, limits.max_output_tokens)]
        amounts = [price.get(unit, "") for unit in ("input", "output", "cache_read", "cache_write")]
        yield [f"`{name}`", row.get("kind", "chat"), row.get("family", ""), *sizes, *amounts, gone]


def features():
    names = dict.fromkeys(name for yes, no in _FEATURES.values() for name in f"{yes} {no}".split())
    yield ["", *_FEATURES]
    for name in names:
        said = [
            {**dict.fromkeys(yes.split(), "yes"), **dict.fromkeys(no.split(), "no")}
            for yes, no in _FEATURES.values()
        ]
        yield [f"`{name}`", *(one.get(name, "unknown") for one in said)]


def options():
    yield ["option", "family", "allowed"]
    for family, rules in {"all in the table": _GENERAL, **_RULES}.items():
        for name, rule in rules.items():
            yield [f"`{name}`", family, bounds_of(rule) if rule.supported else f"no: {rule.why}"]


@pytest.mark.parametrize("make", [models, features, options], ids=lambda make: make.__name__)
def test_the_page_shows_the_tables(make):
    check_table("databricks", make)


def test_the_page_names_every_key():
    check_keys(
        "databricks",
        databricks.DatabricksSettings,
        databricks.DatabricksCredentials,
        shared={"credentials", "proxy", "ca_bundle"},
    )


def test_every_row_of_the_table_can_be_read_and_its_prices_have_a_source():
    for name, row in table()["models"].items():
        known = capabilities(name)
        assert known.known
        assert known.kinds
        assert ("price" in row) == ("source" in row) == (dbu(name) is not None)
        assert not ("gone" in row and ("price" in row or "context" in row))
        assert row.get("source", "litellm") in table()["sources"]
