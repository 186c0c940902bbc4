"""Embeddings: the request and the answer."""

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
from ._models import returns_base64
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
    """Translate a request for embeddings. Source: API description of embed v2, 2026-08-20."""
    writer = start_writer(dialect, "embed", model, capabilities, request, request.given())
    writer.body["texts"] = list(request.inputs)
    _put_input_type(writer)
    writer.put("dimensions", "output_dimension")
    truncate = writer.take("truncate")
    if truncate is UNSET:
        why = "the service would truncate inputs that are too long, and not report it"
        writer.default("truncate", "truncate", "NONE", why)
    else:
        writer.write("truncate", "truncate", _TRUNCATE[truncate])
    if dialect.base64 and returns_base64(dialect.name(model)):
        why = "four times smaller than numbers as text"
        writer.default("embedding_types", "embedding_types", ["base64"], why)
    return dialect.wire("embed", model, writer, request, request.extra)


def _put_input_type(writer: ParameterWriter) -> None:
    wanted = writer.take("input_type")
    if wanted is not UNSET and wanted not in _INPUT_TYPES:
        writer.refuse("input_type", f"the service accepts {', '.join(_INPUT_TYPES)}", wanted)
        wanted = UNSET
    if wanted is UNSET:
        why = "the service requires the purpose of the texts"
        writer.default("input_type", "input_type", "search_document", why)
    else:
        writer.write("input_type", "input_type", _INPUT_TYPES[wanted])


def read_embeddings(value: Any) -> Iterator[Event]:
    """Read vectors: a plain list (v1), or lists by type, of which one becomes vectors and the others raw events."""
    kinds = {"float": value} if isinstance(value, list) else {k: v for k, v in value.items() if v is not None}
    chosen = next((kind for kind in ("float", "base64") if kind in kinds), next(iter(kinds), None))
    if chosen is None:
        raise MalformedResponseError("the answer has no embeddings of any type")
    vector = vector_reader()
    for index, one in enumerate(kinds[chosen]):
        yield EmbeddingData(index, vector(one))
    for kind, values in kinds.items():
        if kind != chosen:
            yield RawEvent(f"embeddings.{kind}", values)
