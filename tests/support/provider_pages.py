"""The tables of a provider's page are made of the plugin's own data. `JACKFIELD_WRITE_DOCS=1` rewrites them."""

import os
import re
from pathlib import Path

import attrs

from jackfield.plugin import FEATURES

__all__ = ["WORDS", "bounds_of", "check_keys", "check_table", "feature_rows", "page_of"]

WORDS = {True: "yes", False: "no", None: "unknown"}


def page_of(provider):
    """Return the page of a provider."""
    return Path(__file__).parents[2] / f"docs/providers/{provider}.md"


def check_table(provider, make):
    """Check a table of a provider's page: a function of the same name returns its rows, the heading first. Or write it."""
    page, name = page_of(provider), make.__name__.removeprefix("the_")
    text = page.read_text(encoding="utf-8")
    between = re.compile(rf"(<!-- table: {name} -->\n)(.*?)(<!-- end(?: of table)? -->)", re.DOTALL)
    made = _table(make())
    if os.environ.get("JACKFIELD_WRITE_DOCS"):
        page.write_text(between.sub(lambda m: f"{m[1]}\n{made}\n\n{m[3]}", text), encoding="utf-8")
        return

    assert between.search(text)[2].strip() == made


def check_keys(provider, *classes, shared=frozenset()):
    """Check that a provider's page names every key of its settings and credentials, except those that are `shared`."""
    text = page_of(provider).read_text(encoding="utf-8")
    keys = {field.name for settings in classes for field in attrs.fields(settings)} - shared
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []


def feature_rows(known, say=lambda feature: WORDS[feature.value]):
    """Build the rows of a table of features: the features of at least one model, with a column for each model.

    Args:
        known: Capabilities by the heading of their column.
        say: Returns the text of a cell.
    """
    yield ["", *known]
    for name in FEATURES:
        if any(name in one.features for one in known.values()):
            yield [name, *(say(one.feature(name)) for one in known.values())]


def bounds_of(rule):
    """Describe what a rule of an option allows."""
    bounds = [f"at least {_number(rule.minimum)}"] if rule.minimum is not None else []
    bounds += [f"at most {_number(rule.maximum)}"] if rule.maximum is not None else []
    bounds += [f"at most {rule.max_items} entries"] if rule.max_items is not None else []
    bounds += (
        [", ".join("none" if choice == () else str(choice) for choice in rule.choices)]
        if rule.choices is not None
        else []
    )
    return "; ".join(bounds)


def _number(value):
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _table(rows):
    first, *rest = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([first, "|" + "---|" * (first.count(" | ") + 1), *rest])
