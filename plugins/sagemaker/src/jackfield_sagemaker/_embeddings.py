"""Embeddings by Hugging Face's and JumpStart's containers: the request and the answer."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

from jackfield import Event, MalformedResponseError, Started, UnsupportedError
from jackfield.plugin import (
    Capabilities,
    EmbeddingData,
    EmbedRequest,
    Failure,
    FailureInStream,
    ModelRef,
    ParameterWriter,
    Translation,
    WholeDecoder,
    Wire,
    vector_reader,
)

from ._models import ModeRow

__all__ = ["embedding_decoder", "translate_embedding", "vectors_of"]


def translate_embedding(
    mode: ModeRow, model: ModelRef, request: EmbedRequest, capabilities: Capabilities
) -> Translation:
    """Translate a request for embeddings.

    Raises:
        UnsupportedError: The mode does not support embeddings, or cannot honour an option.
    """
    if "embedding" not in mode.kinds:
        raise UnsupportedError(f"the mode {mode.name} does not support embeddings", parameter="kind")
    body: dict[str, Any] = {mode.text or "inputs": list(request.inputs)}
    writer = ParameterWriter(request.given(), capabilities, request.unsupported, body, model=model.id)
    writer.merge_extra(request.extra, "sagemaker")
    meta = {"api": "embedding", "inputs": len(request.inputs)}
    return Translation(Wire("/", body, meta=meta), writer.finish())


def embedding_decoder(inputs: int) -> WholeDecoder:
    """Return the decoder of vectors: a list of them, or under `embedding`, `embeddings` or `vectors`.

    Vectors of single tokens (the toolkit's feature extraction) are replaced by their mean, as the models' cards do.
    """
    return WholeDecoder(functools.partial(_read, inputs))


def _read(inputs: int, value: Any) -> Iterator[Event]:
    if isinstance(value, dict):
        if value.get("error"):
            raise FailureInStream(Failure(data=value))
        value = next((value[name] for name in ("embedding", "embeddings", "vectors") if name in value), None)
    vectors = vectors_of(value, inputs)
    read = vector_reader()
    yield Started()
    yield from (EmbeddingData(index, read(vector)) for index, vector in enumerate(vectors))


def vectors_of(value: Any, inputs: int) -> list[Sequence[float]]:
    """Return one vector per input.

    Raises:
        MalformedResponseError: The number of vectors and inputs differs.
    """
    if _depth(value) == 1:
        value = [value]
    found = list(map(_vector_of, value)) if isinstance(value, list) else []
    if len(found) != inputs or not all(found):
        raise MalformedResponseError(f"the answer contains {len(found)} vectors for {inputs} texts")
    return found


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list) and value:
        value, depth = value[0], depth + 1
    return depth if isinstance(value, int | float) else 0


def _vector_of(value: Any) -> Sequence[float]:
    """Return the vector of a text, or the mean of its tokens' vectors."""
    while _depth(value) > 2:
        value = value[0]
    if _depth(value) == 1:
        return list(value)
    rows: list[list[float]] = value if _depth(value) == 2 else []
    return list(_means(rows))


def _means(rows: list[list[float]]) -> Iterator[float]:
    for column in zip(*rows, strict=False):
        yield sum(column) / len(rows)
