"""Tool calls as servers really send them, and what has to go back with a call. The samples are written by us."""

from __future__ import annotations

import json

import pytest

import jackfield_openai
from jackfield import Finish, Message, TextDelta, Thinking, Tool, ToolCallEnd, ToolCallStart, ToolResult
from jackfield.plugin import ChatRequest, Frame, Head, ModelRef, Options, Wire, write_json
from jackfield.testing import reply_of, translated
from jackfield_openai import OPENAI, Dialect, compatible, decoder

PLUGIN = compatible(id="acme", base_url="http://127.0.0.1:9/v1", responses_path="/responses")
PLAIN = Dialect(id="acme", end="finish")


def read(*events, stream=True, done=True):
    reader = decoder(PLAIN, Wire("/", {}, stream=stream, meta={"api": "chat"}))
    found = list(reader.start(Head(200)))
    for event in events:
        found += reader.feed(Frame(json.dumps(event).encode()))
    found += reader.feed(Frame(b"[DONE]")) if stream and done else []
    return found + reader.finish()


def chunk(delta, finish=None, index=0):
    return {
        "id": "a",
        "model": "m",
        "choices": [{"index": index, "delta": delta, "finish_reason": finish}],
    }


def part(name=None, arguments="", **more):
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return {"type": "function", "function": function, **more}


def streamed(*events):
    """Return the calls of a stream whose events have these pieces."""
    pieces = [chunk({"tool_calls": event if isinstance(event, list) else [event]}) for event in events]
    return calls_of(reply_of(read(*pieces, chunk({}, "tool_calls"))))


def whole(*entries):
    message = {"role": "assistant", "content": None, "tool_calls": list(entries)}
    return reply_of(read(answer_of(message), stream=False))


def answer_of(message, finish="tool_calls"):
    return {"id": "a", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def calls_of(reply):
    (choice,) = reply.choices
    assert all(call.arguments_raw is None for call in choice.message.tool_calls)
    return [(call.name, *call.arguments.values()) for call in choice.message.tool_calls]


# -- which call a piece belongs to ----------------------------------------------------------------------------------


def test_pieces_with_an_id_each_are_one_call():
    pieces = [part("find", text, index=0, id=str(n)) for n, text in enumerate(('{"q"', ':"a"', "}"))]
    assert streamed(*pieces) == [("find", "a")]
    others = [part("find", '{"q":"a"}', index=0, id="1"), part("find", '{"q":"b"}', index=0, id="2")]
    assert streamed(*others) == [("find", "a"), ("find", "b")]
    begun = [part("find", "", index=0, id="1"), part("find", "", index=0, id="2")]
    assert streamed(*begun) == [("find",), ("find",)]


@pytest.mark.parametrize("more", [{}, {"id": ""}, {"id": None}, {"id": "null"}])
@pytest.mark.parametrize("index", [{}, {"index": 0}])
def test_another_name_begins_another_call(more, index):
    assert streamed(
        part("find", '{"q":', **index, **more),
        part(None, '"a"}', **index, **more),
        part("open", '{"q":"b"}', **index, **more),
    ) == [("find", "a"), ("open", "b")]


@pytest.mark.parametrize("more", [{}, {"index": 0}, {"id": "x"}, {"index": 0, "id": "x"}])
@pytest.mark.parametrize("together", [True, False])
def test_arguments_after_a_whole_object_begin_another_call(more, together):
    pieces = [part("find", '{"q":"a"}', **more), part("find", '{"q":"b"}', **more)]
    assert streamed(*([pieces] if together else pieces)) == [("find", "a"), ("find", "b")]


def test_arguments_after_a_whole_object_begin_another_call_even_without_the_name():
    assert streamed(part("find", '{"q":"a"}', index=0), part(None, '{"q":"b"}', index=0)) == [
        ("find", "a"),
        ("find", "b"),
    ]


@pytest.mark.parametrize("more", [{}, {"index": 0}, {"id": "x"}, {"index": 0, "id": "x"}])
@pytest.mark.parametrize(
    "cut", [('{"q":', '"a"}'), ('{"q":"', 'a"', "}"), ("", '{"q":"a"}'), ('{"q":"a"}', "", "\n")]
)
def test_a_name_on_each_piece_is_one_call(more, cut):
    assert streamed(*(part("find", text, **more) for text in cut)) == [("find", "a")]


@pytest.mark.parametrize("value", ["} {", 'a "}"', "\\", "{}", "{\\"])
def test_braces_in_a_text_end_nothing(value):
    text = json.dumps({"q": value})
    for place in range(len(text)):
        assert streamed(part("f", text[:place], index=0), part("f", text[place:], index=0)) == [("f", value)]


def test_every_cut_of_an_escape_is_understood():
    text = json.dumps({"q": '\\"} {\\\\'})
    pieces = [part("f", letter, index=0) for letter in text]
    assert streamed(*pieces, part("f", '{"q":"b"}', index=0)) == [("f", '\\"} {\\\\'), ("f", "b")]


def test_a_last_piece_that_repeats_its_call_adds_nothing():
    begun = [part("find", '{"q":', index=0, id="x"), part(None, '"a"}', index=0)]
    assert streamed(*begun, part("find", '{"q":"a"}', index=0, id="x")) == [("find", "a")]
    assert streamed(*begun, part(None, '{"q":"a"}', index=0)) == [("find", "a")]


@pytest.mark.parametrize("more", [{}, {"index": 0}, {"id": "x"}, {"index": 0, "id": "x"}, {"id": ""}])
@pytest.mark.parametrize("names", [("find", "find"), ("find", "open")])
def test_each_entry_of_a_whole_answer_is_a_call(more, names):
    reply = whole(*(part(name, json.dumps({"q": q}), **more) for name, q in zip(names, "ab", strict=True)))
    assert calls_of(reply) == [(names[0], "a"), (names[1], "b")]


def test_equal_entries_of_a_whole_answer_are_calls():
    assert calls_of(whole(part("now", "{}", id="x"), part("now", "{}", id="x"))) == [("now",), ("now",)]


@pytest.mark.parametrize("pieces", [("x", "x", "x"), ("x", "x_1", "x")])
def test_calls_that_share_an_id_get_ids_of_their_own(pieces):
    entries = [part("f", json.dumps({"n": n}), id=identity, index=n) for n, identity in enumerate(pieces)]
    replies = [whole(*entries), reply_of(read(chunk({"tool_calls": entries}, "tool_calls")))]
    for reply in replies:
        calls = reply.choices[0].message.tool_calls
        assert [dict(call.arguments) for call in calls] == [{"n": 0}, {"n": 1}, {"n": 2}]
        assert len({call.id for call in calls}) == 3
        assert calls[0].id == "x"


def test_looking_for_the_end_of_an_object_takes_linear_time():
    pieces = [part(None, text, index=0) for _ in range(20_000) for text in ("{", "}")]
    begun = [part("f", '{"q":"', index=0), *pieces, part(None, '"}', index=0)]
    assert streamed(*begun) == [("f", "{}" * 20_000)]


# -- what goes back ---------------------------------------------------------------------------------------------------

SIGNATURE = {"extra_content": {"google": {"thought_signature": "c2ln"}}}


def sent_back(reply, **declared):
    (choice,) = reply.choices
    results = [ToolResult(call.id, "r") for call in choice.message.tool_calls]
    messages = (Message("user", "q"), choice.message, *(Message("tool", (result,)) for result in results))
    model = ModelRef("m", declared=declared)
    return translated(PLUGIN, model, ChatRequest(messages, Options(), stream=False)).wire.body


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "beside", [SIGNATURE, {"thoughtSignature": "c2ln"}, {"function": {"thought_signature": "c2ln"}}]
)
def test_unknown_keys_of_a_call_go_back_with_it(stream, beside):
    function = {"name": "find", "arguments": "{}", **beside.get("function", {})}
    call = {"id": "call_1", "type": "function", **beside, "function": function}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    events = (
        read(chunk(message), chunk({}, "tool_calls")) if stream else read(answer_of(message), stream=False)
    )
    assert sent_back(reply_of(events))["messages"][1]["tool_calls"] == [call]


def test_keys_that_come_after_the_start_of_a_call_go_back_too():
    events = read(
        chunk({"tool_calls": [part("find", "", index=0, id="x")]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}, **SIGNATURE}]}),
        chunk({}, "tool_calls"),
    )
    (call,) = sent_back(reply_of(events))["messages"][1]["tool_calls"]
    assert call == {"id": "x", **part("find", "{}"), **SIGNATURE}


def test_keys_of_a_call_of_chat_completions_do_not_go_to_the_responses_api():
    reply = reply_of(read(answer_of({"tool_calls": [part("find", "{}", id="x", **SIGNATURE)]}), stream=False))
    call = sent_back(reply, route="responses")["input"][1]
    assert call == {"type": "function_call", "call_id": "x", "name": "find", "arguments": "{}"}


@pytest.mark.parametrize("stream", [True, False])
def test_a_signature_of_a_text_goes_back_with_it(stream):
    message = {"role": "assistant", "content": "hi", **SIGNATURE}
    events = read(chunk(message, "stop")) if stream else read(answer_of(message, "stop"), stream=False)
    assert sent_back(reply_of(events))["messages"][1] == {"role": "assistant", "content": "hi", **SIGNATURE}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_an_empty_field_of_thinking_goes_back_with_calls(stream, field):
    calls = [part("f", "{}", id="x", index=0)]
    message = {"role": "assistant", "content": None, field: "", "tool_calls": calls}
    events = (
        read(chunk({"role": "assistant", field: ""}), chunk({"tool_calls": calls}), chunk({}, "tool_calls"))
        if stream
        else read(answer_of(message), stream=False)
    )
    reply = reply_of(events)
    assert [type(one).__name__ for one in reply.choices[0].message.parts] == ["ToolCall"]
    assert sent_back(reply)["messages"][1][field] == ""


def test_an_empty_field_after_thinking_says_nothing():
    deltas = [
        {"reasoning_content": "hm"},
        {"reasoning_content": "", "tool_calls": [part("f", "{}", id="x", index=0)]},
    ]
    reply = reply_of(read(*(chunk(delta) for delta in deltas), chunk({}, "tool_calls")), provider="acme")
    assert sent_back(reply)["messages"][1]["reasoning_content"] == "hm"


def test_thinking_without_a_word_goes_back_into_its_field():
    thought = Thinking("", "acme", "m", {"field": "reasoning_content"})
    request = ChatRequest((Message("assistant", [thought, "hi"]),), Options(), stream=False)
    (turn,) = translated(PLUGIN, ModelRef("m"), request).wire.body["messages"]
    assert turn == {"role": "assistant", "content": "hi", "reasoning_content": ""}


ENCRYPTED = {"type": "reasoning.encrypted", "index": 0}


def details_of(*events, stream=True):
    (choice,) = reply_of(read(*events, stream=stream)).choices
    thinking = [part for part in choice.message.parts if hasattr(part, "data")]
    entries = [entry for part in thinking for entry in part.data["reasoning_details"]]
    return [(entry.get("id"), entry.get("data", entry.get("text"))) for entry in entries]


def test_entries_of_reasoning_with_different_ids_are_different():
    first, second = ({**ENCRYPTED, "id": name, "data": data} for name, data in (("r1", "AAA"), ("r2", "BBB")))
    apart = [chunk({"reasoning_details": [entry]}) for entry in (first, second)]
    assert details_of(*apart, chunk({}, "stop")) == [("r1", "AAA"), ("r2", "BBB")]
    assert details_of(chunk({"reasoning_details": [first, second]}, "stop")) == [("r1", "AAA"), ("r2", "BBB")]


def test_pieces_of_one_entry_of_reasoning_are_joined():
    pieces = [
        {**ENCRYPTED, "id": "r1", "data": "A"},
        {**ENCRYPTED, "data": "B"},
        {**ENCRYPTED, "id": "r1", "data": "C"},
    ]
    assert details_of(*(chunk({"reasoning_details": [piece]}) for piece in pieces), chunk({}, "stop")) == [("r1", "ABC")]  # fmt: skip


def test_each_entry_of_reasoning_of_a_whole_answer_is_one():
    entries = [{"type": "reasoning.text", "index": 0, "text": text} for text in "ab"]
    message = {"content": "x", "reasoning_details": entries}
    assert details_of(answer_of(message, "stop"), stream=False) == [(None, "a"), (None, "b")]


def test_an_entry_of_reasoning_after_the_finish_reason_is_kept():
    late = chunk({"reasoning_details": [{**ENCRYPTED, "id": "r1", "data": "AAA"}]})
    assert details_of(chunk({"content": "hi"}), chunk({}, "stop"), late) == [("r1", "AAA")]


# -- when a choice finishes ---------------------------------------------------------------------------------------------


def test_a_choice_finishes_after_what_follows_its_finish_reason():
    events = read(
        chunk({"content": "let me"}, "stop"),
        chunk({"content": " look"}, "stop"),
        chunk({"tool_calls": [part("find", "{}", index=0, id="x")]}, "tool_calls"),
    )
    kinds = [type(event) for event in events]
    assert kinds[-2:] == [ToolCallEnd, Finish]
    assert kinds.count(Finish) == kinds.count(ToolCallStart) == 1
    assert events[-1].reason == "tool_calls"
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "let me look"


def test_the_last_finish_reason_counts_but_what_was_blocked_stays_so():
    assert read(chunk({"content": "a"}, "stop"), chunk({"content": "b"}, "length"))[-1].reason == "length"
    blocked = read(chunk({"content": "a"}, "content_filter"), chunk({}, "stop"))
    assert blocked[-1].reason == "content_filter"


def test_each_choice_finishes_once_at_the_end():
    events = read(
        chunk({"content": "a"}, "stop"),
        chunk({"content": "b"}, "stop", index=1),
        chunk({"content": "c"}, "length"),
    )
    finishes = [(event.choice, event.reason) for event in events if isinstance(event, Finish)]
    assert finishes == [(0, "length"), (1, "stop")]
    assert all(isinstance(event, Finish) for event in events[-2:])


def test_a_finish_reason_that_was_followed_by_text_is_no_end():
    from jackfield import StreamInterruptedError

    with pytest.raises(StreamInterruptedError):
        read(chunk({"content": "a"}, "stop"), chunk({"content": "b"}), done=False)
    assert (
        read(chunk({"content": "a"}, "stop"), chunk({"content": "b"}, "stop"), done=False)[-1].raw == "stop"
    )


BIG = 123456789012345678901234567890
ARGUMENTS = {
    "text": (json.dumps({"id": BIG}), {"id": BIG}),
    "object": ({"id": BIG}, {"id": BIG}),
    "no text": ("", {}),
    "white space": (" \n", {}),
    "null": (None, {}),
    "null as text": ("null", {}),
    "a list of a language without objects": ([], {}),
    "encoded twice": (json.dumps(json.dumps({"id": BIG})), {"id": BIG}),
    "white space around": (f' {{"id": {BIG}}}\n\n', {"id": BIG}),
}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("form", ARGUMENTS)
def test_arguments_are_read_in_each_valid_form_and_go_back_exactly(form, stream):
    sent, wanted = ARGUMENTS[form]
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": sent}}
    choice = {"index": 0, "delta" if stream else "message": {"role": "assistant", "content": None, "tool_calls": [call]},
              "finish_reason": "tool_calls"}  # fmt: skip
    reader = decoder(OPENAI, Wire("/", {}, stream=stream, meta={"api": "chat"}))
    found = reader.feed(Frame(json.dumps({"id": "1", "model": "m", "choices": [choice]}).encode()))
    (answer,) = reply_of(found + reader.finish()).choices
    (read,) = answer.message.tool_calls
    assert (read.name, dict(read.arguments), read.arguments_raw) == ("f", wanted, None)
    turns = (Message("user", "Hi"), answer.message, Message("tool", ToolResult("c", "ok")))
    body = translated(jackfield_openai, ModelRef("gpt-4o"), ChatRequest(turns, Options(), False)).wire.body
    assert json.loads(body["messages"][1]["tool_calls"][0]["function"]["arguments"]) == wanted


@pytest.mark.parametrize("form", ARGUMENTS)
def test_arguments_of_a_response_are_read_in_each_valid_form(form):
    sent, wanted = ARGUMENTS[form]
    item = {"type": "function_call", "id": "i", "call_id": "c", "name": "f", "arguments": sent}
    answer = {"id": "r", "object": "response", "status": "completed", "model": "m", "output": [item]}
    reader = decoder(OPENAI, Wire("/", {}, meta={"api": "responses"}))
    found = reader.feed(Frame(json.dumps(answer).encode()))
    (choice,) = reply_of(found + reader.finish()).choices
    assert [dict(call.arguments) for call in choice.message.tool_calls] == [wanted]


def test_numbers_of_a_schema_that_fit_no_machine_word_are_sent_as_they_are():
    tool = Tool("f", parameters={"type": "object", "properties": {"n": {"type": "integer", "maximum": BIG}}})
    request = ChatRequest((Message("user", "Hi"),), Options(tools=(tool,)), False)
    body = translated(jackfield_openai, ModelRef("gpt-4o"), request).wire.body
    assert f'"maximum":{BIG}' in write_json(body).decode()
