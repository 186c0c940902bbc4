"""Start a body, and write the options that chat v2, chat v1 and generate share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield.plugin import UNSET, Capabilities, ModelRef, ParameterWriter

from ._dialect import Dialect
from ._models import rules_for

__all__ = ["drop_marks", "put_sampling", "start_writer"]

# Jackfield's name and Cohere's. Source: API description, 2026-08-20.
_SAMPLING: Final = (
    ("max_tokens", "max_tokens"),
    ("temperature", "temperature"),
    ("top_p", "p"),
    ("top_k", "k"),
    ("seed", "seed"),
    ("presence_penalty", "presence_penalty"),
    ("frequency_penalty", "frequency_penalty"),
)


def start_writer(
    dialect: Dialect,
    kind: str,
    model: ModelRef,
    capabilities: Capabilities,
    request: Any,
    given: Mapping[str, Any],
) -> ParameterWriter:
    """Return the writer of a new body; `kind` names the rules that apply to it."""
    body = {"model": model.id} if dialect.send_model else {}
    return ParameterWriter(given, rules_for(kind, capabilities), request.unsupported, body, model=model.id)


def put_sampling(writer: ParameterWriter, stop: str = "stop_sequences") -> None:
    """Write the options for sampling and length; `stop` is the API's name of stop sequences."""
    for name, wire in _SAMPLING:
        if name in writer.left:
            writer.put(name, wire)
    writer.put("stop", stop, list)


def drop_marks(tools: Any, writer: ParameterWriter) -> None:
    """Drop and report marks of cacheable prefixes on tools; the service caches by itself."""
    for index, tool in enumerate(() if tools is UNSET else tools):
        if tool.cache is not None:
            writer.drop(
                f"tools[{index}].cache",
                "the service does not accept marks of cacheable prefixes; it caches by itself",
                tool.cache,
            )
