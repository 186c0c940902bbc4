"""How answers of Gemini are read."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings, strategies as st

import jackfield_vertex
from jackfield import (
    CitationDelta,
    UsageUpdate,
)
from jackfield.http import framer_for
from jackfield.plugin import (
    Frame,
    ModelRef,
    Wire,
)
from jackfield.testing import reply_of

MODEL = "gemini-2.5-flash"
WIRE = Path(__file__).parent / "wire"
WORDS = st.text(min_size=1, max_size=8)
PARTS = st.one_of(
    st.builds(lambda text: {"text": text}, WORDS),
    st.builds(lambda text: {"text": text, "thought": True}, WORDS),
    st.just({"functionCall": {"name": "f", "args": {"a": "é"}}, "thoughtSignature": "c2ln"}),
    st.just({"text": "", "thoughtSignature": "c2ln"}),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=4))
def test_cuts_anywhere_and_whole_answers_mean_the_same(parts):
    import json

    chunks = [{"candidates": [{"content": {"parts": [part]}}], "responseId": "r"} for part in parts]
    chunks[-1]["candidates"][0]["finishReason"] = "STOP"
    data = b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks)

    def read(cut):
        decode = jackfield_vertex.jackfield_decoder(ModelRef(MODEL), Wire("/", stream=True))
        framer = framer_for("text/event-stream", "sse")
        frames = [*framer.feed(data[:cut]), *framer.feed(data[cut:]), *framer.close()]
        return [event for frame in frames for event in decode.feed(frame)] + decode.finish()

    first = read(0)
    for cut in range(1, len(data)):
        assert read(cut) == first
    whole = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}], "responseId": "r"}
    decode = jackfield_vertex.jackfield_decoder(ModelRef(MODEL), Wire("/"))
    events = decode.feed(Frame(json.dumps(whole).encode())) + decode.finish()
    assert reply_of(events).choices == reply_of(first).choices


NULLS = ("thought", "thoughtSignature", "functionCall", "inlineData", "index", "citationMetadata", "groundingMetadata",
         "finishMessage", "logprobsResult", "promptFeedback", "toolUsePromptTokenCount", "promptTokensDetails", "error",
         "serviceTier", "name_that_nobody_knows")  # fmt: skip


def with_nulls(value):
    if isinstance(value, list):
        return [with_nulls(one) for one in value]
    if not isinstance(value, dict) or "a" in value:
        return value
    return {**dict.fromkeys(NULLS), **{name: with_nulls(one) for name, one in value.items()}}


@pytest.mark.parametrize("name", ["chat.json", "tools.json", "grounded.json", "json.json"])
def test_null_is_the_same_as_absent(name):
    """Programs that keep answers through a client library write absent fields as null."""
    import json

    value = json.loads((WIRE / name).read_text("utf-8"))
    if name != "tools.json":
        for candidate in value["candidates"]:
            candidate["content"]["parts"] = [with_nulls(part) if "text" in part else part
                                             for part in candidate["content"]["parts"]]  # fmt: skip
    nulled = {**dict.fromkeys(NULLS), **value}
    nulled["candidates"] = [{**dict.fromkeys(NULLS), **one} for one in value["candidates"]]
    nulled["usageMetadata"] = {**dict.fromkeys(NULLS), **value["usageMetadata"]}

    def read(body):
        decode = jackfield_vertex.jackfield_decoder(ModelRef(MODEL), Wire("/"))
        return reply_of(decode.feed(Frame(json.dumps(body).encode())) + decode.finish())

    assert read(nulled).choices == read(json.loads((WIRE / name).read_text("utf-8"))).choices
    assert read(nulled).usage == read(value).usage
    assert not read(nulled).raw or all(event.data is not None for event in read(nulled).raw)


def whole(candidate, **more):
    body = {"candidates": [{"finishReason": "STOP", **candidate}], **more}
    reader = jackfield_vertex.jackfield_decoder(ModelRef(MODEL), Wire("/", {}, meta={"family": "gemini"}))
    return [*reader.feed(Frame(orjson.dumps(body))), *reader.finish()]


def test_places_of_citations_that_are_written_with_a_point_are_places():
    """A field of protobuf that passed through a Struct has one."""
    cited = {"startIndex": 0.0, "endIndex": 3.0, "uri": "u"}
    grounding = {
        "groundingChunks": [{"web": {"uri": "v", "title": "t"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 4.0, "endIndex": 7.0}, "groundingChunkIndices": [0.0]}
        ],
    }
    events = whole(
        {
            "content": {"parts": [{"text": "The sky"}]},
            "citationMetadata": {"citations": [cited]},
            "groundingMetadata": grounding,
        }
    )
    found = [event.citation for event in events if isinstance(event, CitationDelta)]
    assert [(c.start, c.end, c.url, c.source_id) for c in found] == [(0, 3, "u", None), (4, 7, "v", "0")]


def test_a_piece_of_a_call_whose_name_is_null_goes_on_with_the_call():
    parts = [
        {"functionCall": {"name": "add", "willContinue": True}},
        {
            "functionCall": {
                "name": None,
                "partialArgs": [{"jsonPath": "$.a", "numberValue": 1}],
                "willContinue": True,
            }
        },
        {"functionCall": {"name": None, "args": None}},
    ]
    (call,) = reply_of(whole({"content": {"parts": parts}})).choices[0].message.tool_calls
    assert (call.name, dict(call.arguments)) == ("add", {"a": 1})


def test_rows_of_usage_that_are_null_are_no_rows():
    usage = {
        "promptTokenCount": 3,
        "candidatesTokenCount": 2,
        "totalTokenCount": 5,
        "promptTokensDetails": [None],
    }
    (told,) = [
        e.usage
        for e in whole({"content": {"parts": [{"text": "x"}]}}, usageMetadata=usage)
        if isinstance(e, UsageUpdate)
    ]
    assert (told.input_tokens, told.output_tokens, dict(told.details)) == (3, 2, {})


@pytest.mark.parametrize("word", ["STOP", "MAX_TOKENS", "SAFETY"])
@pytest.mark.parametrize("candidate", [{}, {"content": {}}, {"content": {"role": "model"}}, {"index": 0}])
def test_a_candidate_of_a_finish_reason_and_nothing_else_is_read(word, candidate):
    first = {"candidates": [{"content": {"parts": [{"text": "Hello."}]}}]}
    last = {"candidates": [{**candidate, "finishReason": word}]}
    reasons = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter"}
    for stream, chunks in ((True, [first, last]), (False, [last])):
        decode = jackfield_vertex.jackfield_decoder(ModelRef(MODEL), Wire("/", stream=stream))
        events = [event for chunk in chunks for event in decode.feed(Frame(orjson.dumps(chunk)))]
        (choice,) = reply_of(events + decode.finish()).choices
        assert (choice.finish_reason, choice.finish_raw) == (reasons[word], word)
        assert choice.text == ("Hello." if stream else "")


@pytest.mark.parametrize("beside", ["avgLogprobs", "groundingMetadata", "safetyRatings"])
def test_what_stands_alone_in_a_candidate_is_not_lost(beside):
    last = {"candidates": [{beside: [{"a": 1}] if beside == "safetyRatings" else {"a": 1}}]}
    end = {"candidates": [{"finishReason": "STOP"}]}
    decode = jackfield_vertex.jackfield_decoder(ModelRef(MODEL), Wire("/", stream=True))
    events = [event for chunk in (last, end) for event in decode.feed(Frame(orjson.dumps(chunk)))]
    assert beside in str(events + decode.finish())


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("IMAGE_SAFETY", "content_filter"), (11, "content_filter"), (12, "content_filter"), (13, "content_filter"),
        ("UNEXPECTED_TOOL_CALL", "other"), (15, "other"), ("MISSING_THOUGHT_SIGNATURE", "other"), (16, "other"),
        ("TOO_MANY_TOOL_CALLS", "other"), ("OF_TOMORROW", "other"), (99, "other"),
    ],
)  # fmt: skip
def test_new_finish_reasons_have_names_in_numbers_too(word, reason):
    names = {
        11: "IMAGE_SAFETY",
        12: "IMAGE_PROHIBITED_CONTENT",
        13: "IMAGE_RECITATION",
        15: "UNEXPECTED_TOOL_CALL",
        16: "NO_IMAGE",
    }
    decode = jackfield_vertex.jackfield_decoder(ModelRef(MODEL), Wire("/"))
    chunk = {"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": word}]}
    (choice,) = reply_of(decode.feed(Frame(orjson.dumps(chunk))) + decode.finish()).choices
    assert (choice.finish_reason, choice.finish_raw) == (reason, names.get(word, str(word)))
