"""The tables of the documentation page are the plugin's own.

`JACKFIELD_WRITE_DOCS=1` rewrites them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from provider_pages import check_table

import jackfield_mistral as mistral
from jackfield.plugin import FEATURES, CostContext, ModelRef
from jackfield_mistral._models import known_models, retired, rules_named

PAGE = Path(__file__).parents[3] / "docs/providers/mistral.md"
WORDS = {True: "yes", False: "no", None: "unknown"}
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
    known = {model: of(model) for model in SHOWN}
    yield ["", *(f"`{model}`" for model in known)]
    for name in FEATURES:
        if any(name in one.features for one in known.values()):
            yield [name, *(WORDS[one.feature(name).value] for one in known.values())]


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
        for option, rule in rules_named(name).items():
            bounds = [f"at least {rule.minimum:g}"] if rule.minimum is not None else []
            bounds += [f"at most {rule.maximum:g}"] if rule.maximum is not None else []
            bounds += [", ".join(map(str, rule.choices))] if rule.choices is not None else []
            yield [when, f"`{option}`", WORDS[rule.supported], "; ".join(bounds), rule.why or ""]


@pytest.mark.parametrize("make", [models, features, options])
def test_the_page_shows_the_tables(make):
    check_table(PAGE, make.__name__, make())
