"""The table of families and models, what follows from it, and prices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import attrs

from jackfield import ConfigurationError, Usage
from jackfield.plugin import (
    Capabilities,
    Capability,
    CostContext,
    Kind,
    Limits,
    ModelRef,
    ParameterRule,
    RateCard,
)

__all__ = [
    "ROUTES",
    "bare",
    "body_named",
    "capabilities",
    "claude_name",
    "cohere_name",
    "families",
    "finish_words",
    "known_models",
    "rates",
    "route_of",
    "row_of",
    "rules_of",
]

ROUTES: Final[Mapping[str, str]] = {
    "converse": "Converse, one schema for all chat models",
    "invoke": "InvokeModel with the body of the model's maker",
    "messages": "InvokeModel with Claude's messages, also for models of text completion",
    "openai": "chat completions at the runtime endpoint",
    "mantle": "chat completions at the newer OpenAI-shaped endpoint",
    "responses": "the Responses API at the newer OpenAI-shaped endpoint",
}
"""Every way of a chat."""

_OPENAI: Final = ("openai", "mantle", "responses")
_NAMED: Final = ("foundation-model", "inference-profile")
_VERSION: Final = re.compile(r"-v\d+([:-]\d+)*(:\d+k|:mm)?$")
_DEFAULT_TIERS: Final = (None, "default", "auto", "standard")


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    import orjson

    table: Mapping[str, Any] = orjson.loads(Path(__file__).with_name("models.json").read_bytes())
    return table


def known_models() -> Mapping[str, Mapping[str, Any]]:
    """Give every row of the table: the beginning of ids, and what is known of them."""
    rows: Mapping[str, Mapping[str, Any]] = _table()["models"]
    return rows


def families() -> Mapping[str, Mapping[str, Any]]:
    """Give every family of the table."""
    rows: Mapping[str, Mapping[str, Any]] = _table()["families"]
    return rows


def body_named(name: str) -> Mapping[str, Any]:
    """Give how a native text completion is written and read."""
    row: Mapping[str, Any] = _table()["bodies"][name]
    return row


def finish_words() -> Mapping[str, Any]:
    """Give our word for each maker's finish reason."""
    words: Mapping[str, Any] = _table()["finishes"]
    return words


@lru_cache(maxsize=512)
def bare(name: str) -> str:
    """Give a model's id without ARN and region: `eu.anthropic.claude-…`, `arn:…:inference-profile/eu.anthropic…`.

    Returns:
        The id; "" for an ARN that does not tell its model (a provisioned, custom or application's own).
    """
    if name.startswith("arn:"):
        # A model's id may hold colons itself.
        kind, _, name = name.split(":", 5)[-1].partition("/")
        if kind not in _NAMED:
            return ""
    first, _, rest = name.partition(".")
    makers = _table()["makers"]
    return rest if first not in makers and rest.partition(".")[0] in makers else name


@lru_cache(maxsize=512)
def row_of(name: str) -> Mapping[str, Any]:
    """Give what is known of a model: its family's row and its own; `known` says whether it has one of its own."""
    name = bare(name)
    asked = name if "." in name else f"anthropic.{name}"  # imported ids of Claude leave its maker out
    rows = _table()["models"]
    prefix = max((key for key in rows if asked.startswith(key)), key=len, default=None)
    own = rows[prefix] if prefix else {}
    family = own.get("family") or next(f for pattern, f in _table()["patterns"] if re.search(pattern, name))
    return {**families()[family], **own, "family": family, "known": bool(own)}


def route_of(model: ModelRef) -> tuple[str, str]:
    """Say which way a model's chats go, and why.

    Raises:
        ConfigurationError: The route that the entry in `models` names does not exist, or not for this model.
    """
    declared = model.declared.get("route")
    row = row_of(model.known_as)
    if declared is None:
        return row["route"], f"the table's way for the family {row['family']}"
    if declared not in ROUTES:
        raise ConfigurationError(f"route of {model.id} must be one of {', '.join(ROUTES)}; got {declared!r}")
    if declared == "invoke" and row["native"] is None:
        raise ConfigurationError(
            f"no native body is known for {model.id}; leave route out, or write `underlying`"
        )
    if declared == "messages" and not row["family"].startswith("claude"):
        raise ConfigurationError(f"route messages is Claude's; {model.id} is of the family {row['family']}")
    return declared, "the entry in `models` says so"


def claude_name(name: str) -> str:
    """Give the id under which Anthropic's own table knows a model: `us.anthropic.claude-3-5-sonnet-20241022-v2:0`."""
    name = bare(name).removeprefix("anthropic.")
    for begin, known in _table()["claude_names"].items():
        if name.startswith(begin):
            return str(known)
    return _VERSION.sub("", name)


def cohere_name(name: str) -> str:
    """Give the id under which Cohere's own table knows an embedding model."""
    name = bare(name).removeprefix("cohere.").partition(":")[0]
    return f"{name}.0" if re.search(r"v\d$", name) else name


@lru_cache(maxsize=64)
def rules_of(family: str) -> Mapping[str, ParameterRule]:
    """Give the rules of a family's options."""
    source = f"{_table()['source']}; table {_table()['as_of']}"
    rows = families()[family].get("rules", {})
    return {name: _rule(row, source) for name, row in rows.items()}


def _rule(row: Mapping[str, Any], source: str) -> ParameterRule:
    values: dict[str, Any] = {k: tuple(v) if k == "choices" else v for k, v in row.items()}
    return ParameterRule(source=source, **values)


def capabilities(model: ModelRef) -> Capabilities:
    """Say what is known of a model on its route.

    Of Claude and Cohere's embeddings, their makers' own tables tell most.
    """
    route, _ = route_of(model)
    return _cached(model.known_as, route)


@lru_cache(maxsize=512)
def _cached(name: str, route: str) -> Capabilities:
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
    source = f"table {_table()['as_of']}" if row["known"] else "inferred"
    told = row.get("features", {}) if row["known"] or family not in ("other", "embedding") else {}
    limits = Limits(
        context_window=row.get("context"),
        max_output_tokens=row.get("output"),
        max_inputs=row.get("inputs"),
        max_input_tokens=row.get("input"),
        dimensions=row.get("dimensions"),
    )
    found = Capabilities(
        known=row["known"],
        kinds=frozenset(row["kinds"]),
        features={feature: Capability(value, source) for feature, value in told.items()},
        parameters=_with_output(rules_of(family), row),
        limits=limits,
        source=source,
    )
    return _by_route(found, route, row)


def _by_route(found: Capabilities, route: str, row: Mapping[str, Any]) -> Capabilities:
    """Say what another way of chats changes: a text body has no conversation but what is written as its prompt."""
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
    return {**rules, "max_tokens": ParameterRule(minimum=1, maximum=row["output"], source=_table()["source"])}


def _claude(name: str, route: str, row: Mapping[str, Any]) -> Capabilities:
    """Take what Anthropic's own table says of Claude; text completion has another limit here."""
    from jackfield_anthropic import capabilities as of_claude

    from ._dialects import CLAUDE_KNOWN

    by_messages = route in ("converse", "messages") and row["family"] != "claude"
    ref = ModelRef(name, declared={"route": "messages"} if by_messages else {})
    known = of_claude(CLAUDE_KNOWN, ref)
    if row["family"] != "claude":
        limits = attrs.evolve(known.limits, max_output_tokens=row["output"])
        rules = _with_output({k: v for k, v in known.parameters.items() if k != "max_tokens"}, row)
        # Text completion stays a way of its own beside messages.
        kinds: frozenset[Kind] = frozenset({"chat", "completion"}) if by_messages else known.kinds
        features = dict(known.features)
        if route == "converse":  # which reads documents for models that cannot themselves (recorded in 2025)
            features.pop("documents", None)
        known = attrs.evolve(known, limits=limits, parameters=rules, kinds=kinds, features=features)
    return known


def _cohere(name: str, row: Mapping[str, Any]) -> Capabilities:
    from jackfield_cohere import capabilities as of_cohere

    from ._dialects import COHERE_KNOWN

    found = of_cohere(COHERE_KNOWN, ModelRef(name))
    features = {k: v for k, v in found.features.items() if k != "count_tokens"}
    return attrs.evolve(found, features=features)


def rates(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Give the rates of a call; None if they are unknown: another tier, a batch, cached input, another surface.

    The table's prices belong to no region; a price that is declared in the config goes before them.

    Source: named in the table, with its date.
    """
    price = row_of(model.known_as).get("price")
    if price is None or context.batch or context.service_tier not in _DEFAULT_TIERS:
        return None
    if usage.cached_input_tokens or usage.cache_write_tokens:  # no source tells what the cache costs
        return None
    table = _table()
    return RateCard.of(
        source=table["price_source"],
        as_of=table["as_of"],
        currency=table["currency"],
        per=table["per"],
        **price,
    )
