"""The tables of the documentation page are the plugin's own.

`JACKFIELD_WRITE_DOCS=1` rewrites them.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from provider_pages import bounds_of, check_keys, check_table, feature_rows

import jackfield_openai as openai
from jackfield import Usage
from jackfield.plugin import CostContext, ModelRef
from jackfield_openai._models import efforts_of, known_models, only_responses, reasons, retired

TODAY = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
SHOWN = (
    "gpt-3.5-turbo",
    "gpt-4o",
    "gpt-5.2",
    "gpt-6-luna",
    "gpt-6-astra",
    "gpt-5.5-pro",
    "davinci-002",
    "text-embedding-3-small",
)


def of(model):
    return openai.jackfield_capabilities(ModelRef(model))


def models():
    yield [
        "model",
        "kind",
        "context",
        "output",
        "dimensions",
        "reasons",
        "efforts",
        "in",
        "out",
        "cached",
        "retirement",
    ]
    for model in known_models():
        known = of(model)
        card = openai.jackfield_cost(ModelRef(model), Usage(), CostContext(when=TODAY))
        rates = {} if card is None else card.rates
        sizes = (known.limits.context_window, known.limits.max_output_tokens, known.limits.dimensions)
        yield [
            f"`{model}`",
            ", ".join(known.kinds) + (", by Responses" if only_responses(model) else ""),
            *("" if size is None else f"{size:,}" for size in sizes),
            reasons(model) or "",
            ", ".join(efforts_of(known) or ()),
            *(
                f"{rates[unit].amount:f}" if unit in rates else ""
                for unit in ("input", "output", "cache_read")
            ),
            retired(model) or "",
        ]


def features():
    known = {f"`{model}`": of(model) for model in SHOWN}
    assert all(one.known for one in known.values())
    yield from feature_rows(known)


def options():
    known = {model: of(model).parameters for model in SHOWN}
    yield ["option", *(f"`{model}`" for model in known)]
    for option in dict.fromkeys(option for rules in known.values() for option in rules):
        yield [f"`{option}`", *(allowed(rules.get(option)) for rules in known.values())]


def allowed(rule):
    if rule is None:
        return ""
    return "no" if rule.supported is False else bounds_of(rule)


@pytest.mark.parametrize("make", [models, features, options])
def test_the_page_shows_the_tables(make):
    check_table("openai", make)


def test_the_page_names_every_key():
    check_keys(
        "openai",
        openai.OpenAISettings,
        openai.OpenAICredentials,
        shared={"credentials", "proxy", "ca_bundle"},
    )
