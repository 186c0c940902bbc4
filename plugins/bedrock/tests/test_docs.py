"""The tables of the documentation page are the plugin's own.

`JACKFIELD_WRITE_DOCS=1` rewrites them.
"""

import pytest
from provider_pages import WORDS, bounds_of, check_keys, check_table, feature_rows, page_of

import jackfield_bedrock
from jackfield.plugin import ModelRef
from jackfield_bedrock._models import ROUTES, families, known_models, rules_of

SHOWN = {
    "Claude": "anthropic.claude-sonnet-4-6",
    "Claude 2": "anthropic.claude-v2",
    "Nova 2": "amazon.nova-2-lite-v1:0",
    "Titan Text": "amazon.titan-text-express-v1",
    "Command R": "cohere.command-r-v1:0",
    "Command": "cohere.command-text-v14",
    "Jurassic-2": "ai21.j2-mid-v1",
    "Mistral Large": "mistral.mistral-large-2402-v1:0",
    "Mistral 7B": "mistral.mistral-7b-instruct-v0:2",
    "Llama 3": "meta.llama3-8b-instruct-v1:0",
    "Llama 3.1": "meta.llama3-1-8b-instruct-v1:0",
}


def of(model):
    return jackfield_bedrock.jackfield_capabilities(ModelRef(model))


def number(value):
    return "unknown" if value is None else f"{value:,}"


def the_families():
    yield ["family", "kinds", "chats by", "native body", "prompt format of conversations"]
    for name, row in families().items():
        chats = "chat" in row["kinds"] or row.get("prompt") or name.startswith("claude")
        yield [
            name,
            ", ".join(sorted(row["kinds"])),
            f"`{row['route']}`" if chats else "",
            row["native"] or "none",
            row.get("prompt", ""),
        ]


def models():
    yield ["ids begin with", "kinds", "context", "output", "dimensions", "retirement"]
    for model, row in known_models().items():
        known = of(model)
        embeds = "embedding" in known.kinds
        yield [
            f"`{model}`",
            ", ".join(sorted(known.kinds)),
            number(known.limits.max_input_tokens if embeds else known.limits.context_window),
            "" if embeds else number(known.limits.max_output_tokens),
            number(known.limits.dimensions) if embeds else "",
            row.get("retired", ""),
        ]


def features():
    known = {title: of(model) for title, model in SHOWN.items()}
    yield from feature_rows(known)


def options():
    yield ["family", "option", "honoured", "allowed", "why not"]
    for family in families():
        for name, rule in rules_of(family).items():
            yield [family, f"`{name}`", WORDS[rule.supported], bounds_of(rule), rule.why or ""]


def prices():
    yield ["ids begin with", "input", "output", "USD per"]
    for model, row in known_models().items():
        if "price" in row:
            yield [f"`{model}`", row["price"]["input"], row["price"].get("output", ""), "1,000,000 tokens"]


@pytest.mark.parametrize("make", [the_families, models, features, options, prices])
def test_the_page_shows_the_tables(make):
    check_table("bedrock", make)


def test_the_page_names_every_key_and_every_route():
    check_keys("bedrock", jackfield_bedrock.BedrockSettings)
    text = page_of("bedrock").read_text(encoding="utf-8")
    for route in ROUTES:
        assert f"| `{route}` |" in text
