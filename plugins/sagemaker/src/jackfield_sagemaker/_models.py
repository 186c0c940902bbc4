"""The table of modes and of models behind endpoints: capabilities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import attrs

from jackfield import ConfigurationError
from jackfield.plugin import Capabilities, Capability, Kind, Limits, ModelRef, load_table

from ._placeholders import kinds_of

__all__ = ["ModeRow", "capabilities", "mode_of", "modes"]

_TEXT_ALONE: Final = (
    "tools", "parallel_tool_calls", "tool_choice", "json", "json_schema", "images", "documents", "audio", "reasoning",
    "citations", "prompt_cache", "count_tokens",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class ModeRow:
    """The API of a kind of container.

    Attributes:
        name: The mode.
        title: The mode's title, for people.
        kinds: The kinds of request that it supports.
        streams: Its answers can be streamed.
        source: The document on which the row rests.
        dialect: Another plugin's dialect that it uses: anthropic, cohere or openai.
        text: The place of the text in the body, with dots.
        fixed: The constant part of every body.
        options: Its names of options, with dots, by ours.
        content_type: The media type of the body, if that is not JSON but the text itself.
        dialogs: It accepts conversations, each a list of turns.
        greedy: It rejects a temperature of 0; `do_sample` requests greedy decoding.
        do_sample: Sampling options apply only with `do_sample`.
        full_text: It repeats the prompt by default.
        max_tokens: The default of `max_tokens`; without one the container stops after some 20 tokens.
        details: It reports its finish reason and token counts on request.
    """

    name: str
    title: str
    kinds: tuple[Kind, ...]
    streams: bool
    source: str
    dialect: str | None = None
    text: str | None = None
    fixed: Mapping[str, Any] = attrs.field(factory=dict)
    options: Mapping[str, str] = attrs.field(factory=dict)
    content_type: str | None = None
    dialogs: bool = False
    greedy: bool = False
    do_sample: bool = False
    full_text: bool = False
    max_tokens: int | None = None
    details: bool = False


def _table() -> Mapping[str, Any]:
    return load_table(__file__, "modes.json")


@lru_cache(maxsize=1)
def modes() -> Mapping[str, ModeRow]:
    """Return the rows of all modes."""
    return {name: ModeRow(name=name, **row) for name, row in _table()["modes"].items()}


def mode_of(model: ModelRef) -> ModeRow:
    """Return the mode in a model's entry.

    Raises:
        ConfigurationError: The entry has no mode.
    """
    row = modes().get(model.declared.get("mode", ""))
    if row is None:
        raise ConfigurationError(f"models[{model.id}] has no mode; write one of {', '.join(modes())}")
    return row


@lru_cache(maxsize=256)
def _row_of(name: str) -> Mapping[str, Any] | None:
    low = name.lower().replace("_", "-")
    rows: list[Mapping[str, Any]] = _table()["models"]
    return next((row for row in rows if re.search(row["match"], low)), None)


def capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of an endpoint, which depend on its mode and its underlying model."""
    mode = modes().get(model.declared.get("mode", ""))
    if mode is None:
        return Capabilities()
    row = None if model.underlying is None else _row_of(model.known_as)
    known = Capabilities() if mode.dialect is None else _of_dialect(mode, model)
    known = _with_prompt(known, mode, model, row)
    source = f"mode {mode.name}, table {_table()['as_of']}"
    features = {**known.features, "streaming": Capability(_streams(mode, model), source)}
    if mode.dialect is None:
        features = {**{name: Capability(value=False, source=source) for name in _TEXT_ALONE}, **features}
    if mode.dialogs or mode.name == "template":
        features["system"] = Capability(value=True, source=source)
    return attrs.evolve(
        known,
        known=known.known or row is not None,
        kinds=_kinds(mode, model),
        features=features,
        limits=Limits(**row["limits"])
        if row is not None and known.limits.context_window is None
        else known.limits,
        retired=None,
        source=source,
    )


def _kinds(mode: ModeRow, model: ModelRef) -> frozenset[Kind]:
    if mode.name != "template":
        return frozenset(mode.kinds)
    return kinds_of(model.declared["template"])


def _streams(mode: ModeRow, model: ModelRef) -> bool:
    if model.declared.get("asynchronous") is not None:
        return False
    return mode.streams or "stream" in model.declared.get("template", {})


def _of_dialect(mode: ModeRow, model: ModelRef) -> Capabilities:
    """Return the capabilities of the underlying model by the table of a dialect's plugin."""
    if mode.dialect == "anthropic":
        from jackfield_anthropic import capabilities as claude_capabilities

        from ._dialect import CLAUDE

        known = claude_capabilities(CLAUDE, model)
    elif mode.dialect == "cohere":
        from jackfield_cohere import capabilities as cohere_capabilities

        from ._dialect import COHERE

        known = cohere_capabilities(COHERE, model)
    else:
        from jackfield_openai import OPENAI

        # The rules apply to OpenAI's own service; a container has others.
        known = attrs.evolve(OPENAI.capabilities(model), parameters={})
    return known if model.underlying is not None else attrs.evolve(known, known=False, limits=Limits())


def _with_prompt(
    known: Capabilities, mode: ModeRow, model: ModelRef, row: Mapping[str, Any] | None
) -> Capabilities:
    """Return the capabilities with the prompt format of conversations, for a model that completes text."""
    name = model.declared.get("prompt")
    if name is None and row is not None and "prompt" in row:
        chats = "instruct" not in row or re.search(row["instruct"], model.known_as.lower())
        name = row["prompt"] if chats else None
    if name is None or mode.dialogs or mode.dialect == "openai":
        return known
    from jackfield_aws.prompts import chat_prompt

    write, title, system = chat_prompt(name)
    features = {**known.features, "system": Capability(system, f"prompt format {name}")}
    return attrs.evolve(known, chat_prompt=write, chat_prompt_name=title, features=features)
