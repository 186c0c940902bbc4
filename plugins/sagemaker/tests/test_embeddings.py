"""Read embeddings."""

import json

import pytest
from sagemaker_endpoints import events_of, ref, translated

from jackfield import MalformedResponseError
from jackfield.plugin import EmbeddingData, EmbedRequest, Frame


@pytest.mark.parametrize(
    ("answer", "inputs", "vectors"),
    [
        ([[0.5, 1.0], [1.5, 2.0]], 2, [[0.5, 1.0], [1.5, 2.0]]),
        ([0.5, 1.0], 1, [[0.5, 1.0]]),
        ([[[0.0, 1.0], [1.0, 2.0]]], 1, [[0.5, 1.5]]),
        ([[[[0.0, 1.0], [1.0, 2.0]]], [[[4.0, 4.0]]]], 2, [[0.5, 1.5], [4.0, 4.0]]),
        ({"embeddings": [[1, 2]]}, 1, [[1.0, 2.0]]),
        ({"vectors": [[0.25, 2]]}, 1, [[0.25, 2.0]]),
    ],
)
def test_vectors(answer, inputs, vectors):
    wire = translated(ref("embedding"), EmbedRequest(inputs=("x",) * inputs)).wire
    events = events_of(wire, [Frame(json.dumps(answer).encode())])
    assert [list(e.vector) for e in events if isinstance(e, EmbeddingData)] == vectors


@pytest.mark.parametrize("answer", [[[1.0]], [], {}, {"embedding": None}, [[], []], "x", [["a"], ["b"]]])
def test_vectors_that_are_not_there(answer):
    wire = translated(ref("embedding"), EmbedRequest(inputs=("x", "y"))).wire
    with pytest.raises(MalformedResponseError):
        events_of(wire, [Frame(json.dumps(answer).encode())])
