"""Capabilities of the models and of their engine, and the rule for each option: tables, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from jackfield.plugin import Capabilities, Capability, Kind, Limits, ModelRef, ParameterRule

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
"""Kinds of request by the catalogue's kind of a model."""

# The same for every model. What depends on its files (a template with tools, an encoder's dimensions) is unknown until
# they are read: it is let through, and the engine refuses what the files do not support.
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
    # Above 2 the output is noise, which ends only at max_tokens.
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
    "n": _make_rule(choices=(1,), why="the engine generates one reply"),
    "tools": _make_rule(),
    "tool_choice": _make_rule(),
    "parallel_tool_calls": _make_rule(),
    "response_format": _make_rule(),
    "reasoning": _make_rule(supported=False, why="the engine does not support reasoning"),
    "user": _make_rule(supported=False, why="requests do not leave this process, so no service receives it"),
    "suffix": _make_rule(supported=False, why="the engine continues a prompt and cannot fill in the middle"),
    "dimensions": _make_rule(minimum=1),
    "input_type": _make_rule(),
    "truncate": _make_rule(choices=("error", "start", "end")),
    "top_n": _make_rule(minimum=1),
}
"""The rule for each option; a model may support less."""

_OF_MINILM: Final[Mapping[str, ParameterRule]] = {
    **PARAMETERS,
    "dimensions": _make_rule(supported=False, why="the model's vectors have a fixed length"),
    "input_type": _make_rule(supported=False, why="the model embeds all texts the same way"),
}


def capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model.

    A model that is not in the catalogue (one in a folder or on a hub) has those of the engine.
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
        # Its chat template does not support tools.
        features |= dict.fromkeys(("tools", "parallel_tool_calls", "tool_choice"), Capability(False, _TABLE))
        features["dimensions"] = Capability(False, _ENGINE)
    else:
        # None of these applies to embeddings.
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
    """Start a wire's body: the model, and the named keys that its entry declares."""
    declared = {name: model.declared.get(name) for name in ("folder", "hub", "revision", *names)}
    return {"model": model.known_as, **{name: value for name, value in declared.items() if value is not None}}


def _read_kinds(declared: Mapping[str, Any]) -> frozenset[Kind]:
    """Return the kinds that an entry declares; they were validated when the configuration was read."""
    several: Iterable[Kind] = declared.get("kinds") or ()
    kind: Kind | None = declared.get("kind")
    return frozenset([*several, *([] if kind is None else [kind])])


def _read_limits(entry: CatalogueEntry, settings: object = None) -> Limits:
    """Return a model's limits, narrowed by the connection's settings."""
    if entry.description is not None:
        return Limits(max_input_tokens=entry.description.max_tokens, dimensions=entry.description.dimensions)
    known = [size for size in (entry.context_length, _read_max_context(settings)) if size is not None]
    return Limits(context_window=min(known, default=None))


def _read_max_context(settings: object) -> int | None:
    return settings.max_context if isinstance(settings, OnnxSettings) else None
