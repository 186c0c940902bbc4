"""What the models and their engine can do, and what the engine makes of each option: tables, and no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from jackfield import Capabilities, Capability, Kind, Limits, ModelRef, ParameterRule

from ._files.catalogue import CatalogueEntry, find_entry
from ._settings import OnnxSettings

__all__ = ["KINDS", "PARAMETERS", "PROVIDER", "begin_body", "capabilities"]

PROVIDER: Final = "onnx"
_ENGINE: Final = "engine of jackfield-onnx 0.1"
_TABLE: Final = "catalogue of jackfield-onnx 0.1"

KINDS: Final[Mapping[str, frozenset[Kind]]] = {
    "chat": frozenset({"chat", "completion"}),
    "embedding": frozenset({"embedding"}),
}
"""Kinds of request by the catalogue's word for a model."""

# Whatever the model. Of what depends on its files (a template with tools, an encoder's dimensions) nothing is said
# before they are read: unknown is let through, and the engine refuses what the files do not have.
_OF_ENGINE: Final[Mapping[str, bool | None]] = {
    "streaming": True,
    "tools": None,
    "parallel_tool_calls": None,
    "tool_choice": None,
    "json": True,
    "json_schema": True,
    "images": False,
    "documents": False,
    "audio": False,
    "reasoning": False,
    "citations": False,
    "prompt_cache": False,
    "dimensions": None,
    "count_tokens": True,
}
_OF_TEXT: Final = frozenset(
    {"streaming", "tools", "parallel_tool_calls", "tool_choice", "json", "json_schema", "count_tokens"}
)


def _make_rule(**row: object) -> ParameterRule:
    return ParameterRule(**row, source=_ENGINE)  # type: ignore[arg-type]


PARAMETERS: Final[Mapping[str, ParameterRule]] = {
    "system": _make_rule(wire="messages"),
    "max_tokens": _make_rule(minimum=1),
    # Above 2 an answer is noise, which ends only at its limit.
    "temperature": _make_rule(minimum=0, maximum=2),
    "top_p": _make_rule(minimum=1e-6, maximum=1),
    "top_k": _make_rule(minimum=1),
    "stop": _make_rule(),
    "seed": _make_rule(minimum=0),
    "presence_penalty": _make_rule(),
    "frequency_penalty": _make_rule(),
    "logit_bias": _make_rule(),
    "logprobs": _make_rule(),
    "top_logprobs": _make_rule(minimum=0),
    "n": _make_rule(choices=(1,), why="the engine makes one answer"),
    "tools": _make_rule(),
    "tool_choice": _make_rule(),
    "parallel_tool_calls": _make_rule(),
    "response_format": _make_rule(),
    "reasoning": _make_rule(supported=False, why="the engine knows no thinking"),
    "user": _make_rule(supported=False, why="nothing leaves this process, so there is nobody to tell it to"),
    "suffix": _make_rule(supported=False, why="the engine continues a text and cannot fill a gap in it"),
    "dimensions": _make_rule(minimum=1),
    "input_type": _make_rule(),
    "truncate": _make_rule(choices=("error", "start", "end")),
    "top_n": _make_rule(minimum=1),
}
"""What the engine makes of each option; a model may know less."""

_OF_MINILM: Final[Mapping[str, ParameterRule]] = {
    **PARAMETERS,
    "dimensions": _make_rule(supported=False, why="the model's vectors have one length"),
    "input_type": _make_rule(supported=False, why="the model embeds all texts alike"),
}


def capabilities(model: ModelRef) -> Capabilities:
    """Say what a model can do.

    Of a model that the catalogue does not know (one in a folder), what holds for the engine holds.
    """
    entry = None if {"folder", "hub"} & model.declared.keys() else find_entry(model.known_as)
    features = {
        name: Capability(value, _ENGINE if value is not None else "unknown")
        for name, value in _OF_ENGINE.items()
    }
    if entry is None:
        kinds = _read_kinds(model.declared)
        if kinds and not kinds & {"chat", "completion"}:
            features |= dict.fromkeys(_OF_TEXT, Capability(False, _ENGINE))
        if "summarization" in kinds:
            features["streaming"] = Capability(True, _ENGINE)
        return Capabilities(kinds=kinds, features=features, parameters=PARAMETERS, source=_ENGINE)
    if entry.kind == "chat":
        features["system"] = Capability(True, _TABLE)
        # Its template knows no tools.
        features |= dict.fromkeys(("tools", "parallel_tool_calls", "tool_choice"), Capability(False, _TABLE))
        features["dimensions"] = Capability(False, _ENGINE)
    else:
        # None of them has a meaning for vectors.
        features |= dict.fromkeys(_OF_TEXT, Capability(False, _ENGINE))
        features["dimensions"] = Capability(False, _TABLE)
    return Capabilities(
        known=True,
        kinds=KINDS[entry.kind],
        features=features,
        parameters=PARAMETERS if entry.kind == "chat" else _OF_MINILM,
        limits=_read_limits(entry, model.settings),
        source=_TABLE,
    )


def begin_body(model: ModelRef, *names: str) -> dict[str, Any]:
    """Begin a body: which model, and what its entry declares of it."""
    declared = {name: model.declared.get(name) for name in ("folder", "hub", "revision", *names)}
    return {"model": model.known_as, **{name: value for name, value in declared.items() if value is not None}}


def _read_kinds(declared: Mapping[str, Any]) -> frozenset[Kind]:
    """Give the kinds that an entry declares; whoever read the configuration has checked them."""
    several: Iterable[Kind] = declared.get("kinds") or ()
    kind: Kind | None = declared.get("kind")
    return frozenset([*several, *([] if kind is None else [kind])])


def _read_limits(entry: CatalogueEntry, settings: object = None) -> Limits:
    """Give a model's sizes, as the connection's settings narrow them."""
    if entry.description is not None:
        return Limits(max_input_tokens=entry.description.max_tokens, dimensions=entry.description.dimensions)
    known = [size for size in (entry.context_length, _read_max_context(settings)) if size is not None]
    return Limits(context_window=min(known, default=None))


def _read_max_context(settings: object) -> int | None:
    return settings.max_context if isinstance(settings, OnnxSettings) else None
