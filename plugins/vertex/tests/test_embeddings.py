"""Which method embeddings are asked by."""

import pytest

import jackfield_vertex
from jackfield import (
    UnsupportedError,
)
from jackfield.plugin import (
    Capabilities,
    EmbedRequest,
    ModelRef,
)
from jackfield.testing import translated


def test_where_embeddings_go():
    def wire(model, *inputs, **options):
        request = EmbedRequest(inputs=inputs, **options)
        return translated(jackfield_vertex, ModelRef(model), request, Capabilities()).wire

    assert wire("gemini-embedding-2-preview", "a", input_type="query").body == {
        "content": {"parts": [{"text": "a"}]},
        "embedContentConfig": {"taskType": "RETRIEVAL_QUERY", "autoTruncate": False},
    }
    assert wire("text-embedding-005", "a", truncate="end").body["parameters"] == {"autoTruncate": True}
    with pytest.raises(UnsupportedError):
        wire("text-embedding-005", "a", truncate="start")
    with pytest.raises(UnsupportedError):
        wire("gemini-embedding-2", "a", "b")
