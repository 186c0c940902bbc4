"""The decoder: the same events however the network cuts a response."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings, strategies as st
from mistral_samples import REFERENCE, SKY, STREAMS, THOUGHT, USAGE, answer, chunk, chunks, sse

import jackfield_mistral as mistral
from jackfield import MalformedResponseError, Message, StreamInterruptedError, Thinking
from jackfield.http import framer_for
from jackfield.plugin import FailureInStream, Head, Headers, Wire
from jackfield.testing import reply_of
from jackfield_mistral._usage import read_usage


def read(data, places=(), *, stream=True, body=None):
    decode = mistral.jackfield_decoder(Wire("/", body or {}, stream=stream, meta={"api": "chat"}))
    kind = "text/event-stream" if stream else "application/json"
    framer = framer_for(kind, "sse")
    events = list(decode.start(Head(200, Headers({"content-type": kind}))))
    pieces = [data[a:b] for a, b in zip((0, *places), (*places, len(data)), strict=True)]
    for frame in [frame for piece in pieces for frame in framer.feed(piece)] + framer.close():
        events += decode.feed(frame)
    return events + decode.finish()


def first(events):
    return reply_of(events, provider="mistral").choices[0]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_cut_at_any_byte_gives_the_same_events(name):
    data = STREAMS[name]
    whole = read(data)
    assert all(read(data, (place,)) == whole for place in range(len(data)))


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(STREAMS)), places=st.lists(st.integers(0, 2000), max_size=12))
def test_a_stream_cut_anywhere_gives_the_same_events(name, places):
    data = STREAMS[name]
    assert read(data, sorted(min(place, len(data)) for place in places)) == read(data)


@pytest.mark.parametrize("name", ["calls", "foreign calls"])
def test_whole_calls_and_calls_in_pieces_are_read(name):
    found = [(call.name, dict(call.arguments)) for call in first(read(STREAMS[name])).message.tool_calls]
    assert found == [("add", {"a": 1, "b": 2}), ("now", {})]


def test_an_id_of_a_piece_begins_a_call_and_an_empty_name_does_not():
    calls = first(read(STREAMS["foreign calls"])).message.tool_calls
    assert [(call.id, call.name) for call in calls] == [
        ("call_f3a9c2d17b", "add"),
        ("call_0b17e6aa52", "now"),
    ]


def test_arguments_may_be_an_object():
    call = {"id": "Ab3De6Gh9", "function": {"name": "add", "arguments": {"a": 1}}}
    data = json.dumps(answer({"content": "", "tool_calls": [call]}, "tool_calls")).encode()
    assert first(read(data, stream=False)).message.tool_calls[0].arguments == {"a": 1}


def test_a_forced_call_that_ends_with_stop_ended_with_calls():
    call = {"id": "Ab3De6Gh9", "function": {"name": "add", "arguments": "{}"}}
    data = json.dumps(answer({"content": "", "tool_calls": [call]}, "stop")).encode()
    assert first(read(data, stream=False)).finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("raw", "ours"),
    [("stop", "stop"), ("length", "length"), ("model_length", "length"), ("new_word", "other")],
)
def test_finish_reasons(raw, ours):
    choice = first(read(json.dumps(answer({"content": "Hi"}, raw)).encode(), stream=False))
    assert (choice.finish_reason, choice.finish_raw) == (ours, raw)


def test_thinking_text_and_sources_are_separated():
    choice = first(read(STREAMS["thinking"]))
    assert choice.text == "Blue."
    (thought,) = [part for part in choice.message.parts if isinstance(part, Thinking)]
    assert (thought.text, thought.provider) == ("Hm.", "mistral")
    assert thought.data == {"part": "thinking", "beside": {"signature": "c2ln", "closed": True}}
    (cited,) = choice.citations
    assert (cited.source_id, cited.data) == ("1, b", REFERENCE)


def test_a_tools_source_is_a_citation():
    part = {"type": "tool_reference", "tool": "web_search", "title": "Sky", "url": "https://sky.example"}
    choice = first(read(json.dumps(answer({"content": [part]})).encode(), stream=False))
    assert (choice.citations[0].title, choice.citations[0].url) == ("Sky", "https://sky.example")


def test_a_whole_and_a_streamed_answer_are_one():
    content = [THOUGHT, {"type": "text", "text": "Blue"}, REFERENCE, {"type": "text", "text": "."}]
    one = reply_of(read(json.dumps(answer({"content": content})).encode(), stream=False), provider="mistral")
    other = reply_of(read(STREAMS["thinking"]), provider="mistral")
    assert one.choices == other.choices
    assert (one.usage, one.service_tier) == (other.usage, other.service_tier)
    assert one.service_tier == "standard"


def test_log_probabilities_are_read():
    told = {
        "content": [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "token_id": 4, "top_logprobs": None}]
    }
    data = answer({"content": "Hi"})
    data["choices"][0]["logprobs"] = told
    (token,) = first(read(json.dumps(data).encode(), stream=False)).logprobs
    assert (token.token, token.logprob, token.token_bytes) == ("Hi", -0.5, b"Hi")


def test_a_stream_without_its_end_is_interrupted():
    with pytest.raises(StreamInterruptedError):
        read(sse([chunk({"content": "Hi"})], done=False))
    with pytest.raises(StreamInterruptedError):  # two were asked for, one came
        read(sse(chunks({"content": "Hi"}), done=False), body={"n": 2})


def test_a_finish_reason_for_each_choice_is_an_end():
    assert first(read(sse(chunks({"content": "Hi"}), done=False))).text == "Hi"


@pytest.mark.parametrize(
    "event",
    [
        {"object": "error", "message": "No.", "type": "server_error", "param": None, "code": "3700"},
        {"detail": "No."},
        chunk({"content": ""}, "error"),
    ],
)
def test_an_error_inside_a_stream_is_the_error(event):
    with pytest.raises(FailureInStream) as caught:
        read(sse([chunk({"content": "Hi"}), event], done=False))
    assert mistral.jackfield_error(caught.value.failure) is not None


def test_a_response_that_is_not_an_answer_is_malformed():
    with pytest.raises(MalformedResponseError):
        read(b'{"id": "a"}', stream=False)
    with pytest.raises(MalformedResponseError):
        read(b"<html>", stream=False)


def test_chunks_without_choices_have_no_events():
    events = read(sse([chunk({"content": SKY}), {**chunk({}), "choices": []}, chunk({}, "stop", USAGE)]))
    assert first(events).text == SKY


def test_an_answer_read_twice_is_the_same():
    assert read(STREAMS["thinking"]) == read(STREAMS["thinking"])
    assert isinstance(first(read(STREAMS["text"])).message, Message)


@pytest.mark.parametrize(
    ("raw", "ours"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2}, (3, 2, None, None)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "num_cached_tokens": 1}, (3, 2, 1, None)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "prompt_token_details": {"cached_tokens": 0}}, (3, 2, 0, None)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 1}}, (3, 2, None, 1)),
        ({"prompt_tokens": 3, "total_tokens": 3, "completion_tokens_details": None}, (3, None, None, None)),
    ],
)  # fmt: skip
def test_usage(raw, ours):
    used = read_usage(raw)
    assert (used.input_tokens, used.output_tokens, used.cached_input_tokens, used.reasoning_tokens) == ours


def test_audio_tokens_are_input():
    details = {"cached_tokens": 9, "audio_tokens": 375}
    used = read_usage({"prompt_tokens": 11, "completion_tokens": 15, "total_tokens": 401, "prompt_audio_seconds": 5,
                       "prompt_tokens_details": details})  # fmt: skip
    assert (used.input_tokens, used.details["input_audio_tokens"]) == (386, 375)
    assert used.units == {"input_audio_second": Decimal(5)}
