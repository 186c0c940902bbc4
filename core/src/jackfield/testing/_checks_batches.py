"""Checks of batches: every text and document arrives, and every vector and score is that of its text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from jackfield._types.requests import EmbedRequest, RerankRequest

from ._bodies import leaves
from ._check import check
from ._checks_answers import read_answers, with_facts
from ._findings import SkipCheck
from ._subject import Subject, refused


@check(
    "translate.inputs",
    law="Every text of a batch, and every document of a rerank, arrives, in order.",
    remedy="write all of request.inputs or request.documents; say in the limits how many a request may hold",
)
def inputs(subject: Subject) -> Iterable[str]:
    texts = ("jackfield-input-0", "jackfield-input-1")
    for probe in subject.probes_of("embedding", "rerank"):
        embeds = probe.kind == "embedding"
        request = (
            EmbedRequest(inputs=texts) if embeds else RerankRequest(query="jackfield-query", documents=texts)
        )
        most = probe.capabilities.limits.max_inputs
        if most is not None and most < len(texts):
            continue
        if refused(subject.translate, probe.model, request, probe.capabilities):
            continue
        body = subject.translate(probe.model, request, probe.capabilities).wire.body
        text = "\n".join(str(leaf) for leaf in leaves(body))
        places = [text.find(one) for one in texts]
        if -1 in places or places != sorted(places) or not (embeds or "jackfield-query" in text):
            yield f"{probe.label}: not all of them are in the body, or in another order"


@check(
    "answers.embeddings",
    law="Embeddings are the case's: float32, in order.",
    remedy="give EmbeddingData(index, vector) with a numpy array or array('f')",
    applies=with_facts(lambda case: case.embedding is not None, "what the embeddings are"),
)
def embeddings(subject: Subject) -> Iterable[str]:
    for case, folded in read_answers(subject, lambda case: case.embedding is not None):
        vectors = [folded.vectors.get(index) for index in range(len(folded.vectors))]
        wanted: Any = case.embedding
        is_shape = len(wanted) == 2 and all(isinstance(entry, int) for entry in wanted)
        shape = tuple(wanted) if is_shape else (len(wanted), len(wanted[0]) if wanted else 0)
        found = (len(vectors), len(vectors[0]) if vectors and vectors[0] is not None else 0)
        if found != shape:
            yield f"{case.label}: there are {found[0]} of length {found[1]}, not {shape[0]} of length {shape[1]}"
            continue
        if not is_shape and any(
            abs(a - b) > 1e-5 * max(1.0, abs(b))
            for mine, theirs in zip(vectors, wanted, strict=True)
            for a, b in zip(() if mine is None else mine, theirs, strict=True)
        ):
            yield f"{case.label}: the values are others"
        wrong = [vector for vector in vectors if not _is_float32(vector)]
        if wrong:
            yield f"{case.label}: a vector is a {type(wrong[0]).__name__}, not float32"


def _is_float32(vector: Any) -> bool:
    return getattr(vector, "typecode", None) == "f" or str(getattr(vector, "dtype", "")) == "float32"


def _vectors(value: Any, index: Any = None) -> Iterator[tuple[Any, list[float]]]:
    """Return the vectors in a body, each with the index that stands beside it, if any."""
    if isinstance(value, dict):
        for entry in value.values():
            yield from _vectors(entry, value.get("index"))
    elif isinstance(value, list) and len(value) > 1 and all(type(entry) in {int, float} for entry in value):
        yield index, value
    elif isinstance(value, list):
        for entry in value:
            yield from _vectors(entry, index)


@check(
    "answers.embedding_order",
    law="The vectors are in the order of the texts: that of the answer, or of the indexes in it.",
    remedy="give EmbeddingData(index, vector) with the index that the service says, else with the place",
)
def embedding_order(subject: Subject) -> Iterable[str]:
    tried = False
    for case in subject.good_cases(stream=False):
        found = (
            subject.decoded(case).folded.vectors if case.kind == "embedding" and not case.in_process else {}
        )
        if len(found) < 2:
            continue
        sent = list(_vectors(orjson.loads(subject.body(case))))
        if len(sent) != len(found):
            continue
        tried = True
        for place, (index, vector) in enumerate(sent):
            mine = found.get(index if isinstance(index, int) else place)
            if mine is None or any(
                abs(a - b) > 1e-5 * max(1.0, abs(b)) for a, b in zip(mine, vector, strict=False)
            ):
                yield f"{case.label}: the vector at place {place} belongs to another text"
                break
    if not tried:
        raise SkipCheck("no case holds two vectors as numbers")


@check(
    "answers.scores",
    law="A rerank's scores are the case's.",
    remedy="give RerankScore(index, score) for each document that came back",
    applies=with_facts(lambda case: case.scores is not None, "what the scores are"),
)
def scores(subject: Subject) -> Iterable[str]:
    for case, folded in read_answers(subject, lambda case: case.scores is not None):
        found, wanted = list(folded.scores), [tuple(pair) for pair in case.scores or ()]
        if [index for index, _ in found] != [index for index, _ in wanted] or any(
            abs(a[1] - b[1]) > 1e-9 for a, b in zip(found, wanted, strict=True)
        ):
            yield f"{case.label}: they are {found!r}, not {wanted!r}"
