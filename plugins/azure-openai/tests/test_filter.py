"""The content filter: verdicts in answers, the asynchronous filter, and what is blocked."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

import jackfield_azure_openai as azure
from jackfield import Finish, RawEvent, StreamInterruptedError, TextDelta
from jackfield.http import framer_for
from jackfield.plugin import Frame, Head, Headers, Wire
from jackfield.testing import reply_of

SAFE = {"hate": {"filtered": False, "severity": "safe"}}
HEAD = Head(200, Headers({"content-type": "text/event-stream"}))


def event(*choices, **more):
    return {"id": "", "object": "", "created": 0, "model": "", "choices": list(choices), **more}


def said(text, **more):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None, "logprobs": None, **more}
    return {**event(choice), "id": "chatcmpl-1", "model": "gpt-4o-2024-11-20", "usage": None}


def ended(reason):
    choice = {"index": 0, "delta": {}, "finish_reason": reason, "logprobs": None}
    return {**event(choice), "id": "chatcmpl-1", "model": "gpt-4o-2024-11-20", "usage": None}


def note(end, *, reason=None, **verdicts):
    offsets = {"check_offset": 0, "start_offset": 0, "end_offset": end}
    return event({"index": 0, "finish_reason": reason, "content_filter_results": verdicts,
                  "content_filter_offsets": offsets})  # fmt: skip


PROMPT = event(prompt_filter_results=[{"prompt_index": 0, "content_filter_results": SAFE}])
# As Microsoft's page on content streaming shows it (January 2026): notes without a delta, also after the end.
CALM = [
    PROMPT,
    said("Be"),
    note(2, hate=SAFE["hate"]),
    said("cause."),
    ended("stop"),
    note(8, hate=SAFE["hate"]),
]
BLOCKED = [
    PROMPT, said("Be"), said("cause."), ended("stop"),
    note(8, reason="content_filter", protected_material_text={"filtered": True, "detected": True}),
]  # fmt: skip


def decoded(events, *, done=True):
    decode = azure.jackfield_decoder(Wire("/", {}, stream=True, meta={"api": "chat"}))
    found = decode.start(HEAD)
    for value in events:
        found += decode.feed(Frame(json.dumps(value).encode()))
    if done:
        found += decode.feed(Frame(b"[DONE]"))
    return found + decode.finish()


def test_notes_of_the_asynchronous_filter_are_raw_events_only():
    events = decoded(CALM)
    answer = reply_of(events)
    assert answer.choices[0].text == "Because."
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.id, answer.model) == ("chatcmpl-1", "gpt-4o-2024-11-20")
    notes = [e.data for e in events if isinstance(e, RawEvent) and e.kind == "content_filter"]
    assert [one["content_filter_offsets"]["end_offset"] for one in notes] == [2, 8]
    assert answer.choices[0].finish_detail["content_filter_results"] == SAFE


def test_a_block_after_the_end_is_the_end():
    answer = reply_of(decoded(BLOCKED))
    (choice,) = answer.choices
    assert (choice.finish_reason, choice.finish_raw) == ("content_filter", "content_filter")
    assert choice.text == "Because."
    assert choice.finish_detail["content_filter_results"]["protected_material_text"]["filtered"]
    assert sum(isinstance(e, Finish) for e in decoded(BLOCKED)) == 1


def test_an_answer_is_whole_without_done_and_interrupted_without_an_end():
    assert reply_of(decoded(CALM, done=False)).choices[0].finish_reason == "stop"
    with pytest.raises(StreamInterruptedError):
        decoded(CALM[:4], done=False)


def test_a_filter_that_is_down_blocks_nothing():
    failed = {"error": {"code": "content_filter_error", "message": "The contents are not filtered"}}
    answer = reply_of(decoded([said("Hi", content_filter_result=failed), ended("stop")]))
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].finish_detail == {"content_filter_result": failed}


def test_the_worst_verdict_of_a_category_is_kept():
    low = {"hate": {"filtered": False, "severity": "low"}}
    events = [said("a", content_filter_results=low), said("b", content_filter_results=SAFE),
              said("c", content_filter_results={}), ended("stop")]  # fmt: skip
    assert reply_of(decoded(events)).choices[0].finish_detail["content_filter_results"] == low


def test_text_is_read_by_the_fast_path_while_the_verdict_stays():
    events = decoded([said("a", content_filter_results=SAFE), *[said("b", content_filter_results=SAFE)] * 3,
                      ended("stop")])  # fmt: skip
    assert [e.text for e in events if isinstance(e, TextDelta)] == ["a", "b", "b", "b"]


STREAM = b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in BLOCKED) + b"data: [DONE]\n\n"


@given(st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=6))
def test_cuts_of_the_network_change_nothing(places):
    edges = [0, *sorted(places), len(STREAM)]
    framer = framer_for("text/event-stream", "sse")
    decode = azure.jackfield_decoder(Wire("/", {}, stream=True, meta={"api": "chat"}))
    events = decode.start(HEAD)
    for begin, end in pairwise(edges):
        for frame in framer.feed(STREAM[begin:end]):
            events += decode.feed(frame)
    for frame in framer.close():
        events += decode.feed(frame)
    assert events + decode.finish() == decoded(BLOCKED)
