"""Answers that only come whole: embeddings, rankings, summaries, token counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    vector_reader,
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
    vector = vector_reader()
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
