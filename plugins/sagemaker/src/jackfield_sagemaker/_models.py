"""What the modes mean, and what is known of the models behind endpoints; the table is `modes.json`."""

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
    """How a kind of container speaks.

    Attributes:
        name: The mode.
        title: For people.
        kinds: The kinds of request it serves.
        streams: Its answers can be streamed.
        source: The document that says so.
        dialect: Another plugin's dialect that it speaks: anthropic, cohere or openai.
        text: Where the text goes, a dotted path.
        fixed: What every body holds.
        options: Ours to its names, dotted paths.
        content_type: Of the body, if that is not JSON but the text itself.
        dialogs: It takes conversations, each a list of turns.
        greedy: A temperature of 0 is refused; greedy decoding is asked for by `do_sample`.
        do_sample: Sampling options count only with `do_sample`.
        full_text: It repeats the prompt unless told not to.
        max_tokens: What it is asked for if the caller does not say: by itself it stops after some 20 tokens.
        details: It tells its finish reason and counts if asked.
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
    """Give the rows of all modes."""
    return {name: ModeRow(name=name, **row) for name, row in _table()["modes"].items()}


def mode_of(model: ModelRef) -> ModeRow:
    """Give the mode that a model's entry declares.

    Raises:
        ConfigurationError: It declares none.
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
    """Say what an endpoint can do: what its mode can carry, and what is known of its underlying model."""
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
    """Say what a dialect's own table knows of the underlying model."""
    if mode.dialect == "anthropic":
        from jackfield_anthropic import capabilities as of_claude

        from ._dialect import CLAUDE

        known = of_claude(CLAUDE, model)
    elif mode.dialect == "cohere":
        from jackfield_cohere import capabilities as of_cohere

        from ._dialect import COHERE

        known = of_cohere(COHERE, model)
    else:
        from jackfield_openai import OPENAI

        # The rules are those of OpenAI's own service; a container has its own.
        known = attrs.evolve(OPENAI.capabilities(model), parameters={})
    return known if model.underlying is not None else attrs.evolve(known, known=False, limits=Limits())


def _with_prompt(
    known: Capabilities, mode: ModeRow, model: ModelRef, row: Mapping[str, Any] | None
) -> Capabilities:
    """Add the format in which conversations are written for a model that completes text."""
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
