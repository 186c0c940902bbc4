"""Answers of containers that are not as documented."""

import json

import pytest

from jackfield import StreamInterruptedError
from jackfield.plugin import Frame, Head, Headers, Wire
from jackfield.testing import reply_of
from jackfield_sagemaker._completion_decoder import TextDecoder
from jackfield_sagemaker._invoke_decoder import EnvelopeDecoder

TOKEN = {"token": {"id": 1, "text": "all of it", "special": False}}
LAST = {
    "token": {"id": 2, "text": "</s>", "special": True},
    "generated_text": "all of it",
    "details": {"finish_reason": "eos_token", "generated_tokens": "2"},
}


def sse(*values):
    return b"".join(
        b"data: " + (v if isinstance(v, bytes) else json.dumps(v).encode()) + b"\n\n" for v in values
    )


def decoded(*parts):
    decode = EnvelopeDecoder(TextDecoder(Wire("/", {}, stream=True)), None)
    events = list(decode.start(Head(200, Headers({"x-amzn-sagemaker-content-type": "text/event-stream"}))))
    for part in parts:
        events += decode.feed(
            Frame(part, "PayloadPart", {":event-type": "PayloadPart", ":message-type": "event"})
        )
    return decode, events


def test_after_the_last_item_nothing_matters():
    for after in (
        [],
        [sse(b"[DONE]")],
        [sse(b"\xef\xbb\xbf[DONE]")],
        [sse(b"{garbage")],
        [sse(TOKEN)],
        [b"data: {half"],
    ):
        decode, events = decoded(sse(TOKEN, LAST), *after)
        assert (decode.ended, decode.is_whole) == (True, True)
        folded = reply_of(events + decode.finish())
        assert (folded.choices[0].text, folded.usage.output_tokens) == ("all of it", 2)


@pytest.mark.parametrize(
    "beat",
    [b"event: ping\ndata:\n\n", b"event: ping\ndata: ping\n\n", sse(b"null"), b": beat\n\n", b"\xef\xbb\xbf"],
)
def test_a_heartbeat_changes_nothing(beat):
    decode, events = decoded(beat, sse(TOKEN, LAST))
    assert reply_of(events + decode.finish()).choices[0].text == "all of it"


def test_done_before_the_last_item_is_an_interruption():
    decode, _ = decoded(sse(TOKEN, b"[DONE]"))
    assert decode.ended
    with pytest.raises(StreamInterruptedError):
        decode.finish()


@pytest.mark.parametrize("count", [[2], "many", -1, {"a": 1}, float("nan")])
def test_counts_that_are_no_numbers_cost_no_answer(count):
    last = {**LAST, "details": {"finish_reason": "eos_token", "generated_tokens": count}}
    decode, events = decoded(sse(TOKEN, last))
    folded = reply_of(events + decode.finish())
    assert (folded.choices[0].text, folded.usage.output_tokens) == ("all of it", None)
