"""Odd answers of chat completions. The samples are written by us from documented formats and known faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from jackfield import (
    Finish,
    MalformedResponseError,
    RawEvent,
    ServerError,
    StreamInterruptedError,
    TextDelta,
    Thinking,
)
from jackfield.http import SSEFramer
from jackfield.plugin import Failure, FailureInStream, Frame, Head, Headers, Wire
from jackfield.testing import reply_of
from jackfield_openai import OPENAI, Dialect, decoder, error

SAMPLES = Path(__file__).with_name("wire")
LOCAL = Dialect(id="local")
SSE = Head(200, Headers({"content-type": "text/event-stream"}))
JSON = Head(200, Headers({"content-type": "application/json; charset=utf-8"}))


def decode(frames, *, dialect=LOCAL, stream=True, head=SSE, body=None):
    reading = decoder(dialect, Wire("/", body or {}, stream=stream, meta={"api": "chat"}))
    events = list(reading.start(head))
    for frame in frames:
        data = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        events += reading.feed(Frame(data))
    return events + reading.finish()


def chunk(delta, finish=None, **more):
    return {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }


def calls_of(*deltas, finish="tool_calls"):
    (choice,) = reply_of(
        decode([*(chunk({"tool_calls": d}) for d in deltas), chunk({}, finish), b"[DONE]"])
    ).choices
    return [(call.id, call.name, dict(call.arguments)) for call in choice.message.tool_calls]


# -- every cut of the network ------------------------------------------------------------------------------------


def cut_events(data, places, api):
    framer = SSEFramer()
    reading = decoder(OPENAI, Wire("/", {}, stream=True, meta={"api": api}))
    reading.start(SSE)
    events, begin = [], 0
    for place in [*places, len(data)]:
        for frame in framer.feed(data[begin:place]):
            events += reading.feed(frame)
        begin = place
    for frame in framer.close():
        events += reading.feed(frame)
    return events + reading.finish()


@pytest.mark.parametrize(
    ("name", "api"),
    [("chat", "chat"), ("tools", "chat"), ("completion", "completion"), ("response", "responses")],
)
def test_a_cut_at_any_byte_changes_nothing(name, api):
    data = (SAMPLES / f"{name}.sse").read_bytes()
    whole = cut_events(data, [], api)
    for place in range(len(data)):
        assert cut_events(data, [place], api) == whole


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_many_cuts_change_nothing(data):
    stream = (SAMPLES / "chat.sse").read_bytes()
    places = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=40)))
    assert cut_events(stream, places, "chat") == cut_events(stream, [], "chat")


@given(text=st.text(min_size=1), pieces=st.integers(1, 5))
def test_text_comes_through_as_it_is(text, pieces):
    size = max(1, len(text) // pieces)
    parts = [text[i : i + size] for i in range(0, len(text), size)]
    events = decode([chunk({"role": "assistant", "content": ""}), *(chunk({"content": p}) for p in parts), chunk({}, "stop"), b"[DONE]"])  # fmt: skip
    assert reply_of(events).choices[0].text == text


# -- the end ------------------------------------------------------------------------------------------------------


def test_a_stream_without_marker_but_with_a_finish_reason_is_whole():
    assert (
        reply_of(decode([chunk({"content": "a"}), chunk({}, "stop")], dialect=OPENAI))
        .choices[0]
        .finish_reason
        == "stop"
    )


def test_a_stream_without_either_was_interrupted():
    with pytest.raises(StreamInterruptedError):
        decode([chunk({"content": "a"})], dialect=OPENAI)


def test_a_stream_that_lacks_a_choice_was_interrupted():
    with pytest.raises(StreamInterruptedError):
        decode([chunk({"content": "a"}, "stop")], dialect=OPENAI, body={"n": 2})


def test_a_compatible_server_may_just_end():
    finish = decode([chunk({"content": "a"})])[-1]
    assert finish == Finish("other", 0, None)


@pytest.mark.parametrize("dialect", [OPENAI, LOCAL])
def test_an_empty_response_is_not_an_answer(dialect):
    with pytest.raises(StreamInterruptedError):
        decode([], dialect=dialect)


def test_json_instead_of_the_stream_is_a_whole_answer():
    whole = (SAMPLES / "tools.json").read_bytes()
    asked = reply_of(decode([whole], head=JSON))
    assert asked.choices == reply_of(decode([whole], stream=False, head=JSON)).choices
    assert asked.choices[0].finish_reason == "tool_calls"


def test_the_finish_is_reported_once():
    events = decode([chunk({"content": "a"}, "stop"), chunk({}, "stop"), b"[DONE]"])
    assert sum(isinstance(event, Finish) for event in events) == 1


@pytest.mark.parametrize(
    ("raw", "ours"),
    [("eos", "stop"), ("eos_token", "stop"), ("END_TURN", "stop"), ("max_tokens", "length"), ("tool_use", "tool_calls"), ("odd", "other")],
)  # fmt: skip
def test_finish_reasons_of_other_servers(raw, ours):
    finish = decode([chunk({"content": "a"}, raw), b"[DONE]"])[-1]
    assert (finish.reason, finish.raw) == (ours, raw)


# -- errors inside --------------------------------------------------------------------------------------------------


def test_an_error_inside_the_stream_is_the_error():
    with pytest.raises(FailureInStream) as caught:
        cut_events((SAMPLES / "error.sse").read_bytes(), [], "chat")
    failure = caught.value.failure
    assert failure.in_stream
    assert isinstance(error(failure), ServerError)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no", "code": 502}},
        {"error": "no"},
        {"object": "error", "message": "no", "code": 400},
        {"detail": "no"},
        {"choices": [{"error": {"message": "no", "code": 429}}]},
        {"choices": [{"index": 0, "message": {"content": ""}, "finish_reason": "error"}]},
    ],
)
def test_an_error_in_a_good_answer_is_the_error(body):
    with pytest.raises(FailureInStream):
        decode([body], stream=False, head=JSON)


@pytest.mark.parametrize("body", [b"{}", b"null", b"[]", b"not json", b'{"id":"x"}'])
def test_a_response_that_is_not_an_answer_is_malformed(body):
    with pytest.raises((MalformedResponseError, FailureInStream)):
        decode([body], stream=False, head=JSON)


def test_a_whole_answer_without_a_choice_is_malformed_whatever_else_it_contains():
    usage = {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}
    for more in ({}, {"usage": usage}):
        with pytest.raises(MalformedResponseError, match="has no choices"):
            decode([{"id": "a", "model": "m", "choices": [], **more}], stream=False, head=JSON)


# -- tool calls -------------------------------------------------------------------------------------------------------


def test_whole_calls_in_one_event():
    two = [
        {"index": i, "id": f"c{i}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for i in (0, 1)
    ]
    assert calls_of(two) == [("c0", "f", {}), ("c1", "f", {})]


def test_calls_whose_index_is_always_0():
    one = [{"index": 0, "id": "c0", "function": {"name": "f", "arguments": '{"a":1}'}}]
    two = [{"index": 0, "id": "c1", "function": {"name": "g", "arguments": '{"b":2}'}}]
    assert calls_of(one, two) == [("c0", "f", {"a": 1}), ("c1", "g", {"b": 2})]


def test_calls_without_an_index():
    begin = [{"id": "c0", "function": {"name": "f", "arguments": '{"a"'}}]
    more = [{"function": {"arguments": ":1}"}}]
    other = [{"id": "c1", "function": {"name": "g", "arguments": "{}"}}]
    assert calls_of(begin, more, other) == [("c0", "f", {"a": 1}), ("c1", "g", {})]


def test_calls_without_id_and_index_get_ids_of_their_own():
    whole = [{"function": {"name": "f", "arguments": {"a": 1}}}]
    calls = calls_of(whole, whole)
    assert [call[1:] for call in calls] == [("f", {"a": 1}), ("f", {"a": 1})]
    assert len({call[0] for call in calls}) == 2
    assert calls == calls_of(whole, whole)


def test_a_call_whose_id_comes_with_every_piece_and_whose_name_comes_later():
    pieces = [
        [{"index": 0, "id": "c0", "function": {"arguments": '{"a"'}}],
        [{"index": 0, "id": "c0", "function": {"name": "f", "arguments": ":1"}}],
        [{"index": 0, "id": "c0", "function": {"name": "", "arguments": "}"}}],
    ]
    assert calls_of(*pieces) == [("c0", "f", {"a": 1})]


def test_interleaved_calls():
    begin = [{"index": i, "id": f"c{i}", "function": {"name": "f", "arguments": '{"a":'}} for i in (0, 1)]
    assert calls_of(begin, [{"index": 1, "function": {"arguments": "2}"}}], [{"index": 0, "function": {"arguments": "1}"}}]) == [
        ("c0", "f", {"a": 1}),
        ("c1", "f", {"a": 2}),
    ]  # fmt: skip


def test_a_call_that_is_not_in_a_list():
    assert calls_of({"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}) == [("c", "f", {})]


def test_a_forced_call_ends_with_stop():
    delta = chunk(
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}, "stop"
    )
    finish = decode([delta, b"[DONE]"])[-1]
    assert (finish.reason, finish.raw) == ("tool_calls", "stop")


def test_the_legacy_function_call():
    pieces = [
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{}"}}),
    ]
    (choice,) = reply_of(decode([*pieces, chunk({}, "function_call"), b"[DONE]"])).choices
    assert [call.name for call in choice.message.tool_calls] == ["f"]
    assert choice.finish_reason == "tool_calls"


def test_arguments_that_are_not_valid_json_are_kept():
    (choice,) = reply_of(
        decode([(SAMPLES / "forced_tool.json").read_bytes()], stream=False, head=JSON)
    ).choices
    assert choice.message.tool_calls[0].arguments_raw == '{"a":1'


# -- thinking, citations, log probabilities -----------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_thinking_remembers_its_field(field):
    events = decode(
        [chunk({field: "Hm"}), chunk({field: "m"}), chunk({"content": "a"}), chunk({}, "stop"), b"[DONE]"]
    )
    thinking, said = reply_of(events, provider="local").choices[0].message.parts
    assert thinking == Thinking("Hmm", "local", "m", {"field": field})
    assert said.text == "a"


def test_details_of_reasoning_are_joined():
    piece = lambda **more: {"reasoning_details": [{"type": "reasoning.text", "index": 0, **more}]}
    events = decode([chunk({"reasoning": "a", **piece(text="a")}), chunk({"reasoning": "b", **piece(text="b")}), chunk(piece(signature="s")), chunk({"content": "c"}, "stop")])  # fmt: skip
    thinking = reply_of(events).choices[0].message.parts[0]
    joined = {"type": "reasoning.text", "index": 0, "text": "ab", "signature": "s"}
    assert thinking.data == {"field": "reasoning", "reasoning_details": [joined]}
    assert thinking.text == "ab"


def test_content_in_parts():
    parts = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm.", "signature": "s"}]},
        {"type": "text", "text": "a"},
        {"type": "chart", "data": 1},
    ]
    body = {"choices": [{"index": 0, "message": {"content": parts}, "finish_reason": "stop"}]}
    thinking, text, chart = reply_of(decode([body], stream=False, head=JSON)).choices[0].message.parts
    assert (thinking.text, thinking.data["signature"], text.text, chart.data) == ("Hm.", "s", "a", parts[2])


def test_citations_and_log_probabilities():
    (cited,) = reply_of(decode([(SAMPLES / "cited.json").read_bytes()], stream=False, head=JSON)).choices
    assert (cited.citations[0].url, cited.citations[0].end) == ("https://capitals.example/kz", 6)
    first, second = reply_of(
        decode([(SAMPLES / "two_choices.json").read_bytes()], stream=False, head=JSON)
    ).choices
    assert first.logprobs[0].token_bytes == b"Yes"
    assert [(top.token, top.logprob) for top in first.logprobs[0].top] == [("Yes", -0.1), ("No", -2.5)]
    assert (second.text, second.finish_reason) == ("No", "stop")


# -- the fast path ------------------------------------------------------------------------------------------------------


def test_the_fast_path_leaves_all_but_text_to_the_general_path():
    """After plain events, an event with more than a piece of text is read in full."""
    plain = [chunk({"content": ""}), chunk({"content": "a"})]
    events = decode([*plain, chunk({"content": "b"}, x_new=1), chunk({"content": "c", "refusal": "r"}), chunk({"content": "d"}, "stop")])  # fmt: skip
    assert RawEvent("x_new", 1) in events
    (choice,) = reply_of(events).choices
    assert choice.text == "abcd"
    assert choice.finish_reason == "refusal"


def test_one_event_a_piece():
    reading = decoder(LOCAL, Wire("/", {}, stream=True, meta={"api": "chat"}))
    reading.start(SSE)
    reading.feed(Frame(json.dumps(chunk({"role": "assistant", "content": ""})).encode()))
    assert reading.feed(Frame(json.dumps(chunk({"content": "a"})).encode())) == [TextDelta("a", 0)]


def test_a_failure_names_what_came():
    made = error(Failure(in_stream=True, data={"error": {"message": "slow", "code": 503}}))
    assert type(made).__name__ == "OverloadedError"


# -- two generations in one body ----------------------------------------------------------------------------------------

ROLE = {"role": "assistant", "content": ""}


def generation(name, *texts, finish=None, first=ROLE):
    deltas = [{**first, "content": texts[0]}, *({"content": text} for text in texts[1:])] if texts else []
    chunks = [chunk(delta, id=name) for delta in deltas]
    return [*chunks, chunk({}, finish, id=name)] if finish else chunks


CALL = {"tool_calls": [{"index": 0, "id": "t1", "function": {"name": "pay", "arguments": '{"sum": 1'}}]}


@pytest.mark.parametrize(
    "first",
    [
        generation("a", "", "first ", "half"),
        generation("a", "first ", "half", " of"),
        generation("a", "first half"),
        [*generation("a", ""), chunk(CALL, id="a")],
        [*generation("a", ""), chunk({"reasoning": "hm"}, id="a")],
    ],
)
@pytest.mark.parametrize("second", [generation("b", "", "the whole", finish="stop")])
def test_another_generation_before_the_first_has_ended_is_an_interruption(first, second):
    with pytest.raises(StreamInterruptedError, match="another answer, b"):
        decode([*first, *second, b"[DONE]"])


def test_another_generation_that_does_not_begin_with_a_role():
    with pytest.raises(StreamInterruptedError, match="another answer, b"):
        decode(
            [
                *generation("a", "first ", "half"),
                *generation("b", "all", "of", finish="stop", first={}),
                b"[DONE]",
            ]
        )


def test_another_generation_after_the_end_of_the_first_is_not_of_the_answer():
    reply = reply_of(
        decode(
            [
                *generation("a", "one", "!", finish="stop"),
                *generation("b", "two", "!", finish="stop"),
                b"[DONE]",
            ]
        )
    )
    assert (reply.id, reply.choices[0].text) == ("a", "one!")


def ids(*names, deltas=({"content": "x"},)):
    return [
        chunk({**ROLE, **deltas[0]} if place == 0 else deltas[-1], id=name)
        for place, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    "chunks",
    [
        ids("a", "b", "c", "d"),
        ids("a", "b", "c", "c", "d", "d"),
        ids("a", "b", "c", "d", deltas=({"role": "assistant", "content": "x"},)),
        ids("", "a", "a", "a"),
        ids(None, "a", "a", None),
        ids("a", "b", "b", "b"),
        ids("a", "b", "b", "b", deltas=(ROLE, {"content": "x"})),
    ],
)
def test_ids_that_tell_no_generations_apart(chunks):
    texts = [one["choices"][0]["delta"]["content"] for one in chunks]
    (choice,) = reply_of(decode([*chunks, chunk({}, "stop", id="z"), b"[DONE]"])).choices
    assert choice.text == "".join(texts)


def test_a_last_chunk_with_another_id_is_an_end():
    last = [
        chunk({"role": "assistant", "content": ""}, id="b", finish="stop"),
        {"id": "c", "choices": [], "usage": {"prompt_tokens": 1}},
    ]
    del last[0]["choices"][0]["delta"]["role"]
    reply = reply_of(decode([*generation("a", "one", " two", " three"), *last, b"[DONE]"]))
    assert (reply.choices[0].text, reply.choices[0].finish_reason) == ("one two three", "stop")
    assert reply.usage.input_tokens == 1


def test_choices_may_have_ids_of_their_own():
    chunks = [chunk({"content": str(n)}, id=name) for n, name in enumerate("aabbab")]
    for one in chunks:
        one["choices"][0]["index"] = 1 if one["id"] == "b" else 0
    reply = reply_of(decode([*chunks, b"[DONE]"]))
    assert [choice.text for choice in reply.choices] == ["014", "235"]


@pytest.mark.parametrize("place", range(4))
def test_an_event_of_an_unknown_kind_begins_nothing(place):
    events = [chunk({"content": "a"}), chunk({"content": "b"}), chunk({}, "stop")]
    unknown = [*events[:place], {"type": "x_unknown", "x": [1]}, *events[place:]]
    found = [event for event in decode([*unknown, b"[DONE]"]) if not isinstance(event, RawEvent)]
    assert found == decode([*events, b"[DONE]"])


@pytest.mark.parametrize("marker", [b"[DONE]", b" [DONE] ", b"\xef\xbb\xbf[DONE]"])
def test_the_end_marker_may_have_a_byte_order_mark(marker):
    events = [chunk({"content": "a"}), chunk({}, "stop")]
    assert decode([*events, marker]) == decode([*events, b"[DONE]"])
