"""What the models and their engine can do, and what the engine makes of each option: tables, and no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jackfield import Capabilities, Capability, Kind, Limits, ModelRef, ParameterRule

from ._catalogue import CatalogueEntry, known_entry
from ._settings import OnnxSettings

__all__ = ["KINDS", "PARAMETERS", "capabilities"]

_ENGINE: Final = "engine of jackfield-onnx 0.1"
_TABLE: Final = "catalogue of jackfield-onnx 0.1"

KINDS: Final[Mapping[str, frozenset[Kind]]] = {
    "chat": frozenset({"chat", "completion"}),
    "embedding": frozenset({"embedding"}),
}
"""Kinds of request by the catalogue's word for a model."""

# Whatever the model: the engine writes no tools into a prompt, forces no grammar, and reads text alone.
_OF_ENGINE: Final[Mapping[str, bool]] = {
    "streaming": True,
    "tools": False,
    "parallel_tool_calls": False,
    "tool_choice": False,
    "json": False,
    "json_schema": False,
    "images": False,
    "documents": False,
    "audio": False,
    "reasoning": False,
    "citations": False,
    "prompt_cache": False,
    "dimensions": False,
    "count_tokens": True,
}


def _rule(**row: object) -> ParameterRule:
    return ParameterRule(**row, source=_ENGINE)  # type: ignore[arg-type]


PARAMETERS: Final[Mapping[str, ParameterRule]] = {
    "system": _rule(wire="messages"),
    "max_tokens": _rule(minimum=1),
    # Above 2 an answer is noise, which ends only at its limit.
    "temperature": _rule(minimum=0, maximum=2),
    "top_p": _rule(minimum=1e-6, maximum=1),
    "top_k": _rule(minimum=1),
    "stop": _rule(),
    "seed": _rule(minimum=0),
    "presence_penalty": _rule(),
    "frequency_penalty": _rule(),
    "logit_bias": _rule(),
    "logprobs": _rule(),
    "top_logprobs": _rule(minimum=0),
    "n": _rule(choices=(1,), why="the engine makes one answer"),
    "tools": _rule(supported=False, why="the engine offers no tools to a model"),
    "tool_choice": _rule(supported=False, why="the engine offers no tools to a model"),
    "parallel_tool_calls": _rule(supported=False, why="the engine offers no tools to a model"),
    "response_format": _rule(supported=False, why="the engine cannot force a form on an answer"),
    "reasoning": _rule(supported=False, why="the engine knows no thinking"),
    "user": _rule(supported=False, why="nothing leaves this process, so there is nobody to tell it to"),
    "suffix": _rule(supported=False, why="the engine continues a text and cannot fill a gap in it"),
    "dimensions": _rule(supported=False, why="the model's vectors have one length"),
    "input_type": _rule(supported=False, why="the model embeds all texts alike"),
    "truncate": _rule(choices=("error", "start", "end")),
}
"""What the engine makes of each option, for every model."""


def capabilities(model: ModelRef) -> Capabilities:
    """Say what a model can do.

    Of a model that the catalogue does not know (one in a folder), what holds for the engine holds.
    """
    entry = known_entry(model.known_as)
    features = {name: Capability(value, _ENGINE) for name, value in _OF_ENGINE.items()}
    if entry is None:
        return Capabilities(features=features, parameters=PARAMETERS, source=_ENGINE)
    if entry.kind == "chat":
        features["system"] = Capability(True, _TABLE)
    else:
        # Neither has a meaning for vectors.
        features["streaming"] = features["count_tokens"] = Capability(False, _ENGINE)
    return Capabilities(
        known=True,
        kinds=KINDS[entry.kind],
        features=features,
        parameters=PARAMETERS,
        limits=_limits(entry, model.settings),
        source=_TABLE,
    )


def _limits(entry: CatalogueEntry, settings: object = None) -> Limits:
    """Give a model's sizes, as the connection's settings narrow them."""
    if entry.description is not None:
        return Limits(max_input_tokens=entry.description.max_tokens, dimensions=entry.description.dimensions)
    known = [size for size in (entry.context_length, _max_context(settings)) if size is not None]
    return Limits(context_window=min(known, default=None))


def _max_context(settings: object) -> int | None:
    return settings.max_context if isinstance(settings, OnnxSettings) else None
