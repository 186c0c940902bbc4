"""The table of Cohere's models: capabilities, known models, retirement, and rules for parameters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import attrs

from jackfield.plugin import Capabilities, Capability, Limits, ModelRef, ParameterRule, load_table

from ._dialect import Dialect

__all__ = [
    "capabilities",
    "deprecated",
    "known_models",
    "retired",
    "returns_base64",
    "route_of",
    "rules_for",
    "rules_named",
]

_RULES_BY_KIND: Final = {"chat": "chat", "embedding": "embed", "rerank": "rerank"}


def _table() -> Mapping[str, Any]:
    return load_table(__file__, "models.json")


def known_models() -> tuple[str, ...]:
    """Return the names of the models in the table."""
    return tuple(_table()["models"])


def _row(model: str) -> Mapping[str, Any]:
    row: Mapping[str, Any] = _table()["models"].get(model, {})
    return row


def _family(model: str) -> Mapping[str, Any]:
    family: Mapping[str, Any] = _table()["families"].get(_row(model).get("family"), {})
    return family


def deprecated(model: str) -> str | None:
    """Return the day (ISO 8601) from which new customers cannot use a model; None if the table has none."""
    return _row(model).get("deprecated")


def retired(model: str) -> str | None:
    """Return the day (ISO 8601) of a model's retirement; None if the table has none."""
    return _row(model).get("retired")


def route_of(model: str) -> str:
    """Return the version of the chat API that serves a model: v1 only for those that have no other."""
    return str(_family(model).get("route", "v2"))


def returns_base64(model: str) -> bool:
    """Return whether embeddings of a model are known to come as base64 on request."""
    return bool(_family(model).get("base64"))


@lru_cache(maxsize=16)
def rules_named(kind: str) -> Mapping[str, ParameterRule]:
    """Return the rules of a kind of call: chat, generate, summarize, embed, rerank."""
    return _rules(_table()["rules"].get(kind, {}))


def _rules(rows: Mapping[str, Any]) -> Mapping[str, ParameterRule]:
    source = f"table {_table()['as_of']}"
    return {name: _rule(row, source) for name, row in rows.items()}


def _rule(row: Mapping[str, Any], source: str) -> ParameterRule:
    values: dict[str, Any] = {k: tuple(v) if k == "choices" else v for k, v in row.items()}
    return ParameterRule(source=source, **values)


def capabilities(dialect: Dialect, model: ModelRef) -> Capabilities:
    """Return the capabilities of a model by Cohere's table."""
    return _known(dialect.name(model))


@lru_cache(maxsize=256)
def _known(model: str) -> Capabilities:
    """Return the capabilities of a model by the table; for an unknown one, the kinds that its id suggests."""
    table, row, family = _table(), _row(model), _family(model)
    if not row:
        kinds = next((k for prefix, k in table["prefixes"].items() if model.startswith(prefix)), ())
        limits = Limits(max_inputs=table["most_inputs"] if "embedding" in kinds else None)
        return Capabilities(kinds=frozenset(kinds), limits=limits, source="inferred" if kinds else "unknown")
    source = f"table {table['as_of']}"
    features = {name: Capability(name in family["yes"], source) for name in (*family["yes"], *family["no"])}
    shown = family.get("shown") or _RULES_BY_KIND[family["kinds"][0]]
    rules = {**rules_named(shown), **_rules(family.get("rules", {}))}
    return Capabilities(
        known=True,
        source=source,
        kinds=frozenset(family["kinds"]),
        features=features,
        parameters=_with_output(rules, row, source),
        limits=_limits(row, family),
    )


def _limits(row: Mapping[str, Any], family: Mapping[str, Any]) -> Limits:
    if "embedding" not in family["kinds"]:
        return Limits(context_window=row.get("context"), max_output_tokens=row.get("output"))
    return Limits(
        context_window=row.get("context"),
        max_inputs=_table()["most_inputs"],
        max_input_tokens=row.get("context"),
        dimensions=row.get("dimensions"),
    )


def _with_output(
    rules: Mapping[str, ParameterRule], row: Mapping[str, Any], source: str
) -> Mapping[str, ParameterRule]:
    if "output" not in row:
        return rules
    return {**rules, "max_tokens": ParameterRule(maximum=row["output"], source=source)}


def rules_for(kind: str, known: Capabilities) -> Capabilities:
    """Return the capabilities with the rules of one kind of call, for a model of several kinds; declared rules stay.

    A model that chats and completes text has a range of temperature for each.
    """
    if not known.known or len(known.kinds) < 2:
        return known
    tables = [rules_named(name) for name in _table()["rules"]]
    own = {
        name: rule
        for name, rule in known.parameters.items()
        if all(table.get(name) != rule for table in tables)
    }
    return attrs.evolve(known, parameters={**rules_named(kind), **own})
