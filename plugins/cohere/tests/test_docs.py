"""The tables of the documentation page are the plugin's own.

`JACKFIELD_WRITE_DOCS=1` rewrites them.
"""

import pytest
from provider_pages import WORDS, bounds_of, check_keys, check_table, feature_rows

import jackfield_cohere
from jackfield.plugin import ModelRef
from jackfield_cohere._models import deprecated, known_models, retired, route_of, rules_named

SHOWN = (
    "command-a-plus-05-2026",
    "command-a-reasoning-08-2025",
    "command-a-vision-07-2025",
    "command-a-03-2025",
    "command-r-08-2024",
    "command",
    "embed-v4.0",
    "embed-english-v3.0",
)


def of(model):
    return jackfield_cohere.jackfield_capabilities(ModelRef(model))


def models():
    yield [
        "model",
        "kinds",
        "chat",
        "context",
        "output",
        "dimensions",
        "USD in",
        "USD out",
        "deprecated",
        "retirement",
    ]
    for model in known_models():
        known, card = of(model), jackfield_cohere.rates(model)
        sizes = (known.limits.context_window, known.limits.max_output_tokens, known.limits.dimensions)
        rates = {} if card is None else card.rates
        yield [
            f"`{model}`",
            ", ".join(sorted(known.kinds)),
            route_of(model) if "chat" in known.kinds else "",
            *("" if size is None else f"{size:,}" for size in sizes),
            *(str(rates[unit].amount) if unit in rates else "" for unit in ("input", "output")),
            deprecated(model) or "",
            retired(model) or "",
        ]


def features():
    known = {f"`{model}`": of(model) for model in SHOWN}
    yield from feature_rows(known)


def options():
    yield ["call", "option", "honoured", "allowed", "why not"]
    for call in ("chat", "generate", "summarize", "embed", "rerank"):
        for option, rule in rules_named(call).items():
            yield [call, f"`{option}`", WORDS[rule.supported], bounds_of(rule), rule.why or ""]


@pytest.mark.parametrize("make", [models, features, options])
def test_the_page_shows_the_tables(make):
    check_table("cohere", make)


def test_the_page_names_every_key():
    check_keys("cohere", jackfield_cohere.CohereSettings)
