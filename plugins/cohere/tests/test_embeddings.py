"""Embeddings: the request and the answer."""

import sys
from array import array

import pytest
from cohere_answers import WIRE, read
from cohere_requests import fates, made

from jackfield import RawEvent, UnsupportedError
from jackfield.plugin import EmbeddingData, EmbedRequest, vector_reader


def test_embeddings_say_what_they_are_for():
    sent = made(EmbedRequest(inputs=("a",)), "embed-v4.0")

    assert sent.wire.body == {
        "model": "embed-v4.0",
        "texts": ["a"],
        "input_type": "search_document",
        "truncate": "NONE",
        "embedding_types": ["base64"],
    }
    assert fates(sent) == {"input_type": "defaulted", "truncate": "defaulted", "embedding_types": "defaulted"}
    assert "embedding_types" not in made(EmbedRequest(inputs=("a",)), "someone-s-own").wire.body
    for model in ("embed-v4.0", "someone-s-own"):
        with pytest.raises(UnsupportedError):
            made(EmbedRequest(inputs=("a",), input_type="similarity"), model)
    with pytest.raises(UnsupportedError):
        made(EmbedRequest(inputs=("a",), dimensions=7), "embed-v4.0")
    with pytest.raises(UnsupportedError):
        made(EmbedRequest(inputs=("a",), dimensions=256), "embed-english-v3.0")


def test_other_types_of_embeddings():
    events = read("embed", {"embeddings": {"int8": [[1, -2]], "ubinary": [[7]]}}, stream=False)

    assert [event.vector.tolist() for event in events if isinstance(event, EmbeddingData)] == [[1.0, -2.0]]
    assert RawEvent("embeddings.ubinary", [[7]]) in events


def test_vectors_without_numpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    vector_reader.cache_clear()
    try:
        vectors = [e.vector for e in read("embed", (WIRE / "embedding.json").read_bytes(), stream=False)
                   if isinstance(e, EmbeddingData)]  # fmt: skip
        plain = [
            e.vector
            for e in read("embed", {"embeddings": [[1, 2]]}, stream=False)
            if isinstance(e, EmbeddingData)
        ]
    finally:
        vector_reader.cache_clear()

    assert vectors == [array("f", [1.0, -2.0]), array("f", [0.5, 0.25])]
    assert plain == [array("f", [1.0, 2.0])]
