"""Decode answers of every API: cut anywhere, incomplete, wrong. The samples are written by us from the documented formats."""

from itertools import pairwise
from pathlib import Path

import pytest
from cohere_answers import WIRE, end, piece, read
from hypothesis import given, strategies as st

from jackfield import MalformedResponseError, RawEvent, StreamInterruptedError
from jackfield.http import framer_for
from jackfield.plugin import FailureInStream, Head, Headers, Wire
from jackfield_cohere import COHERE, decoder

APIS = {"chat.sse": "chat", "tools.sse": "chat", "chat_v1.ndjson": "chat_v1", "tools_v1.ndjson": "chat_v1"}


APIS["completion.ndjson"] = "generate"


TYPES = {".sse": "text/event-stream", ".ndjson": "application/stream+json", ".json": "application/json"}


def chunked(name, cuts):
    body, kind = (WIRE / name).read_bytes(), TYPES[Path(name).suffix]
    framer, reader = framer_for(kind), decoder(COHERE, Wire("/", stream=True, meta={"api": APIS[name]}))
    events = reader.start(Head(200, Headers({"content-type": kind})))
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for first, last in pairwise(edges):
        for frame in framer.feed(body[first:last]):
            events += reader.feed(frame)
    for frame in framer.close():
        events += reader.feed(frame)
    return events + reader.finish()


@pytest.mark.parametrize("name", APIS)
def test_cut_at_every_byte(name):
    size = len((WIRE / name).read_bytes())
    whole = chunked(name, [])

    assert chunked(name, range(size)) == whole
    assert all(chunked(name, [at]) == whole for at in range(0, size, 7))


@given(st.sampled_from(sorted(APIS)), st.lists(st.integers(0, 10_000), max_size=8))
def test_cut_at_random(name, cuts):
    assert chunked(name, cuts) == chunked(name, [])


@pytest.mark.parametrize(
    ("api", "values"),
    [
        ("chat", [piece(0, text="a"), end("ERROR", error="boom")]),
        ("chat", [end("TIMEOUT")]),
        ("chat", [{"message": "boom"}]),
        ("chat_v1", [{"event_type": "stream-end", "finish_reason": "ERROR", "response": {"text": ""}}]),
        ("chat_v1", [{"event_type": "stream-error", "err": "boom"}]),
        ("generate", [{"event_type": "stream-error", "finish_reason": "ERROR", "err": "boom"}]),
        ("generate", [{"generations": [{"id": "a", "text": "", "finish_reason": "ERROR"}]}]),
        ("embed", [{"message": "boom"}]),
    ],
)
def test_errors_in_good_answers(api, values):
    with pytest.raises(FailureInStream) as caught:
        read(api, *values)

    assert caught.value.failure.in_stream


@pytest.mark.parametrize("api", ["chat", "chat_v1", "generate"])
def test_a_stream_without_its_end(api):
    with pytest.raises(StreamInterruptedError, match="ended without"):
        read(api)


@pytest.mark.parametrize("api", ["chat", "chat_v1", "generate", "embed", "rerank", "summarize", "tokenize"])
def test_answers_that_are_none(api):
    for body in (b"[]", b"{}", b"<html>", b'{"id":"a"}'):
        with pytest.raises(MalformedResponseError):
            read(api, body, stream=False)
    with pytest.raises(MalformedResponseError):
        read(api, stream=False)


@pytest.mark.parametrize("api", ["chat", "chat_v1", "generate"])
def test_unknown_things_are_kept(api):
    new = {"type": "brand-new", "event_type": "brand-new", "is_finished": False}
    ends = {"chat": end(), "chat_v1": {"event_type": "stream-end", "response": {}}}
    ends["generate"] = {"is_finished": True, "finish_reason": "COMPLETE"}

    assert RawEvent("brand-new", new) in read(api, new, ends[api])


def test_a_warning_in_a_header_is_kept():
    reader = decoder(COHERE, Wire("/", meta={"api": "chat"}))

    assert reader.start(Head(200, Headers({"X-API-Warning": "soon gone"}))) == [
        RawEvent("warning", "soon gone")
    ]
