"""Decode text generation, in the shapes of container versions."""

import json

import pytest
from sagemaker_endpoints import enveloped, events_of, ref, translated
from sagemaker_texts import LINES, played, prompt

from jackfield import (
    Finish,
    LogprobsDelta,
    MalformedResponseError,
    RawEvent,
    StreamInterruptedError,
    TextDelta,
    UsageUpdate,
)
from jackfield.plugin import CompletionRequest, FailureInStream, Frame, Options


@pytest.mark.parametrize(
    ("answer", "texts"),
    [
        ([{"generation": {"role": "assistant", "content": " A"}}], [" A"]),
        ([{"generation": "A"}], ["A"]),
        ({"generation": "A"}, ["A"]),
        ([{"generated_text": "A"}], ["A"]),
        ({"generated_text": "A"}, ["A"]),
        ([[{"generated_text": "A"}]], ["A"]),
        ({"generated_text": ["A", "B"]}, ["A", "B"]),
        ({"outputs": ["A", "B"]}, ["A", "B"]),
        ({"generated_texts": ["A"]}, ["A"]),
        ([{"generated_text": "A"}, {"generated_text": "B"}], ["A", "B"]),
        ({"generated_text": ""}, [""]),
    ],
)
def test_one_model_answers_in_many_shapes(answer, texts):
    wire = translated(ref("llama"), prompt()).wire
    events = events_of(wire, [Frame(json.dumps(answer).encode())])
    said = [
        "".join(e.text for e in events if isinstance(e, TextDelta) and e.choice == n)
        for n in range(len(texts))
    ]
    assert said == texts
    assert [e.choice for e in events if isinstance(e, Finish)] == list(range(len(texts)))


@pytest.mark.parametrize("answer", [b"{}", b'{"unknown": 1}', b"[]", b"<html>", b"3"])
def test_an_answer_without_a_text(answer):
    with pytest.raises(MalformedResponseError):
        events_of(translated(ref("llama"), prompt()).wire, [Frame(answer)])


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "no", "code": 424},
        [{"error": "no"}],
        {"generated_text": "", "details": {"finish_reason": "error"}},
    ],
)
def test_an_error_with_a_good_status(answer):
    with pytest.raises(FailureInStream):
        events_of(translated(ref("lmi"), prompt()).wire, [Frame(json.dumps(answer).encode())])


def test_details_are_usage_reason_and_likelihoods():
    details = {
        "finish_reason": "stop_sequence", "generated_tokens": 2, "prefill": [{"id": 1}, {"id": 2}, {"id": 3}],
        "tokens": [{"id": 1, "text": "A", "logprob": -0.5}, {"id": 2, "text": "B", "log_prob": None}],
    }  # fmt: skip
    wire = translated(ref("tgi"), prompt(logprobs=True)).wire
    events = events_of(wire, [Frame(json.dumps([{"generated_text": "AB", "details": details}]).encode())])
    (used,) = [e.usage for e in events if isinstance(e, UsageUpdate)]
    assert (used.input_tokens, used.output_tokens) == (3, 2)
    (likely,) = [e.tokens for e in events if isinstance(e, LogprobsDelta)]
    assert likely[0].logprob == -0.5
    assert likely[1].logprob != likely[1].logprob
    (end,) = [e for e in events if isinstance(e, Finish)]
    assert (end.reason, end.raw) == ("stop", "stop_sequence")


def test_a_stream_without_its_last_token():
    with pytest.raises(StreamInterruptedError):
        played(enveloped(b'{"token":{"id":1,"text":"A"}}\n'), "application/jsonlines")
    with pytest.raises(MalformedResponseError, match="framing"):
        played(enveloped(b'{"token":{"id":1,"te'))


def test_an_item_of_a_stream_that_nobody_knows_is_kept():
    events = played(enveloped(b'{"usage":{"x":1}}\n' + LINES), "application/jsonlines")
    assert [e.data for e in events if isinstance(e, RawEvent)] == [{"usage": {"x": 1}}]


def test_a_stream_may_say_that_it_is_done():
    wire = translated(ref("tgi"), CompletionRequest("x", Options(), stream=True)).wire
    last = {
        "token": {"text": "Hi", "special": False},
        "generated_text": "Hi",
        "details": {"finish_reason": "length"},
    }
    events = events_of(wire, [Frame(json.dumps(last).encode()), Frame(b"[DONE]")])
    assert [e.raw for e in events if isinstance(e, Finish)] == ["length"]
    with pytest.raises(StreamInterruptedError):
        events_of(wire, [Frame(b"[DONE]")])
