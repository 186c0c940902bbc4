"""The tables of the documentation page are the plugin's own. `JACKFIELD_WRITE_DOCS=1` rewrites them."""

from __future__ import annotations

import pytest
from provider_pages import WORDS, bounds_of, check_keys, check_table

import jackfield_snowflake
from jackfield.plugin import FEATURES, ModelRef
from jackfield_snowflake._models import _EMBEDDING_RULES, known_models, rules_on
from jackfield_snowflake._settings import ROUTES


def of(model, route):
    settings = jackfield_snowflake.SnowflakeSettings(account="a-b", route=route)
    return jackfield_snowflake.jackfield_capabilities(ModelRef(model, settings=settings))


def number(value):
    return "" if value is None else f"{value:,}"


def models():
    yield ["model", "kind", "window", "dimensions", "retirement", "state", "source"]
    for model, row in known_models().items():
        window = row.get("context", row.get("input"))
        kind = row.get("kind", "chat")
        dimensions = number(row.get("dimensions"))
        yield [
            f"`{model}`",
            kind,
            number(window),
            dimensions,
            row.get("retired", ""),
            row["state"],
            row["source"],
        ]


def features():
    names = {"Claude": "claude-sonnet-4-6", "OpenAI's": "openai-gpt-4.1", "others": "mistral-7b"}
    shown = [(route, who) for route in ("openai", "complete") for who in names]
    known = [of(names[who], route) for route, who in shown]
    known += [of("claude-sonnet-4-6", "messages"), of("mistral-7b", "sql")]
    yield ["", *(f"`{route}`, {who}" for route, who in shown), "`messages`, Claude", "`sql`, `legacy_sql`"]
    for name in FEATURES:
        if any(name in one.features for one in known):
            yield [f"`{name}`", *(WORDS[one.feature(name).value] for one in known)]


def options():
    yield ["option", "route", "allowed"]
    for where, rules in {
        **{route: rules_on(route) for route in ROUTES},
        "embeddings": _EMBEDDING_RULES,
    }.items():
        for name, rule in rules.items():
            yield [f"`{name}`", where, bounds_of(rule) if rule.supported else f"no: {rule.why}"]


@pytest.mark.parametrize("make", [models, features, options], ids=lambda make: make.__name__)
def test_the_page_shows_the_tables(make):
    check_table("snowflake", make)


def test_the_page_names_every_key():
    check_keys("snowflake", jackfield_snowflake.SnowflakeSettings, jackfield_snowflake.SnowflakeCredentials)
