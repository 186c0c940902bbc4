"""Answers that only come whole: embeddings, rankings, summaries, token counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from jackfield import Event, Finish, MalformedResponseError, RawEvent, Started, TextDelta
from jackfield.plugin import EmbeddingData, Head, RerankScore, TokensCounted, WholeDecoder, vector_reader

from ._errors import raise_failure
from ._reading import read_meta, read_warning

__all__ = ["decoder_of"]

Reader = Callable[[Any], Iterator[Event]]


class _WarnedDecoder(WholeDecoder):
    """The core's decoder, and the warning that a header of the answer may hold."""

    def start(self, head: Head) -> list[Event]:
        return read_warning(head)


def _read(field: str, read: Reader, value: Any) -> Iterator[Event]:
    """Read an answer that must hold one field.

    Args:
        field: What the answer must hold.
        read: Gives the events of that field.
        value: The answer.

    Raises:
        FailureInStream: It is the message of an error.
        MalformedResponseError: It does not hold the field.
    """
    if not isinstance(value, dict):
        raise MalformedResponseError("the answer is no JSON object")
    raise_failure(value)
    if value.get(field) is None:
        raise MalformedResponseError(f"the answer has no {field}; it has {', '.join(value) or 'nothing'}")
    yield Started(value.get("id"))
    yield from read(value[field])
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
    return _WarnedDecoder(partial(_read, *_READERS[api]))
