"""Answers of Gemini that are not as documented: of gateways, of other versions."""

import json

import pytest

import jackfield_vertex
from jackfield import RawEvent, StreamInterruptedError
from jackfield.plugin import FailureInStream, Frame, ModelRef, Wire
from jackfield.testing import reply_of

NUMBER = 2**70


def chunk(*parts, finish=None, identity="r1", **more):
    candidate = {"content": {"role": "model", "parts": list(parts)}}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "responseId": identity, "modelVersion": "gemini-2.5-flash", **more}


def decoded(*values, stream=True):
    decode = jackfield_vertex.jackfield_decoder(
        ModelRef("gemini-2.5-flash"), Wire("/", {}, stream=stream, meta={"family": "gemini"})
    )
    found = []
    for value in values:
        found += decode.feed(value if isinstance(value, Frame) else Frame(json.dumps(value).encode()))
    return decode, found + decode.finish()


ANSWER = (chunk({"text": "all "}), chunk({"text": "of it"}, finish="STOP"))


@pytest.mark.parametrize(
    "beat",
    [
        Frame(b"null"),
        Frame(b"", "ping"),
        Frame(b"ping", "ping"),
        Frame(b"{}", "heartbeat"),
        Frame(b"null", "ping"),
    ],
)
@pytest.mark.parametrize("place", range(3))
def test_a_heartbeat_changes_nothing(beat, place):
    assert decoded(*ANSWER[:place], beat, *ANSWER[place:])[1] == decoded(*ANSWER)[1]


def test_an_answer_is_whole_from_its_finish_reason_on_and_done_ends_nothing():
    decode = jackfield_vertex.jackfield_decoder(
        ModelRef("gemini-2.5-flash"), Wire("/", {}, stream=True, meta={"family": "gemini"})
    )
    assert not decode.is_whole
    decode.feed(Frame(json.dumps(ANSWER[0]).encode()))
    assert not decode.is_whole
    decode.feed(Frame(json.dumps(ANSWER[1]).encode()))
    assert decode.is_whole
    assert decode.feed(Frame(b"[DONE]")) == []
    assert decode.feed(Frame(b"\xef\xbb\xbf[DONE]")) == []
    assert reply_of(decoded(*ANSWER, Frame(b" [DONE]"))[1]).choices[0].text == "all of it"


def test_a_second_answer_before_the_first_has_ended_is_an_interruption():
    for first in (
        {"text": "half"},
        {"text": "hm", "thought": True},
        {"functionCall": {"name": "add", "args": {}}},
    ):
        with pytest.raises(StreamInterruptedError, match="another answer"):
            decoded(chunk(first), chunk({"text": "the whole"}, finish="STOP", identity="r2"))
    assert (
        reply_of(decoded(chunk(), chunk({"text": "a"}, finish="STOP", identity="r2"))[1]).choices[0].text
        == "a"
    )
    assert (
        reply_of(decoded(chunk({"text": "a"}), chunk({"text": "b"}, finish="STOP", identity=None))[1])
        .choices[0]
        .text
        == "ab"
    )


def test_what_strict_parsers_refuse_is_read():
    odd = Frame(
        b'\xef\xbb\xbf{"candidates": [{"content": {"parts": [{"text": "\xffa"}]}, "avgLogprobs": NaN, "finishReason": "STOP"}]}'
    )
    assert reply_of(decoded(odd)[1]).choices[0].text == "\ufffda"


def test_an_error_in_a_named_event_is_raised():
    with pytest.raises(FailureInStream) as caught:
        decoded(
            ANSWER[0],
            Frame(b'{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "slow"}}', "error"),
        )
    error = jackfield_vertex.jackfield_error(caught.value.failure)
    assert (type(error).__name__, error.message, error.is_retryable) == ("RateLimitError", "slow", True)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [({"a": NUMBER}, {"a": NUMBER}), ('{"a": 1}', {"a": 1}), (None, {}), ("", {}), ("null", {}), ({}, {})],
)
@pytest.mark.parametrize("stream", [True, False])
def test_arguments_in_odd_forms_are_read(given, wanted, stream):
    call = {"functionCall": {"id": "c", "name": "add", "args": given}}
    (choice,) = reply_of(decoded(chunk(call, call, finish="STOP"), stream=stream)[1]).choices
    assert [dict(found.arguments) for found in choice.message.tool_calls] == [wanted, wanted]
    assert choice.finish_reason == "tool_calls"


def test_signatures_of_empty_parts_and_of_calls_are_kept():
    parts = ({"text": "", "thoughtSignature": "s1"}, {"text": "a"}, {"functionCall": {"name": "add", "args": {}}, "thoughtSignature": "s2"},
             {"thoughtSignature": "s3"})  # fmt: skip
    message = reply_of(decoded(chunk(*parts, finish="STOP"))[1], provider="vertex").choices[0].message
    found = [getattr(part, "provider_data", None) or getattr(part, "data", None) for part in message.parts]
    assert found == [
        {"vertex": {"thoughtSignature": "s1"}},
        None,
        {"vertex": {"thoughtSignature": "s2"}},
        {"thoughtSignature": "s3"},
    ]


@pytest.mark.parametrize(
    ("usage", "wanted"),
    [
        ({"promptTokenCount": "9", "candidatesTokenCount": 5.0, "thoughtsTokenCount": "2", "totalTokenCount": 16}, (9, 7, None, 2)),
        ({"promptTokenCount": 9, "toolUsePromptTokenCount": "4", "candidatesTokenCount": 5, "totalTokenCount": 18}, (13, 5, None, None)),
        ({"promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}], "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": "3"}],
          "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 5}]}, (9, 5, 3, None)),
        ({"promptTokenCount": 9, "candidatesTokenCount": 5, "totalTokenCount": 21}, (9, 12, None, None)),
        ({"promptTokenCount": [9], "candidatesTokenCount": -5, "thoughtsTokenCount": 3}, (None, None, None, None)),
        ([7], (None, None, None, None)),
    ],
)  # fmt: skip
def test_counts_in_odd_forms_cost_no_answer(usage, wanted):
    reply = reply_of(decoded(chunk({"text": "a"}, finish="STOP", usageMetadata=usage))[1])
    used = reply.usage
    counts = (used.input_tokens, used.output_tokens, used.cached_input_tokens, used.reasoning_tokens)
    assert counts == wanted
    assert reply.choices[0].text == "a"


@pytest.mark.parametrize("place", range(3))
def test_an_event_of_an_unknown_kind_begins_nothing(place):
    events = decoded(*ANSWER[:place], {"type": "x_unknown", "x": [1]}, *ANSWER[place:])[1]
    assert [event for event in events if not isinstance(event, RawEvent)] == decoded(*ANSWER)[1]


@pytest.mark.parametrize(
    "nothing", [None, {"listVal": None}, {"structVal": None}, {"listVal": [{"structVal": None}]}]
)
def test_verdicts_of_palm_that_are_null_are_none(nothing):
    text = {"structVal": {"content": {"stringVal": ["all of it"]}}}
    value = {"outputs": [{"structVal": {"candidates": {"listVal": [text]}, "safetyAttributes": nothing}}]}
    decode = jackfield_vertex.jackfield_decoder(
        ModelRef("chat-bison@002"), Wire("/", {}, stream=True, meta={"family": "palm"})
    )
    events = [*decode.feed(Frame(json.dumps(value).encode())), *decode.finish()]
    assert reply_of(events).choices[0].text == "all of it"
