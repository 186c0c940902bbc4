"""Vectors with and without numpy, and malformed responses."""

from __future__ import annotations

import sys
from array import array

import pytest

from jackfield import MalformedResponseError, Mesh
from jackfield.plugin import FailureInStream, Frame, Head, Wire, vector_reader
from jackfield.testing import Answer, RecordingServer
from jackfield_openai import OPENAI, decoder


def decode(body):
    reading = decoder(OPENAI, Wire("/", {}, meta={"api": "embedding"}))
    return [*reading.start(Head(200)), *reading.feed(Frame(body)), *reading.finish()]


def test_without_numpy_vectors_are_arrays(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    vector_reader.cache_clear()
    try:
        events = decode(
            b'{"model":"m","data":[{"index":0,"embedding":"AAAAPwAAgL8="},{"embedding":[2,0.25]}]}'
        )
    finally:
        vector_reader.cache_clear()
    assert [event.vector for event in events[1:]] == [array("f", [0.5, -1.0]), array("f", [2.0, 0.25])]
    assert [event.index for event in events[1:]] == [0, 1]


def test_with_numpy_vectors_are_float32():
    numpy = pytest.importorskip("numpy")
    events = decode(b'{"data":[{"index":0,"embedding":"AAAAPwAAgL8="},{"index":1,"embedding":[2,0.25]}]}')
    for event in events[1:]:
        assert event.vector.dtype == numpy.float32
        event.vector[0] = 1.0  # the caller may write to it


def test_an_error_is_the_error():
    with pytest.raises(FailureInStream):
        decode(b'{"error":{"message":"no"}}')


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"data":1}'])
def test_a_response_without_embeddings_is_malformed(body):
    with pytest.raises(MalformedResponseError):
        decode(body)


def test_an_empty_body_is_malformed():
    with pytest.raises(MalformedResponseError):
        decoder(OPENAI, Wire("/", {}, meta={"api": "embedding"})).finish()


@pytest.mark.parametrize("vector", ["null", "[0.1, null]", "[]", "[[0.1]]", "[NaN]", '""', '"AADAfw=="'])
async def test_what_is_not_a_vector_is_an_error_that_names_its_input(vector):
    body = (
        '{"model": "m", "data": [{"index": 0, "embedding": [0.5]}, {"index": null, "embedding": '
        + vector
        + "}]}"
    )
    async with RecordingServer() as server:
        server.answer(Answer.text(body, content_type="application/json"))
        config = {"connections": {"c": {"provider": "openai", "base_url": server.url, "api_key": "none"}}}
        async with Mesh.from_config(config) as mesh:
            with pytest.raises(MalformedResponseError, match="the embedding of input 1 is not a vector"):
                await mesh.embed("c:m", ["a", "b"])
