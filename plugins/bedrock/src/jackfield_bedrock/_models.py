"""The table of families and models: capabilities, routes and rules for parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import attrs

from jackfield import ConfigurationError
from jackfield.plugin import Capabilities, Capability, Kind, Limits, ModelRef, ParameterRule

from ._names import bare_id, table

__all__ = [
    "ROUTES",
    "body_named",
    "capabilities",
    "families",
    "finish_reasons",
    "known_models",
    "route_of",
    "row_of",
    "rules_of",
    "rules_of_effort",
]

ROUTES: Final[Mapping[str, str]] = {
    "converse": "Converse, one schema for all chat models",
    "invoke": "InvokeModel with the body of the model's maker",
    "messages": "InvokeModel with Claude's messages, also for models of text completion",
    "openai": "chat completions at the runtime endpoint",
    "mantle": "chat completions at the newer endpoint of OpenAI's APIs",
    "responses": "the Responses API at the newer endpoint of OpenAI's APIs",
}
"""The routes of chats."""

_OPENAI: Final = ("openai", "mantle", "responses")


def known_models() -> Mapping[str, Mapping[str, Any]]:
    """Return the rows of the table by the prefixes of ids that they are for."""
    rows: Mapping[str, Mapping[str, Any]] = table()["models"]
    return rows


def families() -> Mapping[str, Mapping[str, Any]]:
    """Return the families of the table."""
    rows: Mapping[str, Mapping[str, Any]] = table()["families"]
    return rows


def body_named(name: str) -> Mapping[str, Any]:
    """Return how a native text completion is written and read."""
    row: Mapping[str, Any] = table()["bodies"][name]
    return row


def finish_reasons() -> Mapping[str, Any]:
    """Return the finish reasons by makers' own words."""
    words: Mapping[str, Any] = table()["finishes"]
    return words


@lru_cache(maxsize=512)
def row_of(name: str) -> Mapping[str, Any]:
    """Return what is known about a model: its family's row and its own; `known` is whether it has its own."""
    name = bare_id(name)
    asked = (
        name if "." in name else f"anthropic.{name}"
    )  # ids of imported Claude models do not name the maker
    rows = table()["models"]
    prefix = max((key for key in rows if asked.startswith(key)), key=len, default=None)
    own = rows[prefix] if prefix else {}
    family = own.get("family") or next(f for pattern, f in table()["patterns"] if re.search(pattern, name))
    return {**families()[family], **own, "family": family, "known": bool(own)}


def route_of(model: ModelRef) -> tuple[str, str]:
    """Return the route of a model's chats, and the reason for it.

    Raises:
        ConfigurationError: The route in the entry in `models` does not exist, or not for this model.
    """
    declared = model.declared.get("route")
    row = row_of(model.known_as)
    if declared is None:
        return row["route"], f"the table's route for the family {row['family']}"
    if declared not in ROUTES:
        raise ConfigurationError(f"route of {model.id} must be one of {', '.join(ROUTES)}; got {declared!r}")
    if declared == "invoke" and row["native"] is None:
        raise ConfigurationError(
            f"the native body of {model.id} is unknown; leave route out, or write `underlying`"
        )
    if declared == "messages" and not row["family"].startswith("claude"):
        raise ConfigurationError(f"route messages is Claude's; {model.id} is of the family {row['family']}")
    return declared, "set in the entry in `models`"


@lru_cache(maxsize=64)
def rules_of(family: str) -> Mapping[str, ParameterRule]:
    """Return the rules for a family's options."""
    source = f"{table()['source']}; table {table()['as_of']}"
    rows = families()[family].get("rules", {})
    return {name: _rule(row, source) for name, row in rows.items()}


@lru_cache(maxsize=64)
def rules_of_effort(family: str, effort: str | None) -> Mapping[str, ParameterRule]:
    """Return the rules for a family's options that apply while it thinks with an effort, beside `rules_of`."""
    source = f"{table()['source']}; table {table()['as_of']}"
    rows = families()[family].get("rules_by_effort", {}).get(effort, {})
    return {name: _rule(row, source) for name, row in rows.items()}


def _rule(row: Mapping[str, Any], source: str) -> ParameterRule:
    values: dict[str, Any] = {k: tuple(v) if k == "choices" else v for k, v in row.items()}
    return ParameterRule(source=source, **values)


def capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model on its route.

    For Claude and Cohere's embeddings, most come from their makers' own tables.
    """
    route, _ = route_of(model)
    return _capabilities(model.known_as, route)


@lru_cache(maxsize=512)
def _capabilities(name: str, route: str) -> Capabilities:
    return attrs.evolve(_known(name, route), retired=row_of(name).get("retired"))


def _known(name: str, route: str) -> Capabilities:
    row = row_of(name)
    if route in _OPENAI:
        return Capabilities(kinds=frozenset({"chat"}), source="inferred")
    family: str = row["family"]
    if family.startswith("claude"):
        return _claude(name, route, row)
    if family == "cohere-embed":
        return _cohere(name, row)
    source = f"table {table()['as_of']}" if row["known"] else "inferred"
    listed = row.get("features", {}) if row["known"] or family not in ("other", "embedding") else {}
    limits = Limits(
        context_window=row.get("context"),
        max_output_tokens=row.get("output"),
        max_inputs=row.get("inputs"),
        max_input_tokens=row.get("input"),
        dimensions=row.get("dimensions"),
    )
    listed = {**listed, **dict.fromkeys(row.get("lacks", ()), False)}
    found = Capabilities(
        known=row["known"],
        kinds=frozenset(row["kinds"]),
        features={feature: Capability(value, source) for feature, value in listed.items()},
        parameters=_with_output(rules_of(family), row),
        limits=limits,
        source=source,
    )
    return _on_route(found, route, row)


def _on_route(found: Capabilities, route: str, row: Mapping[str, Any]) -> Capabilities:
    """Apply what another route of chats changes: a native text body has no messages, only a prompt."""
    if row.get("prompt") is None:
        return found
    if route == "converse":
        return attrs.evolve(found, kinds=found.kinds | {"chat"})
    if row["native"] == "openai-like":
        return found
    from jackfield_aws.prompts import chat_prompt

    write, title, system = chat_prompt(row["prompt"])
    features = {**found.features, "system": Capability(system, found.source)}
    return attrs.evolve(
        found,
        kinds=frozenset({"completion"}),
        features=features,
        chat_prompt=write,
        chat_prompt_name=title,
    )


def _with_output(rules: Mapping[str, ParameterRule], row: Mapping[str, Any]) -> Mapping[str, ParameterRule]:
    if "output" not in row or "max_tokens" in rules:
        return rules
    return {**rules, "max_tokens": ParameterRule(minimum=1, maximum=row["output"], source=table()["source"])}


def _claude(name: str, route: str, row: Mapping[str, Any]) -> Capabilities:
    """Return Claude's capabilities by Anthropic's own table; text completion has another limit here."""
    from jackfield_anthropic import capabilities as claude_capabilities

    from ._dialect import CLAUDE_KNOWN

    by_messages = route in ("converse", "messages") and row["family"] != "claude"
    ref = ModelRef(name, declared={"route": "messages"} if by_messages else {})
    known = claude_capabilities(CLAUDE_KNOWN, ref)
    if row["family"] != "claude":
        limits = attrs.evolve(known.limits, max_output_tokens=row["output"])
        rules = _with_output({k: v for k, v in known.parameters.items() if k != "max_tokens"}, row)
        # Text completion stays available beside messages.
        kinds: frozenset[Kind] = frozenset({"chat", "completion"}) if by_messages else known.kinds
        features = dict(known.features)
        if route == "converse":  # Converse reads documents for models that cannot (recorded in 2025)
            features.pop("documents", None)
        known = attrs.evolve(known, limits=limits, parameters=rules, kinds=kinds, features=features)
    return known


def _cohere(name: str, row: Mapping[str, Any]) -> Capabilities:
    from jackfield_cohere import capabilities as cohere_capabilities

    from ._dialect import COHERE_KNOWN

    found = cohere_capabilities(COHERE_KNOWN, ModelRef(name))
    features = {k: v for k, v in found.features.items() if k != "count_tokens"}
    return attrs.evolve(found, features=features)
