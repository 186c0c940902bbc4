"""Embeddings: request and answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jackfield import Event, MalformedResponseError, RawEvent
from jackfield.plugin import (
    UNSET,
    Capabilities,
    EmbeddingData,
    EmbedRequest,
    ModelRef,
    ParameterWriter,
    Translation,
    vector_reader,
)

from ._dialect import Dialect
from ._models import gives_base64
from ._options import start_writer

__all__ = ["read_embeddings", "translate_embedding"]

_INPUT_TYPES: Final[Mapping[str, str]] = {
    "query": "search_query",
    "document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
}
_TRUNCATE: Final[Mapping[str, str]] = {"error": "NONE", "start": "START", "end": "END"}


def translate_embedding(
    dialect: Dialect, model: ModelRef, request: EmbedRequest, capabilities: Capabilities
) -> Translation:
    """Write texts to embed. Source: API description of embed v2, 2026-08-20."""
    writer = start_writer(dialect, "embed", model, capabilities, request, request.given())
    writer.body["texts"] = list(request.inputs)
    _put_input_type(writer)
    writer.put("dimensions", "output_dimension")
    truncate = writer.take("truncate")
    if truncate is UNSET:
        why = "the service would cut inputs that are too long, and not say so"
        writer.default("truncate", "truncate", "NONE", why)
    else:
        writer.write("truncate", "truncate", _TRUNCATE[truncate])
    if dialect.base64 and gives_base64(dialect.name(model)):
        why = "four times smaller than numbers as text"
        writer.default("embedding_types", "embedding_types", ["base64"], why)
    return dialect.wire("embed", model, writer, request, request.extra)


def _put_input_type(writer: ParameterWriter) -> None:
    wanted = writer.take("input_type")
    if wanted is not UNSET and wanted not in _INPUT_TYPES:
        writer.refuse("input_type", f"the service knows {', '.join(_INPUT_TYPES)}", wanted)
        wanted = UNSET
    if wanted is UNSET:
        why = "the service wants to know what the texts are for"
        writer.default("input_type", "input_type", "search_document", why)
    else:
        writer.write("input_type", "input_type", _INPUT_TYPES[wanted])


def read_embeddings(told: Any) -> Iterator[Event]:
    """Read vectors: a plain list (v1), or lists by type, of which one is given as vectors and the rest as they are."""
    kinds = {"float": told} if isinstance(told, list) else {k: v for k, v in told.items() if v is not None}
    chosen = next((kind for kind in ("float", "base64") if kind in kinds), next(iter(kinds), None))
    if chosen is None:
        raise MalformedResponseError("the answer has no embeddings of any type")
    vector = vector_reader()
    for index, value in enumerate(kinds[chosen]):
        yield EmbeddingData(index, vector(value))
    for kind, values in kinds.items():
        if kind != chosen:
            yield RawEvent(f"embeddings.{kind}", values)
