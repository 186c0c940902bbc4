"""The tables of the documentation page are the plugin's own.

`JACKFIELD_WRITE_DOCS=1` rewrites them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from provider_pages import check_table

import jackfield_openai as openai
from jackfield import Usage
from jackfield.plugin import FEATURES, CostContext, ModelRef
from jackfield_openai._models import efforts_of, known_models, only_responses, reasons, retired

PAGE = Path(__file__).parents[3] / "docs/providers/openai.md"
WORDS = {True: "yes", False: "no", None: "unknown"}
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
    known = {model: of(model) for model in SHOWN}
    assert all(one.known for one in known.values())
    yield ["", *(f"`{model}`" for model in known)]
    for name in FEATURES:
        if any(name in one.features for one in known.values()):
            yield [name, *(WORDS[one.feature(name).value] for one in known.values())]


def options():
    known = {model: of(model).parameters for model in SHOWN}
    yield ["option", *(f"`{model}`" for model in known)]
    for option in dict.fromkeys(option for rules in known.values() for option in rules):
        yield [f"`{option}`", *(allowed(rules.get(option)) for rules in known.values())]


def allowed(rule):
    if rule is None:
        return ""
    if rule.supported is False:
        return "no"
    bounds = [f"at least {rule.minimum:g}"] if rule.minimum is not None else []
    bounds += [f"at most {rule.maximum:,}"] if rule.maximum is not None else []
    bounds += [f"at most {rule.max_items} entries"] if rule.max_items is not None else []
    bounds += (
        [", ".join("none" if choice == () else str(choice) for choice in rule.choices)]
        if rule.choices is not None
        else []
    )
    return "; ".join(bounds)


@pytest.mark.parametrize("make", [models, features, options])
def test_the_page_shows_the_tables(make):
    check_table(PAGE, make.__name__, make())
