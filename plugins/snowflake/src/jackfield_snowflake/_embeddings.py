"""Embeddings over REST, `inference:embed`: the request and the decoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jackfield import Event, MalformedResponseError, Started, UsageUpdate
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

from ._complete_decoder import raise_failure
from ._usage import read_usage

__all__ = ["put_truncate", "read_embeddings", "translate_embedding"]


def translate_embedding(model: ModelRef, request: EmbedRequest, capabilities: Capabilities) -> Translation:
    """Translate an embedding request. Source: snowflake.core 1.14.0."""
    body = {"model": model.id, "text": list(request.inputs)}
    writer = ParameterWriter.of(request, model, capabilities, body)
    put_truncate(writer)
    writer.merge_extra(request.extra, "snowflake")
    wire = Wire(
        "/api/v2/cortex/inference:embed", body, headers={"Accept": "application/json"}, meta={"api": "embed"}
    )
    return Translation(wire, writer.finish())


def put_truncate(writer: ParameterWriter) -> None:
    """Write `truncate`: the service always truncates the end of a text that is too long.

    Source: docs.snowflake.com, EMBED_TEXT_1024 (2026).
    """
    side = writer.take("truncate")
    if side == "end":
        writer.note(
            "truncate",
            "sent",
            value=side,
            why="the service always truncates the end of a text that is too long",
        )
    elif side is not UNSET:
        writer.refuse("truncate", "the service always truncates the end of a text that is too long", side)


def read_embeddings(body: Any) -> Iterator[Event]:
    """Decode embeddings; a vector is one level deeper than in OpenAI's format."""
    entries = body.get("data") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        if isinstance(body, dict):
            raise_failure(body)
        raise MalformedResponseError("the answer has no list `data` of embeddings")
    yield Started(body.get("id"), body.get("model"))
    vectors = vector_reader()
    for position, entry in enumerate(entries):
        vector = entry["embedding"]
        nested = bool(vector) and isinstance(vector[0], list)
        index = entry.get("index")
        yield EmbeddingData(position if index is None else index, vectors(vector[0] if nested else vector))
    usage = body.get("usage")
    if usage:
        yield UsageUpdate(read_usage(usage), usage)
