"""The decoder: the same events however the network cuts, nothing lost, nothing made up."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from jackfield import Finish, MalformedResponseError, RawEvent, StreamInterruptedError
from jackfield.http import framer_for
from jackfield.plugin import FailureInStream, Frame, Head, Headers, Wire
from jackfield.testing import reply_of
from jackfield_anthropic import ANTHROPIC, decoder, error

WIRE = Path(__file__).parent / "wire"
STREAMS = {
    path.name: path.read_bytes() for path in sorted(WIRE.glob("*.sse")) if path.name != "overloaded.sse"
}


def read(frames, *, stream=True, **meta):
    decode = decoder(ANTHROPIC, Wire("/", {}, stream=stream, meta={"api": "messages", **meta}))
    events = decode.start(Head(200, Headers({"content-type": "text/event-stream"})))
    for frame in frames:
        events = events + decode.feed(frame)
    return events + decode.finish()


def cut(data, places, **meta):
    framer = framer_for("text/event-stream", "sse")
    pieces = [data[a:b] for a, b in zip((0, *places), (*places, len(data)), strict=True)]
    return read([frame for piece in pieces for frame in framer.feed(piece)] + framer.close(), **meta)


def meta_of(name):
    return {"json": {"json_tool": "answer_in_json"}, "completion": {"api": "complete"}}.get(
        name.partition(".")[0], {}
    )


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_cut_at_any_byte_gives_the_same_events(name):
    data, meta = STREAMS[name], meta_of(name)
    whole = cut(data, (), **meta)
    assert all(cut(data, (place,), **meta) == whole for place in range(len(data)))


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(STREAMS)), places=st.lists(st.integers(0, 3000), max_size=12))
def test_a_stream_cut_anywhere_gives_the_same_events(name, places):
    data, meta = STREAMS[name], meta_of(name)
    inside = sorted(min(place, len(data)) for place in places)
    assert cut(data, inside, **meta) == cut(data, (), **meta)


def frames(*events):
    return [Frame(json.dumps(event).encode(), event.get("type")) for event in events]


START = {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
         "content": [], "usage": {"input_tokens": 43, "output_tokens": 1, "cache_read_input_tokens": None}}}  # fmt: skip
STOP = {"type": "message_stop"}


def ended(reason="end_turn", usage=None, **delta):
    return {"type": "message_delta", "delta": {"stop_reason": reason, **delta}, "usage": usage}


def test_counts_are_totals_and_what_is_null_says_nothing():
    counts = {"input_tokens": 61, "output_tokens": 9, "cache_read_input_tokens": None}
    usage = reply_of(read(frames(START, ended(usage={"output_tokens": 4}), ended(usage=counts), STOP))).usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens) == (61, 9, None)
    usage = reply_of(read(frames(START, ended(usage=None), STOP))).usage
    assert (usage.input_tokens, usage.output_tokens) == (43, 1)


def test_disjoint_counts_of_input_are_added_up():
    told = {"input_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20,
            "output_tokens": 3, "server_tool_use": {"web_search_requests": 2}}  # fmt: skip
    usage = reply_of(read(frames(START, ended(usage=told), STOP))).usage
    assert (usage.input_tokens, usage.cached_input_tokens, usage.cache_write_tokens) == (125, 100, 20)
    assert usage.units == {"web_search_request": 2}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"), ("tool_use", "tool_calls"),
        ("model_context_window_exceeded", "length"), ("refusal", "refusal"), ("pause_turn", "pause"),
        ("of_tomorrow", "other"), (None, "other"),
    ],
)  # fmt: skip
def test_stop_reasons(raw, reason):
    details = {"type": "refusal", "category": "bio"}
    (finish,) = [
        e for e in read(frames(START, ended(raw, stop_details=details), STOP)) if isinstance(e, Finish)
    ]
    assert finish == Finish(reason, 0, raw, {"stop_details": details})


def test_what_nobody_knows_yet_is_kept():
    block = {"type": "of_tomorrow", "text": "a"}
    events = read(
        frames(
            START,
            {"type": "event_of_tomorrow", "x": 1},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "d", "text": "b", "n": 2}},
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_delta", "index": 9, "delta": {"type": "lost", "x": 1}},
            ended(container={"id": "c"}),
            {**STOP, "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1}},
        )
    )
    folded = reply_of(events, provider="anthropic")
    assert [part.data for part in folded.choices[0].message.parts] == [
        {"type": "of_tomorrow", "text": "ab", "n": 2}
    ]
    kinds = [event.kind for event in events if isinstance(event, RawEvent)]
    assert kinds == ["event_of_tomorrow", "lost", "container", "amazon-bedrock-invocationMetrics"]


def test_a_second_beginning_says_nothing_new_and_what_follows_the_end_is_not_of_the_answer():
    second = {"type": "message_start", "message": {**START["message"], "id": "msg_2"}}
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "late"}}
    folded = reply_of(read(frames(START, second, ended(), STOP, second, text)))
    assert (folded.id, folded.choices[0].text) == ("msg_1", "")


BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
PIECE = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half"}}


def test_another_message_before_the_first_has_ended_is_an_interruption():
    again = {"type": "message_start", "message": {**START["message"], "id": "msg_2"}}
    with pytest.raises(StreamInterruptedError, match="another message, msg_2, before msg_1"):
        read(frames(START, BLOCK, PIECE, again, BLOCK, PIECE, ended(), STOP))
    for harmless in (START, {"type": "message_start", "message": {**START["message"], "id": None}}):
        assert (
            reply_of(read(frames(START, BLOCK, PIECE, harmless, PIECE, ended(), STOP))).choices[0].text
            == "halfhalf"
        )


def test_a_message_that_begins_again_at_its_first_block_is_an_interruption():
    for again in (START, {"type": "message_start", "message": {**START["message"], "id": None}}):
        with pytest.raises(StreamInterruptedError, match="another message"):
            read(frames(START, BLOCK, PIECE, again, BLOCK, PIECE, ended(), STOP))
        assert reply_of(read(frames(START, again, BLOCK, PIECE, ended(), STOP))).choices[0].text == "half"


@pytest.mark.parametrize("name", [None, "ping", "heartbeat", "keep-alive"])
@pytest.mark.parametrize("data", [b"{}", b"[]", b'""', b"null"])
def test_a_heartbeat_without_content_says_nothing(name, data):
    assert read([Frame(data, name), *frames(START, BLOCK, PIECE, ended(), STOP)])


def test_a_heartbeat_may_have_fields_but_no_error():
    for data in (b'{"time": 17}', b'{"cost": "0.1"}'):
        beating = [Frame(data, "ping"), *frames(START, BLOCK, PIECE, ended(), STOP)]
        assert reply_of(read(beating)).choices[0].text == "half"
    with pytest.raises(FailureInStream):
        read([Frame(b'{"error": {"message": "Oh."}}', "ping"), *frames(START)])


def test_a_block_that_never_ends_is_ended():
    call = {"type": "tool_use", "id": "t", "name": "add", "input": {"a": 1}}
    folded = reply_of(
        read(frames(START, {"type": "content_block_start", "index": 0, "content_block": call}, ended(), STOP))
    )
    assert folded.choices[0].message.tool_calls[0].arguments == {"a": 1}


def test_arguments_that_break_off_are_kept_as_text():
    call = {"type": "tool_use", "id": "t", "name": "add", "input": {}}
    piece = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "input_json_delta", "partial_json": '{"a'},
    }
    begin = {"type": "content_block_start", "index": 0, "content_block": call}
    (choice,) = reply_of(read(frames(START, begin, piece, ended("max_tokens"), STOP))).choices
    assert (choice.message.tool_calls[0].arguments_raw, choice.finish_reason) == ('{"a', "length")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'"text"', b"{}", b'{"id": "msg_1"}', b"<html>"])
def test_what_is_no_message_is_malformed(data):
    with pytest.raises(MalformedResponseError):
        read([Frame(data)], stream=data not in (b"null", b"{}", b"[]"))  # in a stream, heartbeats


def test_an_error_in_an_answer_is_raised_as_such():
    failure = {"type": "error", "error": {"type": "api_error", "message": "Oh."}}
    for events in (frames(START, failure), frames(failure)):
        with pytest.raises(FailureInStream) as caught:
            read(events)
        assert type(error(caught.value.failure)).__name__ == "ServerError"


@pytest.mark.parametrize("meta", [{"api": "messages"}, {"api": "complete"}])
def test_nothing_at_all_is_interrupted(meta):
    with pytest.raises(StreamInterruptedError):
        read([], **meta)


@pytest.mark.parametrize(
    ("result", "kind", "said"),
    [
        ({"type": "errored", "error": {"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}},
         "OverloadedError", "Busy."),
        ({"type": "canceled"}, "ProviderError", "the batch's request 7 was canceled"),
        ({"type": "expired"}, "ProviderError", "the batch's request 7 was expired"),
    ],
)  # fmt: skip
def test_a_line_of_a_batch_that_went_wrong_is_its_error(result, kind, said):
    with pytest.raises(FailureInStream) as caught:
        read(frames({"custom_id": "7", "result": result}))
    made = error(caught.value.failure)
    assert (type(made).__name__, made.message) == (kind, said)


def test_a_delta_of_null_is_no_text():
    empty = [{"type": "text_delta", "text": None}, {"type": "thinking_delta", "thinking": None}]
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    said = [start, *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in empty)]
    said += [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}]
    assert reply_of(read([Frame(json.dumps(event).encode(), event["type"]) for event in said])).finished


DONE = Frame(b"[DONE]")


@pytest.mark.parametrize("end", [[*frames(STOP), DONE], [*frames(STOP), Frame(b"late"), DONE], [DONE], []])
def test_an_answer_with_a_stop_reason_is_whole_whatever_ends_the_stream(end):
    text = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": "All of it."},
    }
    folded = reply_of(read([*frames(START, text, ended("max_tokens")), *end]))
    (choice,) = folded.choices
    assert (choice.text, choice.finish_reason, folded.finished) == ("All of it.", "length", True)


@pytest.mark.parametrize("end", [[DONE], []])
def test_an_answer_without_a_stop_reason_is_not_whole(end):
    with pytest.raises(StreamInterruptedError):
        read([*frames(START), *end])
