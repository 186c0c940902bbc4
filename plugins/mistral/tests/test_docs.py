"""The tables of the documentation page are the plugin's own.

`JACKFIELD_WRITE_DOCS=1` rewrites them.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from provider_pages import WORDS, bounds_of, check_table, feature_rows

import jackfield_mistral as mistral
from jackfield.plugin import CostContext, ModelRef
from jackfield_mistral._models import known_models, retired, rules_by_name

TODAY = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
SHOWN = (
    "open-mistral-7b",
    "mistral-small-2603",
    "mistral-large-2512",
    "ministral-3b-2512",
    "codestral-2508",
    "magistral-medium-2507",
    "mistral-embed",
    "codestral-embed-2505",
)


def of(model):
    return mistral.jackfield_capabilities(ModelRef(model))


def models():
    yield ["model", "kinds", "context", "dimensions", "input", "output", "cached", "retirement"]
    for model in known_models():
        known, card = of(model), mistral.jackfield_cost(ModelRef(model), CostContext(when=TODAY))
        rates = {} if card is None else card.rates
        prices = [
            str(rates[unit].amount) if unit in rates else "" for unit in ("input", "output", "cache_read")
        ]
        sizes = (known.limits.context_window, known.limits.dimensions)
        yield [
            f"`{model}`",
            ", ".join(sorted(known.kinds)),
            *("" if size is None else f"{size:,}" for size in sizes),
            *prices,
            retired(model) or "",
        ]


def features():
    known = {f"`{model}`": of(model) for model in SHOWN}
    yield from feature_rows(known)


WHEN = {
    "chat": "chat models of the table",
    "efforts": "Small 4, Medium 3.5",
    "always thinks": "Magistral",
    "no logprobs": "Ministral 3B",
    "one size": "mistral-embed",
}


def options():
    yield ["when", "option", "honoured", "allowed", "why not"]
    for name, when in WHEN.items():
        for option, rule in rules_by_name(name).items():
            yield [when, f"`{option}`", WORDS[rule.supported], bounds_of(rule), rule.why or ""]


@pytest.mark.parametrize("make", [models, features, options])
def test_the_page_shows_the_tables(make):
    check_table("mistral", make)
