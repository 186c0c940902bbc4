"""How answers in Snowflake's own form are read, and why they ended."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given, settings, strategies as st

import jackfield_snowflake as snowflake
from jackfield import (
    MalformedResponseError,
    RawEvent,
    RawPart,
    StreamInterruptedError,
)
from jackfield.http import framer_for
from jackfield.plugin import FailureInStream, Frame, Head, Headers, ModelRef, Wire
from jackfield.testing import reply_of

USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}


def decoded(frames, *, stream=True, body=None, api="complete", declared=None):
    wire = Wire("/", body or {}, stream=stream, meta={"api": api})
    decode = snowflake.jackfield_decoder(ModelRef("m", declared=declared or {}), wire)
    kind = "text/event-stream" if stream else "application/json"
    events = list(decode.start(Head(200, Headers({"content-type": kind}))))
    for frame in frames:
        events += decode.feed(frame)
    return events + decode.finish()


def frames_of(*values):
    return [Frame(orjson.dumps(value)) for value in values]


def delta(**piece):
    return {"model": "m", "choices": [{"delta": piece}], "usage": {}}


END = {"model": "m", "choices": [{"delta": {}}], "usage": USAGE}


def test_text_that_is_said_thrice_is_read_once():
    piece = {"type": "text", "content": "Hi", "text": "Hi", "content_list": [{"type": "text", "text": "Hi"}]}
    for said in (
        piece,
        {"content": "Hi"},
        {"text": "Hi", "type": "text"},
        {"content_list": [{"text": "Hi"}]},
    ):
        assert reply_of(decoded(frames_of(delta(**said), END))).choices[0].text == "Hi"


def test_text_beside_a_list_of_calls_is_not_lost():
    call = {"type": "tool_use", "tool_use": {"tool_use_id": "t", "name": "add", "input": {"a": 1}}}
    whole = {"choices": [{"message": {"content": "I add.", "content_list": [call]}}], "usage": USAGE}
    (choice,) = reply_of(decoded(frames_of(whole), stream=False)).choices
    assert (choice.text, choice.finish_reason) == ("I add.", "tool_calls")
    assert dict(choice.message.tool_calls[0].arguments) == {"a": 1}


def test_calls_come_flat_in_lists_and_several():
    pieces = [
        delta(type="tool_use", tool_use_id="t1", name="add"),
        delta(type="tool_use", input='{"a"'),
        delta(type="tool_use", input=": 1}"),
        delta(content_list=[{"tool_use_id": "t2", "name": "now"}]),
    ]
    (choice,) = reply_of(decoded(frames_of(*pieces, END))).choices
    assert [(call.id, call.name, dict(call.arguments)) for call in choice.message.tool_calls] == [
        ("t1", "add", {"a": 1}), ("t2", "now", {}),
    ]  # fmt: skip


@pytest.mark.parametrize("again", [{"tool_use_id": "t1", "name": "add"}, {"tool_use_id": "", "name": ""}])
def test_pieces_may_repeat_the_id_or_say_nothing_for_it(again):
    pieces = [delta(type="tool_use", tool_use_id="t1", name="add", input="")]
    pieces += [
        delta(content_list=[{"type": "tool_use", "input": text, **again}]) for text in ('{"a"', ": 1}")
    ]
    (choice,) = reply_of(decoded(frames_of(*pieces, END))).choices
    assert [(call.id, call.name, dict(call.arguments)) for call in choice.message.tool_calls] == [
        ("t1", "add", {"a": 1})
    ]


def test_text_in_the_place_of_the_sql_function_is_read():
    whole = {"choices": [{"messages": "Hi"}], "usage": USAGE}
    assert reply_of(decoded(frames_of(whole), stream=False)).choices[0].text == "Hi"


def test_why_an_answer_ended_is_inferred():
    said = delta(content="Hi")
    ends = {
        "stop": decoded(frames_of(said, END)),
        "length": decoded(frames_of(said, END), body={"max_tokens": 5}),
        "other": decoded(frames_of({"choices": [{"message": {"content": "Hi"}}]}), stream=False),
    }
    for reason, events in ends.items():
        (choice,) = reply_of(events).choices
        assert (choice.finish_reason, choice.finish_raw) == (reason, None)
    told = reply_of(
        decoded(
            frames_of({"choices": [{"message": {"content": "x"}, "finish_reason": "length"}]}), stream=False
        )
    )
    assert (told.choices[0].finish_reason, told.choices[0].finish_raw) == ("length", "length")


def test_the_guards_own_text_is_a_filtered_answer():
    body = {"guardrails": {"enabled": True, "response_when_unsafe": "I may not."}}
    (choice,) = reply_of(
        decoded(frames_of(delta(content="I may "), delta(content="not."), END), body=body)
    ).choices
    assert choice.finish_reason == "content_filter"
    (choice,) = reply_of(decoded(frames_of(delta(content="I may."), END), body=body)).choices
    assert choice.finish_reason == "stop"


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        ([], StreamInterruptedError),
        (frames_of(delta(content="Hi")), StreamInterruptedError),
        (frames_of(delta(tool_use_id="t", name="add"), {**delta(type="tool_use", input='{"a'), "usage": USAGE}), StreamInterruptedError),
        (frames_of({"error": {"message": "too many requests"}}), FailureInStream),
        (frames_of({"message": "budget exceeded", "code": "402"}), FailureInStream),
        ([Frame(b'{"message": "x"}', "error")], FailureInStream),
        ([Frame(b"<html>")], MalformedResponseError),
        ([Frame(b"[1]")], MalformedResponseError),
    ],
)  # fmt: skip
def test_a_broken_stream_is_an_error(frames, error):
    with pytest.raises(error):
        decoded(frames)


def test_unknown_things_are_kept():
    events = decoded(
        frames_of(
            {**delta(content="Hi", mood="good"), "extra": 1},
            delta(content_list=[{"type": "chart", "x": 1}]),
            END,
        )
    )
    assert {(event.kind, event.data) for event in events if type(event).__name__ == "RawEvent"} == {
        ("mood", "good"),
        ("extra", 1),
    }
    (choice,) = reply_of(events).choices
    assert RawPart("snowflake", {"type": "chart", "x": 1}) in choice.message.parts


STREAMS = {
    "complete": [delta(content="Sky scätters 🌤"), delta(content_list=[{"tool_use_id": "t", "name": "add"}]),
                 delta(content_list=[{"input": '{"a": "ü"}'}]), END],
    "chat": [{"model": "m", "choices": [{"index": 0, "delta": {"content": "Sky scätters 🌤"}}]},
             {"model": "m", "choices": [], "usage": USAGE}],
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(STREAMS)),
    st.lists(st.integers(1, 40), max_size=40),
    st.sampled_from(["\n", "\r\n"]),
)
def test_where_the_network_cuts_changes_nothing(api, sizes, end):
    done = f"data: [DONE]{end}{end}" if api == "chat" else ""
    data = ("".join(f"data: {json.dumps(value)}{end}{end}" for value in STREAMS[api]) + done).encode()

    def read(pieces):
        framer = framer_for("text/event-stream", "sse")
        frames = [frame for piece in pieces for frame in framer.feed(piece)]
        return decoded([*frames, *framer.close()], api=api)

    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    assert read([*pieces, data[at:]]) == read([data]) == read([data[i : i + 1] for i in range(len(data))])


@pytest.mark.parametrize("place", range(3))
def test_an_event_of_an_unknown_kind_is_kept(place):
    frames = frames_of(delta(content="Hi"), END)
    frames.insert(place, *frames_of({"type": "x_unknown", "x": [1]}))
    events = decoded(frames)
    assert RawEvent("x_unknown", {"type": "x_unknown", "x": [1]}) in events
    assert reply_of(events).choices[0].text == "Hi"


def test_a_stream_of_unknown_events_alone_is_an_interruption():
    with pytest.raises(StreamInterruptedError):
        decoded(frames_of({"type": "x_unknown"}))


def test_the_end_marker_may_have_a_byte_order_mark():
    frames = frames_of(delta(content="Hi"), END)
    assert decoded([*frames, Frame(b"\xef\xbb\xbf[DONE]")]) == decoded(frames)
