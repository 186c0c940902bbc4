"""Thinking between tags, however the pieces are cut; thinking in a field of its own."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

import jackfield_azure_llm as azure
from jackfield import StreamInterruptedError, TextDelta, Thinking
from jackfield.http import framer_for
from jackfield.plugin import Frame, Head, Headers, Wire
from jackfield.testing import reply_of

HEAD = Head(200, Headers({"content-type": "text/event-stream"}))


def chunk(delta, finish=None, index=0):
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


def decoded(values, *, stream=True, done=True):
    decode = azure.jackfield_decoder(Wire("/", {}, stream=stream, meta={"api": "chat"}))
    events = decode.start(HEAD if stream else Head(200, Headers({"content-type": "application/json"})))
    for value in values:
        events += decode.feed(Frame(json.dumps(value).encode()))
    if stream and done:
        events += decode.feed(Frame(b"[DONE]"))
    return events + decode.finish()


def read(pieces, **more):
    return said(decoded([*[chunk({"content": piece}) for piece in pieces], chunk({}, "stop")], **more))


def said(events):
    (choice,) = reply_of(events, provider="azure-llm").choices
    thinking = "".join(part.text for part in choice.message.parts if isinstance(part, Thinking))
    return thinking, choice.text


def whole(text):
    message = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return said(decoded([{"id": "1", "model": "m", "choices": [message]}], stream=False))


@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [
        ("<think>\nHm.\n</think>\n\nYes.", "Hm.", "Yes."),
        ("\n<think>Hm.</think>Yes.", "Hm.", "Yes."),
        ("<think>\n\n</think>\n\nYes.", "", "Yes."),
        ("<think>a < b, a </b>\nand\n\nmore</think>Yes.", "a < b, a </b>\nand\n\nmore", "Yes."),
        ("Yes.", "", "Yes."),
        ("  Yes.", "", "  Yes."),
        ("<thing>Yes.", "", "<thing>Yes."),
        ("<", "", "<"),
        ("Yes. <think>not</think> thinking", "", "Yes. <think>not</think> thinking"),
        ("<think>cut before its end", "cut before its end", ""),
        ("<think>cut in the tag </thi", "cut in the tag </thi", ""),
        ("<think>a</think>b<think>c</think>d", "a", "b<think>c</think>d"),
        ("", "", ""),
    ],
)
def test_thinking_is_separated_from_the_text(text, thinking, answer):
    assert whole(text) == (thinking, answer)
    assert read([text]) == (thinking, answer)
    assert read(list(text)) == (thinking, answer)


TEXT = "<think>\nWavelengths </thin scätter.\n\n</think>\n\nBlue 🌤 <think>."


@given(st.lists(st.integers(min_value=0, max_value=len(TEXT)), max_size=8))
def test_pieces_of_any_size_have_the_same_result(places):
    edges = [0, *sorted(places), len(TEXT)]
    assert read([TEXT[a:b] for a, b in pairwise(edges)]) == whole(TEXT)


@given(st.text(alphabet="<>/think \nab", max_size=40))
def test_a_stream_and_a_whole_answer_have_the_same_result(text):
    assert read(list(text)) == whole(text)


STREAM = b"".join(
    b"data: " + json.dumps(chunk({"content": piece})).encode() + b"\n\n" for piece in ("<think>ä", "</think>", "b")
) + b"data: " + json.dumps(chunk({}, "stop")).encode() + b"\n\ndata: [DONE]\n\n"  # fmt: skip


@given(st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=6))
def test_cuts_of_the_network_change_nothing(places):
    edges = [0, *sorted(places), len(STREAM)]
    framer = framer_for("text/event-stream", "sse")
    decode = azure.jackfield_decoder(Wire("/", {}, stream=True, meta={"api": "chat"}))
    events = decode.start(HEAD)
    frames = [frame for a, b in pairwise(edges) for frame in framer.feed(STREAM[a:b])]
    for frame in [*frames, *framer.close()]:
        events += decode.feed(frame)
    assert said(events + decode.finish()) == ("ä", "b")


def test_two_choices_are_read_apart():
    values = [chunk({"content": "<think>a"}, index=0), chunk({"content": "b"}, index=1),
              chunk({"content": "</think>c"}, index=0), chunk({}, "stop", 0), chunk({}, "stop", 1)]  # fmt: skip
    first, second = reply_of(decoded(values)).choices
    assert (first.text, second.text) == ("c", "b")


def test_text_is_passed_on_unchanged_once_it_has_begun():
    events = decoded([chunk({"content": piece}) for piece in ("Be", "cause", ".")] + [chunk({}, "stop")])
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Be", "cause", "."]


def test_thinking_in_its_own_field_is_sent_back_in_it():
    values = [chunk({"reasoning_content": "Hm."}), chunk({"content": "Yes."}), chunk({}, "stop")]
    (choice,) = reply_of(decoded(values), provider="azure-llm").choices
    (thinking,) = [part for part in choice.message.parts if isinstance(part, Thinking)]
    assert (thinking.text, thinking.data) == ("Hm.", {"field": "reasoning_content"})
    assert choice.text == "Yes."


def test_a_stream_without_an_end_is_interrupted():
    with pytest.raises(StreamInterruptedError):
        decoded([chunk({"content": "<think>a"})], done=False)
