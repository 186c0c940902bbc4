"""Answers that only come whole: embeddings, rankings, summaries, token counts."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from sys import byteorder
from typing import Any, Final

from jackfield import (
    EmbeddingData,
    Event,
    Finish,
    MalformedResponseError,
    RawEvent,
    RerankScore,
    Started,
    TextDelta,
    TokensCounted,
)

from ._reading import AnswerDecoder, read_meta

__all__ = ["WholeDecoder", "decoder_of"]

Reader = Callable[[Any], Iterator[Event]]


class WholeDecoder(AnswerDecoder):
    """Reads an answer that is one JSON object.

    Args:
        field: What the answer must hold.
        read: Gives the events of that field.
    """

    def __init__(self, field: str, read: Reader) -> None:
        super().__init__()
        self._field = field
        self._reader = read

    def _read(self, value: dict[str, Any]) -> Iterator[Event]:
        self._ended = True
        if value.get(self._field) is None:
            yield from self._unknown(None, value, self._field)
        yield Started(value.get("id"))
        yield from self._reader(value[self._field])
        yield from read_meta(value)


def _summary(text: str) -> Iterator[Event]:
    yield TextDelta(text)
    yield Finish("other")  # the API does not say why a summary ended


def _ranking(results: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
    for position, result in enumerate(results):
        yield RerankScore(result.get("index", position), result["relevance_score"])


def _count(tokens: Sequence[int]) -> Iterator[Event]:
    yield TokensCounted(len(tokens))


def _embeddings(told: Any) -> Iterator[Event]:
    """Read vectors: a plain list (v1), or lists by type, of which one is given as vectors and the rest as they are."""
    kinds = {"float": told} if isinstance(told, list) else {k: v for k, v in told.items() if v is not None}
    chosen = next((kind for kind in ("float", "base64") if kind in kinds), next(iter(kinds), None))
    if chosen is None:
        raise MalformedResponseError("the answer has no embeddings of any type")
    vector = _reader()
    for index, value in enumerate(kinds[chosen]):
        yield EmbeddingData(index, vector(value))
    for kind, values in kinds.items():
        if kind != chosen:
            yield RawEvent(f"embeddings.{kind}", values)


_READERS: Final[Mapping[str, tuple[str, Reader]]] = {
    "embed": ("embeddings", _embeddings),
    "rerank": ("results", _ranking),
    "summarize": ("summary", _summary),
    "tokenize": ("tokens", _count),
}


def decoder_of(api: str) -> WholeDecoder:
    """Give the decoder of embed, rerank, summarize or tokenize."""
    return WholeDecoder(*_READERS[api])


@lru_cache(maxsize=1)
def _reader() -> Callable[[Any], Any]:
    """Give the function that makes float32 vectors; numpy is looked for once."""
    if find_spec("numpy") is None:
        return _as_array
    numpy = import_module("numpy")

    def as_numpy(value: Any) -> Any:
        if isinstance(value, str):
            # The copy makes the vector writable and lets the base64 text go.
            return numpy.frombuffer(base64.b64decode(value), dtype="<f4").astype(numpy.float32)
        return numpy.asarray(value, dtype=numpy.float32)

    return as_numpy


def _as_array(value: Any) -> Any:
    if not isinstance(value, str):
        return array("f", value)
    vector = array("f", base64.b64decode(value))
    if byteorder == "big":  # the wire is little-endian
        vector.byteswap()
    return vector
