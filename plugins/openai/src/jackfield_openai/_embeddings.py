"""Embeddings: the request and the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jackfield import Event, MalformedResponseError, Started, Usage
from jackfield.plugin import (
    UNSET,
    Capabilities,
    EmbeddingData,
    EmbedRequest,
    ModelRef,
    ParameterWriter,
    Translation,
    Wire,
    vector_reader,
)

from ._chat import put_renamed
from ._dialect import Dialect
from ._usage import usage_event

__all__ = ["read_embeddings", "translate_embedding"]


def translate_embedding(
    dialect: Dialect, model: ModelRef, request: EmbedRequest, capabilities: Capabilities
) -> Translation:
    """Translate a request for embeddings.

    Source: API reference of embeddings, 2026-11. Base64 is four times smaller than numbers as text; some
    servers ignore the option and return numbers, so both are read.
    """
    path, body = dialect.start(dialect.embedding_path, model)
    writer = ParameterWriter(request.given(), capabilities, request.unsupported, body, model=model.id)
    body["input"] = list(request.inputs)
    put_renamed(dialect, writer, "dimensions")
    put_renamed(dialect, writer, "user")
    _put_input_type(dialect, writer)
    truncate = writer.take("truncate")
    if truncate == "error":
        writer.note(
            "truncate", "sent", value=truncate, why="the service always rejects inputs that are too long"
        )
    elif truncate is not UNSET:
        writer.refuse(
            "truncate", "the service never truncates an input; it rejects one that is too long", truncate
        )
    if dialect.base64:
        why = "four times smaller than numbers as text"
        writer.default("encoding_format", "encoding_format", "base64", why)
    writer.merge_extra(request.extra, *dialect.ids)
    return Translation(Wire(path, body, meta={"api": "embedding"}), writer.finish())


def _put_input_type(dialect: Dialect, writer: ParameterWriter) -> None:
    if not dialect.input_types:
        return  # `finish` refuses the option
    wanted = writer.take("input_type")
    if wanted is UNSET:
        return
    if wanted in dialect.input_types:
        writer.write("input_type", "input_type", dialect.input_types[wanted])
    else:
        writer.refuse("input_type", f"the service accepts {', '.join(dialect.input_types)}", wanted)


def read_embeddings(read_usage: Callable[[Mapping[str, Any]], Usage], value: Any) -> Iterator[Event]:
    """Read embeddings, as base64 or as numbers.

    Args:
        read_usage: Reads the token counts.
        value: The whole answer.
    """
    from ._errors import raise_failure

    entries = value.get("data") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise_failure(value)
        raise MalformedResponseError("the answer has no list `data` of embeddings")
    yield Started(value.get("id"), value.get("model"))
    vectors = vector_reader()
    for position, entry in enumerate(entries):
        index = entry.get("index")
        yield EmbeddingData(position if index is None else index, vectors(entry["embedding"]))
    usage = value.get("usage")
    if usage:
        yield usage_event(read_usage, usage)
