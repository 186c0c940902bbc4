"""Embeddings: `predict`, and `embedContent` for the newest models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Event, MalformedResponseError, RawEvent, UnsupportedError, Usage, UsageUpdate
from jackfield.plugin import (
    UNSET,
    Capabilities,
    EmbeddingData,
    EmbedRequest,
    ModelRef,
    ParameterWriter,
    Translation,
    Wire,
    read_count,
    vector_reader,
)

from ._gemini_decoder import objects_in
from ._names import path_of, row_of

__all__ = ["read_embeddings", "translate_embedding"]

_TASKS: Final[Mapping[str, str]] = {
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "similarity": "SEMANTIC_SIMILARITY",
}
_SILENT: Final = "by default the service truncates an input that is too long, without an error"


def translate_embedding(model: ModelRef, request: EmbedRequest, capabilities: Capabilities) -> Translation:
    """Translate an embedding request.

    Source: Vertex AI text embeddings (2026) and google-genai 2.34: `embedContent` for every Gemini embedding model
    but `gemini-embedding-001`.

    Raises:
        UnsupportedError: There are several texts, and `embedContent` accepts one per call.
    """
    single = row_of(model.known_as).get("call") == "embedContent"
    if single and len(request.inputs) != 1:
        raise UnsupportedError(f"{model.id} accepts one text per call", parameter="inputs")
    config = "embedContentConfig" if single else "parameters"
    body: dict[str, Any] = {}
    writer = ParameterWriter.of(request, model, capabilities, body)
    task = writer.take("input_type")
    if single:
        body["content"] = {"parts": [{"text": request.inputs[0]}]}
        if task is not UNSET:
            writer.write("input_type", f"{config}.taskType", _TASKS[task])
    else:
        extra = {} if task is UNSET else {"task_type": _TASKS[task]}
        body["instances"] = [{"content": text, **extra} for text in request.inputs]
        if task is not UNSET:
            writer.note("input_type", "renamed", wire="instances.task_type", value=_TASKS[task])
    writer.put("dimensions", f"{config}.outputDimensionality")
    _put_truncate(writer, f"{config}.autoTruncate")
    writer.merge_extra(request.extra, "vertex")
    method = "embedContent" if single else "predict"
    return Translation(Wire(path_of(model, method), body, meta={"family": "embedding"}), writer.finish())


def _put_truncate(writer: ParameterWriter, path: str) -> None:
    choice = writer.take("truncate")
    if choice is UNSET:
        writer.default("truncate", path, False, _SILENT)
    elif choice == "start":
        writer.refuse("truncate", "the service truncates only at the end", choice)
    else:
        writer.write("truncate", path, choice == "end")


def read_embeddings(value: Any) -> list[Event]:
    """Decode an answer of `predict` or of `embedContent`."""
    (body,) = objects_in(value)
    events = _content(body) if "embedding" in body else _predictions(body)
    if events is None:
        raise MalformedResponseError("the answer has no embeddings")
    return events


def _content(body: Mapping[str, Any]) -> list[Event] | None:
    values = (body["embedding"] or {}).get("values")
    if not isinstance(values, list):
        return None
    events: list[Event] = [EmbeddingData(0, vector_reader()(values))]
    usage = body.get("usageMetadata")
    if usage and isinstance(usage, Mapping):
        events.append(UsageUpdate(Usage(input_tokens=usage.get("promptTokenCount")), usage))
    if body.get("truncated"):
        events.append(RawEvent("truncated", 0))
    return events


def _predictions(body: Mapping[str, Any]) -> list[Event] | None:
    predictions = body.get("predictions")
    if not isinstance(predictions, list) or not all(
        isinstance(one, Mapping) and "values" in (one.get("embeddings") or ()) for one in predictions
    ):
        return None
    vectors = vector_reader()
    events: list[Event] = []
    counts: list[Any] = []
    for index, one in enumerate(predictions):
        embedding = one["embeddings"]
        events.append(EmbeddingData(index, vectors(embedding["values"])))
        statistics = embedding.get("statistics")
        statistics = statistics if isinstance(statistics, Mapping) else {}
        if statistics.get("token_count") is not None:
            counts.append(statistics["token_count"])
        if statistics.get("truncated"):
            events.append(RawEvent("truncated", index))
    known = [count for one in counts if (count := read_count(one)) is not None]
    if known and len(known) == len(predictions):
        events.append(UsageUpdate(Usage(input_tokens=sum(known)), body.get("metadata")))
    return events
