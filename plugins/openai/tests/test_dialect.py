"""How services of the dialect differ, and the dialect's fields for that. The samples are invented."""

from __future__ import annotations

import json

import pytest

from jackfield import Citation, CitationDelta, PartAdded, RawEvent, Started
from jackfield.plugin import Capabilities, EmbedRequest, FailureInStream, Frame, Head, ModelRef, Wire
from jackfield.testing import reply_of
from jackfield_openai import Dialect, decoder, translate

PLAIN = Dialect(id="acme")


def read(*events, stream=True, dialect=PLAIN):
    reader = decoder(dialect, Wire("/", {}, stream=stream, meta={"api": "chat"}))
    found = list(reader.start(Head(200)))
    for event in events:
        found += reader.feed(Frame(json.dumps(event).encode()))
    return found + reader.finish()


def chunk(delta, finish=None, **more):
    return {
        "id": "a",
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }


def calls_of(*deltas):
    answer = reply_of(read(*(chunk({"tool_calls": [delta]}) for delta in deltas), chunk({}, "tool_calls")))
    return [(call.id, call.name, dict(call.arguments)) for call in answer.choices[0].message.tool_calls]


def test_pieces_without_id_and_name_continue_the_last_call_even_under_a_new_index():
    first = {"id": "call_of_more_than_nine", "function": {"name": "add", "arguments": ""}}
    rest = [{"index": 0, "function": {"name": "", "arguments": text}} for text in ('{"a"', ": 1}")]

    assert calls_of(first, *rest) == [("call_of_more_than_nine", "add", {"a": 1})]


def test_whole_calls_without_index_are_several():
    one = {"id": "aaaaaaaaa", "function": {"name": "add", "arguments": '{"a": 1}'}}
    other = {"id": "bbbbbbbbb", "function": {"name": "add", "arguments": '{"a": 2}'}}

    assert [arguments for _, _, arguments in calls_of(one, other)] == [{"a": 1}, {"a": 2}]


def test_the_tier_may_stand_in_the_usage():
    events = read(
        chunk({"content": "Hi"}), chunk({}, "stop", usage={"prompt_tokens": 1, "service_tier": "standard"})
    )

    assert [event.service_tier for event in events if isinstance(event, Started)] == [None, "standard"]
    assert reply_of(events).service_tier == "standard"


def test_the_tier_may_stand_in_the_usage_of_a_whole_answer():
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "service_tier": "standard"}
    answer = {"id": "a", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}

    assert reply_of(read(answer, stream=False)).service_tier == "standard"


def test_calls_without_a_valid_id_are_several():
    one = {"id": "null", "function": {"name": "add", "arguments": '{"a": 1}'}}
    other = {"id": "null", "function": {"name": "add", "arguments": '{"a": 2}'}}
    found = calls_of(one, other)

    assert [arguments for _, _, arguments in found] == [{"a": 1}, {"a": 2}]
    assert found[0][0] != found[1][0]


def test_padding_is_not_an_event():
    events = read(chunk({"content": "Hi"}, p="abc"), chunk({"content": "!"}, p="a"), chunk({}, "stop"))

    assert not [event for event in events if isinstance(event, RawEvent)]


@pytest.mark.parametrize("failure", [{"object": "error", "message": "No.", "type": "t"}, {"detail": "No."}])
def test_an_error_may_come_in_the_middle_without_a_field_error(failure):
    with pytest.raises(FailureInStream):
        read(chunk({"content": "Hi"}), failure)


def test_a_part_that_names_a_source_is_a_citation_and_stays():
    dialect = Dialect(id="acme", source=lambda part: Citation(source_id=part["of"]) if "of" in part else None)
    events = read(
        chunk({"content": [{"type": "x", "of": "1"}, {"type": "y"}]}), chunk({}, "stop"), dialect=dialect
    )

    assert [event.citation.source_id for event in events if isinstance(event, CitationDelta)] == ["1"]
    assert [event.part.data["type"] for event in events if isinstance(event, PartAdded)] == ["x", "y"]


def test_fields_beside_the_pieces_of_thinking_end_it_and_are_kept():
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": text}], "closed": True} for text in "ab"
    ]
    (choice,) = reply_of(read(chunk({"content": parts}), chunk({}, "stop"))).choices

    assert [part.text for part in choice.message.parts] == ["a", "b"]
    assert all(part.data == {"part": "thinking", "beside": {"closed": True}} for part in choice.message.parts)


def test_a_turn_of_a_tool_that_the_service_ran_is_not_the_answers_text():
    turns = [
        {"role": "tool", "tool_call_id": "a", "content": "42"},
        {"role": "assistant", "content": "It is 42."},
    ]
    answer = {"id": "a", "model": "m", "choices": [{"index": 0, "messages": turns, "finish_reason": "stop"}]}
    found = reply_of(read(answer, stream=False))

    assert found.choices[0].text == "It is 42."
    assert [event.kind for event in found.raw] == ["tool_message"]


def test_options_of_embeddings_can_have_other_names():
    dialect = Dialect(id="acme", renamed={"dimensions": "output_dimension", "user": None})
    request = EmbedRequest(inputs=("a",), dimensions=8)

    assert translate(dialect, ModelRef("m"), request, Capabilities()).wire.body["output_dimension"] == 8
