"""The tables of the documentation page are the plugin's own.

`JACKFIELD_WRITE_DOCS=1` rewrites them.
"""

import pytest
from provider_pages import WORDS, bounds_of, check_keys, check_table

import jackfield_vertex
from jackfield.plugin import FEATURES, ModelRef
from jackfield_vertex._models import known_models, rules_named


def of(model):
    return jackfield_vertex.jackfield_capabilities(ModelRef(model))


def number(value):
    return "unknown" if value is None else f"{value:,}"


def models():
    yield [
        "model",
        "kind",
        "context",
        "output",
        "dimensions",
        "texts a request",
        "retirement",
        "thinking by",
        "schemas",
    ]
    for model, row in known_models().items():
        known = of(model)
        embeds = "embedding" in known.kinds
        yield [
            f"`{model}`", ", ".join(known.kinds), number(known.limits.max_input_tokens if embeds
                                                         else known.limits.context_window),
            "" if embeds else number(known.limits.max_output_tokens), number(known.limits.dimensions) if embeds else "",
            number(known.limits.max_inputs) if embeds else "", row.get("retired", ""), row.get("thinking", ""),
            row.get("schemas", ""),
        ]  # fmt: skip


def features():
    known = {
        model: of(model) for model in ("gemini-2.5-flash", "gemini-1.5-pro", "gemini-1.0-pro", "chat-bison")
    }
    yield ["", *(f"`{model}`" for model in known)]
    for name in FEATURES:
        if any(name in one.features for one in known.values()):
            yield [name, *(WORDS[one.feature(name).value] for one in known.values())]


def options():
    yield ["family", "option", "honoured", "allowed", "why not"]
    for family in ("gemini", "palm"):
        for name, rule in rules_named(family).items():
            yield [family, f"`{name}`", WORDS[rule.supported], bounds_of(rule), rule.why or ""]


def prices():
    yield ["model", "input", "output", "USD per"]
    for model, row in known_models().items():
        if "price" in row:
            yield [f"`{model}`", row["price"]["input"], row["price"].get("output", ""), "1,000,000 tokens"]


@pytest.mark.parametrize("make", [models, features, options, prices])
def test_the_page_shows_the_tables(make):
    check_table("vertex", make)


def test_the_page_names_every_key():
    check_keys("vertex", jackfield_vertex.VertexSettings, jackfield_vertex.GoogleCredentials)
