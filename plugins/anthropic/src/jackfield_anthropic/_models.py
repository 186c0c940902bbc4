"""The table of Claude models: capabilities, known models, retirement, and rules for parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import attrs

from jackfield import Reasoning
from jackfield.plugin import Capabilities, Capability, Limits, ModelRef, ParameterRule, load_table

from ._dialect import Dialect
from ._prompt import PROMPT_FORMAT, chat_prompt

__all__ = [
    "Profile",
    "capabilities",
    "known_models",
    "profile_of",
    "retired",
    "rules_for",
    "rules_named",
    "table_name",
]

_DATED: Final = re.compile(r"([-@]\d{8}|-latest)$")


@attrs.frozen(kw_only=True)
class Profile:
    """What a family of models accepts; None is unknown, and then everything is sent.

    Attributes:
        sampling: The models accept temperature, top_p and top_k.
        thinking: The values of `thinking.type` that they accept.
        thinks: They think also if `thinking` is left out.
        efforts: The values of `output_config.effort`.
        forced: A tool call can be forced.
        prefill: The last message may be an assistant message, which the model continues.
        json_schema: They accept `output_config.format`.
        mid_system: They honour system messages among the others.
    """

    sampling: bool | None = None
    thinking: tuple[str, ...] | None = None
    thinks: bool = False
    efforts: tuple[str, ...] | None = None
    forced: bool | None = None
    prefill: bool | None = None
    json_schema: bool | None = None
    mid_system: bool | None = None


def _table() -> Mapping[str, Any]:
    return load_table(__file__, "models.json")


def known_models() -> tuple[str, ...]:
    """Return the names of the models in the table, without dates."""
    return tuple(_table()["models"])


def table_name(model: str) -> str:
    """Return the name of a model in the tables: without its date, aliases resolved."""
    name = _DATED.sub("", model)
    return str(_table()["aliases"].get(name, name))


def _row(model: str) -> Mapping[str, Any] | None:
    row: Mapping[str, Any] | None = _table()["models"].get(table_name(model))
    return row


def retired(model: str) -> str | None:
    """Return the day (ISO 8601) of a model's retirement; None if the table has none."""
    row = _row(model)
    return None if row is None else row.get("retired")


@lru_cache(maxsize=256)
def profile_of(model: str) -> Profile:
    """Return the profile of a model; all unknown for a model that is not in the table."""
    row = _row(model)
    if row is None:
        return Profile()
    family = _table()["families"][row["family"]]
    return Profile(**_freeze({name: family[name] for name in attrs.fields_dict(Profile) if name in family}))


def rules_named(name: str) -> dict[str, ParameterRule]:
    """Return a set of rules of the table."""
    rows = _table()["rules"][name]
    return {option: ParameterRule(**_freeze(row)) for option, row in rows.items()}


def _freeze(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


def capabilities(dialect: Dialect, model: ModelRef) -> Capabilities:
    """Return the capabilities of a model by Anthropic's table, under the API version that applies.

    A model that is not in the table is a chat model whose other capabilities are unknown.
    """
    return _known(dialect.name(model), dialect.version_of(model), model.declared.get("route") == "messages")


@lru_cache(maxsize=256)
def _known(model: str, version: str, by_messages: bool = False) -> Capabilities:
    """Return the capabilities of a model by the table.

    Args:
        model: Anthropic's own id of the model.
        version: The API version of the call.
        by_messages: A model of text completions is called through messages anyway.
    """
    row = _row(model)
    of_version = rules_named(version) if version in _table()["rules"] else {}
    if row is None:
        return Capabilities(kinds=frozenset({"chat"}), parameters=of_version, source="inferred")
    source = f"table {_table()['as_of']}"
    limits = Limits(context_window=row["context"], max_output_tokens=row["output"])
    rules = {
        **rules_named("ranges"),
        "max_tokens": ParameterRule(maximum=row["output"], source=_table()["source"]),
    }
    if row["family"] == "legacy" and not by_messages:
        return _completion(rules, limits, source)
    family = _table()["families"][row["family"]]
    if not family["sampling"]:
        rules.update(rules_named("no sampling"))
    elif family.get("one_sampling") or row.get("one_sampling"):
        rules.update(rules_named("one sampling"))
    rules.update(of_version)
    return Capabilities(
        known=True,
        kinds=frozenset({"chat"}),
        features=_features(family, row, source),
        parameters=rules,
        limits=limits,
        source=source,
    )


def _features(family: Mapping[str, Any], row: Mapping[str, Any], source: str) -> dict[str, Capability]:
    def known(value: bool) -> Capability:
        return Capability(value, source)

    features = {"streaming": known(True), "system": known(True), "audio": known(False)}
    if row["family"] == "legacy":
        lacking = ("tools", "tool_choice", "json", "json_schema", "images", "documents", "reasoning")
        return features | dict.fromkeys(lacking, known(False))
    features |= dict.fromkeys(("tools", "parallel_tool_calls", "count_tokens"), known(True))
    features["tool_choice"] = known(family["forced"])
    features["reasoning"] = known(bool(family["thinking"]))
    by_tool = Capability(family["forced"], f"{source}; through a forced tool")
    features["json"] = by_tool
    features["json_schema"] = known(True) if family["json_schema"] else by_tool
    return features | dict.fromkeys((*family["features"], *row.get("features", ())), known(True))


def _completion(rules: Mapping[str, ParameterRule], limits: Limits, source: str) -> Capabilities:
    lacking = ("tools", "tool_choice", "json", "json_schema", "images", "documents", "audio", "reasoning")
    no = dict.fromkeys((*lacking, "count_tokens"), Capability(False, source))
    yes = dict.fromkeys(("streaming", "system"), Capability(True, source))
    return Capabilities(
        known=True,
        kinds=frozenset({"completion"}),
        features={**no, **yes},
        parameters=rules,
        limits=limits,
        chat_prompt=chat_prompt,
        chat_prompt_name=PROMPT_FORMAT,
        source=source,
    )


def rules_for(profile: Profile, reasoning: Reasoning | None, known: Capabilities) -> Capabilities:
    """Return the capabilities with the rules that apply while the model thinks, if the request makes it think.

    Rules that an administrator has declared take precedence.
    """
    if not profile.sampling or not profile.thinking or reasoning is None:
        return known
    wanted = reasoning.effort not in (None, "none") and (
        "adaptive" in profile.thinking or not profile.efforts
    )
    if reasoning.budget_tokens is None and not wanted:
        return known
    tables = rules_named("ranges"), rules_named("one sampling")
    ours = {name: [rules[name] for rules in tables if name in rules] for name in known.parameters}
    own = {name: rule for name, rule in known.parameters.items() if rule not in ours[name]}
    thinking = {
        name: attrs.evolve(rule, excludes=known.parameters[name].excludes)
        if name in known.parameters
        else rule
        for name, rule in rules_named("while thinking").items()
    }
    return attrs.evolve(known, parameters={**thinking, **own})
