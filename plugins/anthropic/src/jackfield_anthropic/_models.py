"""The table of Claude models, and the rules that follow from it."""

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
    """How a family of models wants to be asked; None is unknown, and then all is sent.

    Attributes:
        sampling: temperature, top_p and top_k are taken.
        thinking: The values of `thinking.type` that are taken.
        thinks: It thinks also when `thinking` is left out.
        efforts: The values of `output_config.effort`.
        forced: A tool call can be forced.
        prefill: The last message may be the assistant's.
        json_schema: `output_config.format` is taken.
        mid_system: System messages among the others are honoured.
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
    """Name every model of the table, without dates."""
    return tuple(_table()["models"])


def table_name(model: str) -> str:
    """Give the name under which the tables know a model: without its date, aliases resolved."""
    name = _DATED.sub("", model)
    return str(_table()["aliases"].get(name, name))


def _row(model: str) -> Mapping[str, Any] | None:
    row: Mapping[str, Any] | None = _table()["models"].get(table_name(model))
    return row


def retired(model: str) -> str | None:
    """Give the day (ISO) from which a model is not served any more, if the table knows one."""
    row = _row(model)
    return None if row is None else row.get("retired")


@lru_cache(maxsize=256)
def profile_of(model: str) -> Profile:
    """Say how a model wants to be asked; all unknown for a model that the table does not name."""
    row = _row(model)
    if row is None:
        return Profile()
    family = _table()["families"][row["family"]]
    return Profile(**_frozen({name: family[name] for name in attrs.fields_dict(Profile) if name in family}))


def rules_named(name: str) -> dict[str, ParameterRule]:
    """Give a set of rules of the table."""
    rows = _table()["rules"][name]
    return {option: ParameterRule(**_frozen(row)) for option, row in rows.items()}


def _frozen(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


def capabilities(dialect: Dialect, model: ModelRef) -> Capabilities:
    """Say what Anthropic's table knows of a model under the API version that holds.

    Every model that the table does not name is a chat model of which nothing else is known.
    """
    return _known(dialect.name(model), dialect.version_of(model), model.declared.get("route") == "messages")


@lru_cache(maxsize=256)
def _known(model: str, version: str, by_messages: bool = False) -> Capabilities:
    """Say what the table knows of a model.

    Args:
        model: Its id, as Anthropic calls it.
        version: The API version of the call.
        by_messages: A model of text completions is asked through messages all the same.
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
    def say(value: bool) -> Capability:
        return Capability(value, source)

    features = {"streaming": say(True), "system": say(True), "audio": say(False)}
    if row["family"] == "legacy":
        lacking = ("tools", "tool_choice", "json", "json_schema", "images", "documents", "reasoning")
        return features | dict.fromkeys(lacking, say(False))
    features |= dict.fromkeys(("tools", "parallel_tool_calls", "count_tokens"), say(True))
    features["tool_choice"] = say(family["forced"])
    features["reasoning"] = say(bool(family["thinking"]))
    by_tool = Capability(family["forced"], f"{source}; through a forced tool")
    features["json"] = by_tool
    features["json_schema"] = say(True) if family["json_schema"] else by_tool
    return features | dict.fromkeys((*family["features"], *row.get("features", ())), say(True))


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
    """Add the rules that hold while the model thinks, if the request at hand makes it think.

    The core's own rules win: an administrator may have declared them.
    """
    if not profile.sampling or not profile.thinking or reasoning is None:
        return known
    asked = reasoning.effort not in (None, "none") and ("adaptive" in profile.thinking or not profile.efforts)
    if reasoning.budget_tokens is None and not asked:
        return known
    ranges = rules_named("ranges")
    own = {name: rule for name, rule in known.parameters.items() if ranges.get(name) != rule}
    return attrs.evolve(known, parameters={**rules_named("while thinking"), **own})
