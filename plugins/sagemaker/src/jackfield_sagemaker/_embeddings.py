"""Embeddings of Hugging Face's and JumpStart's containers."""

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
    """Write texts to embed.

    Raises:
        UnsupportedError: The mode embeds nothing, or cannot carry an option.
    """
    if "embedding" not in mode.kinds:
        raise UnsupportedError(f"the mode {mode.name} embeds nothing", parameter="kind")
    body: dict[str, Any] = {mode.text or "inputs": list(request.inputs)}
    writer = ParameterWriter(request.given(), capabilities, request.unsupported, body, model=model.id)
    writer.merge_extra(request.extra, "sagemaker")
    meta = {"api": "embedding", "inputs": len(request.inputs)}
    return Translation(Wire("/", body, meta=meta), writer.finish())


def embedding_decoder(inputs: int) -> WholeDecoder:
    """Give the decoder of vectors: a list of them, or under `embedding`, `embeddings` or `vectors`.

    A vector for each token (the toolkit's feature extraction) is made one for the text by the mean of all, as the
    models' cards do it.
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
    """Give one vector an input.

    Raises:
        MalformedResponseError: There are not as many.
    """
    if _depth(value) == 1:
        value = [value]
    found = list(map(_one, value)) if isinstance(value, list) else []
    if len(found) != inputs or not all(found):
        raise MalformedResponseError(f"the answer holds {len(found)} vectors for {inputs} texts")
    return found


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list) and value:
        value, depth = value[0], depth + 1
    return depth if isinstance(value, int | float) else 0


def _one(value: Any) -> Sequence[float]:
    """Give a text's vector, of its own or as the mean of its tokens'."""
    while _depth(value) > 2:
        value = value[0]
    if _depth(value) == 1:
        return list(value)
    rows: list[list[float]] = value if _depth(value) == 2 else []
    return list(_means(rows))


def _means(rows: list[list[float]]) -> Iterator[float]:
    for column in zip(*rows, strict=False):
        yield sum(column) / len(rows)
