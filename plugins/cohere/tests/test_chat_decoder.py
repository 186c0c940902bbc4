"""The decoders: cut anywhere, faults, oddities. The samples are written by us from the documented formats."""

from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from hypothesis import given, strategies as st

from jackfield import (
    CitationDelta,
    Finish,
    LogprobsDelta,
    MalformedResponseError,
    RawEvent,
    RawPart,
    StreamInterruptedError,
    Thinking,
    Usage,
)
from jackfield._calls.fold import fold
from jackfield.http import framer_for
from jackfield.plugin import EmbeddingData, FailureInStream, Frame, Head, Headers, Wire
from jackfield_cohere import COHERE, decoder, read_usage

WIRE = Path(__file__).parent / "wire"
APIS = {"chat.sse": "chat", "tools.sse": "chat", "chat_v1.ndjson": "chat_v1", "tools_v1.ndjson": "chat_v1"}
APIS["completion.ndjson"] = "generate"
TYPES = {".sse": "text/event-stream", ".ndjson": "application/stream+json", ".json": "application/json"}


def read(api, *values, stream=True, kind=None):
    """Give the events of these JSON values, each a frame."""
    reader = decoder(COHERE, Wire("/", stream=stream, meta={"api": api}))
    headers = {"content-type": kind or ("text/event-stream" if stream else "application/json")}
    events = reader.start(Head(200, Headers(headers)))
    for value in values:
        events += reader.feed(Frame(value if isinstance(value, bytes) else orjson.dumps(value)))
    return events + reader.finish()


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


def end(reason="COMPLETE", **delta):
    return {"type": "message-end", "delta": {"finish_reason": reason, **delta}}


def piece(index, **content):
    return {"type": "content-delta", "index": index, "delta": {"message": {"content": content}}}


def test_blocks_stay_apart():
    found = fold(read("chat", piece(0, text="a"), piece(0, text="b"), piece(1, text="c"), end()))

    assert [part.text for part in found.choices[0].message.parts] == ["ab", "c"]


def test_the_plan_is_no_part_of_the_thinking():
    plan = {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I plan."}}}
    found = fold(read("chat", piece(0, thinking="Hm."), plan, end()), provider="cohere")

    assert found.choices[0].message.parts == (
        Thinking("Hm.", "cohere"),
        Thinking("I plan.", "cohere", data={"field": "tool_plan"}),
    )


def test_calls_may_come_as_a_list_and_end_with_the_message():
    start = {"id": "x", "function": {"name": "f", "arguments": ""}}
    events = read(
        "chat",
        {"type": "tool-call-start", "index": 3, "delta": {"message": {"tool_calls": [start]}}},
        {
            "type": "tool-call-delta",
            "index": 3,
            "delta": {"message": {"tool_calls": {"function": {"arguments": "{}"}}}},
        },
        end("TOOL_CALL"),
    )
    (call,) = fold(events).choices[0].message.tool_calls

    assert (call.id, call.name, call.arguments) == ("x", "f", {})


@pytest.mark.parametrize("arguments", ["", "null", None, {}, "{}"])
def test_no_arguments_have_many_forms(arguments):
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": arguments}}
    body = {"id": "c", "finish_reason": "TOOL_CALL", "message": {"role": "assistant", "tool_calls": [call]}}
    (read_call,) = fold(read("chat", body, stream=False)).choices[0].message.tool_calls

    assert (read_call.arguments, read_call.arguments_raw) == ({}, None)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("max_tokens", "length"),
        ("ERROR_LIMIT", "length"),
        ("ERROR_TOXIC", "content_filter"),
        ("TOOL_CALL", "tool_calls"),
        ("SOMETHING_NEW", "other"),
        (None, "other"),
    ],
)
def test_finish_reasons(raw, reason):
    whole = {"response_id": "r", "text": "a", "finish_reason": raw}
    told = [event for event in read("chat_v1", whole, stream=False) if isinstance(event, Finish)]

    assert told == [Finish(reason, 0, raw)]
    assert [event for event in read("chat", end(raw)) if isinstance(event, Finish)] == told


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


def test_unknown_content_is_kept():
    body = {
        "id": "c",
        "finish_reason": "COMPLETE",
        "message": {"content": [{"type": "song", "notes": "do re"}]},
    }
    (part,) = fold(read("chat", body, stream=False)).choices[0].message.parts

    assert part == RawPart("cohere", {"type": "song", "notes": "do re"})


def test_logprobs():
    item = {"text": "Hi", "token_ids": [1, 2], "logprobs": [-0.5, -1.0]}
    delta = {**piece(0, text="Hi"), "logprobs": item}
    (told,) = [event for event in read("chat", delta, end()) if isinstance(event, LogprobsDelta)]

    assert [(token.token, token.logprob) for token in told.tokens] == [("Hi", -0.5), ("", -1.0)]


def test_a_citation_of_the_plan_has_no_place_in_the_text():
    told = {"start": 1, "end": 2, "text": "a", "type": "PLAN", "sources": [{"id": "t:0", "type": "tool"}]}
    event = {"type": "citation-start", "index": 0, "delta": {"message": {"citations": told}}}
    (found,) = [event.citation for event in read("chat", event, end()) if isinstance(event, CitationDelta)]

    assert (found.start, found.end, found.source_id) == (None, None, "t:0")


def test_lines_of_bedrock_are_read():
    pieces = [{"index": i, "is_finished": False, "text": text} for i, text in ((0, "a"), (1, "b"), (0, "c"))]
    events = read("generate", *pieces, {"is_finished": True, "finish_reason": "MAX_TOKENS"})

    assert [(choice.text, choice.finish_reason) for choice in fold(events).choices] == [
        ("ac", "length"),
        ("b", "length"),
    ]
    each = [{"index": i, "is_finished": True, "finish_reason": "COMPLETE"} for i in (0, 1)]
    assert [choice.finish_reason for choice in fold(read("generate", *pieces, *each)).choices] == [
        "stop",
        "stop",
    ]


def test_a_tool_call_of_v1_that_comes_whole():
    calls = [{"name": "f", "parameters": {"a": 1}}]
    events = read(
        "chat_v1",
        {"event_type": "stream-start", "generation_id": "g"},
        {"event_type": "tool-calls-generation", "text": "I call.", "tool_calls": calls},
        {
            "event_type": "stream-end",
            "response": {"text": "I call.", "tool_calls": calls},
            "finish_reason": "COMPLETE",
        },
    )
    (choice,) = fold(events).choices

    assert (choice.text, choice.finish_reason) == ("I call.", "tool_calls")
    assert [(call.id, call.arguments) for call in choice.message.tool_calls] == [("f_g_0", {"a": 1})]


def test_other_types_of_embeddings():
    events = read("embed", {"embeddings": {"int8": [[1, -2]], "ubinary": [[7]]}}, stream=False)

    assert [event.vector.tolist() for event in events if isinstance(event, EmbeddingData)] == [[1.0, -2.0]]
    assert RawEvent("embeddings.ubinary", [[7]]) in events


def test_vectors_without_numpy(monkeypatch):
    from array import array

    from jackfield._contract import decoding as _vectors

    monkeypatch.setattr(_vectors, "find_spec", lambda name: None)
    _vectors.vector_reader.cache_clear()
    try:
        vectors = [e.vector for e in read("embed", (WIRE / "embedding.json").read_bytes(), stream=False)
                   if isinstance(e, EmbeddingData)]  # fmt: skip
        plain = [
            e.vector
            for e in read("embed", {"embeddings": [[1, 2]]}, stream=False)
            if isinstance(e, EmbeddingData)
        ]
    finally:
        _vectors.vector_reader.cache_clear()

    assert vectors == [array("f", [1.0, -2.0]), array("f", [0.5, 0.25])]
    assert plain == [array("f", [1.0, 2.0])]


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({}, Usage()),
        ({"billed_units": {"input_tokens": 3.0}}, Usage(3, details={"billed_input_tokens": 3})),
        (
            {
                "tokens": {"input_tokens": 34.0, "output_tokens": 70.0, "image_tokens": 259.0},
                "cached_tokens": 0.0,
            },
            Usage(293, 70, 0, details={"input_image_tokens": 259}),
        ),
    ],
)
def test_usage_in_floats(told, usage):
    assert read_usage(told) == usage


def test_a_warning_in_a_header_is_kept():
    reader = decoder(COHERE, Wire("/", meta={"api": "chat"}))

    assert reader.start(Head(200, Headers({"X-API-Warning": "soon gone"}))) == [
        RawEvent("warning", "soon gone")
    ]


OTHER_CALL = {"id": "c1", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
KNOWN_CALL = {"id": "c2", "type": "function", "function": {"name": "add", "arguments": "{}"}}


def test_a_tool_call_of_an_unknown_kind_is_kept_and_calls_no_tool():
    body = {"id": "1", "message": {"tool_calls": [OTHER_CALL, KNOWN_CALL]}, "finish_reason": "TOOL_CALL"}
    events = read("chat", body, stream=False)
    assert RawEvent("tool_call", OTHER_CALL) in events
    assert [call.name for call in fold(events).choices[0].message.tool_calls] == ["add"]


def test_a_streamed_tool_call_of_an_unknown_kind_is_kept_and_calls_no_tool():
    def event(kind, index, call):
        return {"type": f"tool-call-{kind}", "index": index, "delta": {"message": {"tool_calls": call}}}

    piece = event("delta", 0, {"custom": {"input": "ls"}})
    events = read(
        "chat",
        {"type": "message-start", "id": "1"},
        event("start", 0, OTHER_CALL),
        piece,
        {"type": "tool-call-end", "index": 0},
        event("start", 1, KNOWN_CALL),
        {"type": "tool-call-end", "index": 1},
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}},
    )
    assert [e.data for e in events if isinstance(e, RawEvent)] == [event("start", 0, OTHER_CALL), piece]
    assert [call.name for call in fold(events).choices[0].message.tool_calls] == ["add"]
