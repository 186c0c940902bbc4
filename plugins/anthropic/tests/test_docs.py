"""The tables of the documentation page are the plugin's own.

`JACKFIELD_WRITE_DOCS=1` rewrites them.
"""

import pytest
from provider_pages import WORDS, bounds_of, check_keys, check_table, feature_rows

import jackfield_anthropic
from jackfield.plugin import ModelRef
from jackfield_anthropic._models import known_models, profile_of, retired, rules_named

SHOWN = (
    "claude-2.1",
    "claude-3-opus",
    "claude-3-5-sonnet",
    "claude-sonnet-4-0",
    "claude-haiku-4-5",
    "claude-fable-5-2",
)


def of(model):
    return jackfield_anthropic.jackfield_capabilities(ModelRef(model))


def models():
    yield ["model", "kind", "context", "output", "retirement", "sampling", "thinking", "thinks", "efforts", "forced",
           "prefill", "system between"]  # fmt: skip
    for model in known_models():
        known, profile = of(model), profile_of(model)
        yield [
            f"`{model}`",
            ", ".join(known.kinds),
            f"{known.limits.context_window:,}",
            f"{known.limits.max_output_tokens:,}",
            retired(model) or "",
            WORDS[profile.sampling],
            ", ".join(profile.thinking or ()) or "no",
            WORDS[profile.thinks],
            ", ".join(profile.efforts or ()) or "no",
            *(WORDS[bool(value)] for value in (profile.forced, profile.prefill, profile.mid_system)),
        ]


def features():
    known = {f"`{model}`": of(model) for model in SHOWN}
    yield from feature_rows(known, shown)


def shown(capability):
    return "by a tool" if capability.value and "tool" in capability.source else WORDS[capability.value]


def options():
    yield ["when", "option", "honoured", "allowed", "why not"]
    of_table = {
        "ranges": "always", "no sampling": "models without sampling", "while thinking": "older models that think",
        "2026-10-21": "API version 2026-10-21",
    }  # fmt: skip
    for table, when in of_table.items():
        for name, rule in rules_named(table).items():
            yield [when, f"`{name}`", WORDS[rule.supported], bounds_of(rule), rule.why or ""]


@pytest.mark.parametrize("make", [models, features, options])
def test_the_page_shows_the_tables(make):
    check_table("anthropic", make)


def test_the_page_names_every_key():
    check_keys(
        "anthropic",
        jackfield_anthropic.AnthropicSettings,
        jackfield_anthropic.AnthropicCredentials,
        shared={"credentials", "proxy", "ca_bundle"},
    )
