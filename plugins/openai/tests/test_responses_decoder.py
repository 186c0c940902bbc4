"""Answers of the Responses API. The samples are written by us from the documented formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jackfield import (
    ContentFilteredError,
    MalformedResponseError,
    PartAdded,
    RateLimitError,
    RawEvent,
    ServerError,
    StreamInterruptedError,
)
from jackfield.http import SSEFramer
from jackfield.plugin import FailureInStream, Frame, Head, Wire
from jackfield.testing import reply_of
from jackfield_openai import OPENAI, decoder, error

SAMPLES = Path(__file__).with_name("wire")
FINAL = json.loads((SAMPLES / "response.json").read_text(encoding="utf-8"))


def decode(*events, api="responses", stream=True):
    reading = decoder(OPENAI, Wire("/", {}, stream=stream, meta={"api": api}))
    found = list(reading.start(Head(200)))
    for event in events:
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        found += reading.feed(Frame(data, event.get("type") if isinstance(event, dict) else None))
    return found + reading.finish()


def whole(**changes):
    return reply_of(decode({**FINAL, **changes}, stream=False), provider="openai")


def sample_events():
    framer = SSEFramer()
    frames = framer.feed((SAMPLES / "response.sse").read_bytes()) + framer.close()
    return [json.loads(frame.data) for frame in frames]


def test_the_stream_is_the_whole_answer():
    streamed, at_once = reply_of(decode(*sample_events()), provider="openai"), whole()
    assert streamed.choices == at_once.choices
    assert streamed.usage == at_once.usage
    assert (streamed.service_tier, streamed.id) == ("default", "resp_sample")


def test_thinking_keeps_its_item():
    thinking = whole().choices[0].message.parts[0]
    assert thinking.data == {"item": FINAL["output"][0]}
    assert (thinking.text, thinking.provider) == ("Add them.", "openai")


@pytest.mark.parametrize("count", range(20))
def test_a_stream_without_its_terminal_event_was_interrupted(count):
    events = sample_events()[:count]
    assert "response.completed" not in {event["type"] for event in events}
    with pytest.raises(StreamInterruptedError):
        decode(*events)


@pytest.mark.parametrize(
    ("reason", "ours"),
    [("max_output_tokens", "length"), ("content_filter", "content_filter"), ("new", "other")],
)
def test_incomplete_answers(reason, ours):
    (choice,) = whole(status="incomplete", incomplete_details={"reason": reason}).choices
    assert (choice.finish_reason, choice.finish_raw) == (ours, reason)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": None}, RateLimitError),
        ({"type": "error", "error": {"code": "server_error", "message": "oh"}}, ServerError),
        ({"type": "response.failed", "response": {"error": {"code": "invalid_prompt", "message": "no"}}}, ContentFilteredError),
        ({"object": "response", "status": "failed", "error": {"code": "server_error", "message": "oh"}}, ServerError),
        ({"error": {"message": "oh", "type": "server_error"}}, ServerError),
    ],
)  # fmt: skip
def test_failures_inside(event, expected):
    with pytest.raises(FailureInStream) as caught:
        decode(*sample_events()[:3], event)
    made = error(caught.value.failure)
    assert type(made) is expected
    assert made.message in ("slow", "oh", "no")


def test_a_refusal():
    said = {"type": "message", "id": "m", "content": [{"type": "refusal", "refusal": "No."}]}
    (choice,) = whole(output=[said]).choices
    assert (choice.text, choice.finish_reason) == ("", "refusal")
    assert [part.text for part in choice.message.parts] == ["No."]


def test_an_item_without_an_event_of_its_own_is_kept():
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
    events = decode({**FINAL, "output": [search]}, stream=False)
    assert [event.part.data for event in events if isinstance(event, PartAdded)] == [search]
    odd = {"type": "response.something.new", "sequence_number": 1}
    assert RawEvent("response.something.new", odd) in decode(odd, *sample_events())


def test_a_custom_call_and_a_citation():
    call = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "shell", "input": "ls"}
    note = {
        "type": "url_citation",
        "url": "https://capitals.example",
        "title": "T",
        "start_index": 0,
        "end_index": 1,
    }
    said = {"type": "message", "id": "m", "phase": "final_answer", "content": [{"type": "output_text", "text": "a", "annotations": [note]}]}  # fmt: skip
    (choice,) = whole(output=[said, call]).choices
    (made,) = choice.message.tool_calls
    assert (made.id, made.arguments_raw) == ("c", "ls")
    assert made.provider_data == {"openai": {"id": "ctc_1", "type": "custom"}}
    assert choice.citations[0].url == "https://capitals.example"
    assert choice.message.parts[0].provider_data == {"openai": {"phase": "final_answer"}}


@pytest.mark.parametrize("body", [{}, {"object": "list"}])
def test_json_that_is_not_a_response_is_malformed(body):
    with pytest.raises(MalformedResponseError):
        decode(body, stream=False)


def test_a_count():
    assert reply_of(decode((SAMPLES / "count.json").read_bytes(), api="count", stream=False)).counted == 11


def test_a_delta_of_null_is_not_text():
    words = ("output_text", "refusal", "reasoning_text")
    deltas = [{"type": f"response.{word}.delta", "output_index": 0, "delta": None} for word in words]
    events = decode(*deltas, {"type": "response.completed", "response": FINAL})
    assert reply_of(events).finished


# -- what a stream says once, late, or in another order ---------------------------------------------------------------

CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "find", "arguments": ""}
FULL_CALL = {**CALL, "arguments": '{"q":"x"}', "status": "completed"}
SAID = {"type": "output_text", "text": "hello", "annotations": []}
MESSAGE = {"type": "message", "id": "m_1", "role": "assistant", "status": "completed", "content": [SAID]}
EMPTY = {**MESSAGE, "content": []}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}, {"type": "summary_text", "text": "so"}], "encrypted_content": "e"}  # fmt: skip


def event(name, **fields):
    return {"type": f"response.{name}", **fields}


def added(item, **place):
    return event("output_item.added", item=item, **(place or {"output_index": 0}))


def done(item, **place):
    return event("output_item.done", item=item, **(place or {"output_index": 0}))


def completed(*output, **more):
    return event("completed", response={"id": "r", "status": "completed", "output": list(output), **more})


def read(*events):
    (choice,) = reply_of(decode(*events), provider="openai").choices
    return choice


AT = {"output_index": 0, "item_id": "m_1", "content_index": 0}
IN_CALL = {"output_index": 0, "item_id": "fc_1"}
PIECES = [event("output_text.delta", delta="hel", **AT), event("output_text.delta", delta="lo", **AT)]
TEXTS = {
    "pieces": PIECES,
    "text done": [event("output_text.done", text="hello", **AT)],
    "part done": [event("content_part.done", part=SAID, **AT)],
    "item done": [done(MESSAGE)],
    "announced": [],
    "a lost piece": PIECES[:1],
    "all": [*PIECES, event("output_text.done", text="hello", **AT), event("content_part.done", part=SAID, **AT), done(MESSAGE)],
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("repeated", [True, False])
def test_a_text_is_read_once_wherever_it_comes(name, repeated):
    if name == "a lost piece" and not repeated:
        return
    begun = added(MESSAGE if name == "announced" else EMPTY)
    choice = read(begun, *TEXTS[name], completed(*([MESSAGE] if repeated else [])))
    assert [part.text for part in choice.message.parts] == ["hello"]
    assert choice.finish_reason == "stop"


def test_a_text_that_comes_only_in_the_whole_answer():
    assert read(completed(MESSAGE)).text == "hello"


REFUSED = {**MESSAGE, "content": [{"type": "refusal", "refusal": "No."}]}
REFUSALS = {
    "pieces": [event("refusal.delta", delta="No.", **AT)],
    "refusal done": [event("refusal.done", refusal="No.", **AT)],
    "part done": [event("content_part.done", part=REFUSED["content"][0], **AT)],
    "item done": [done(REFUSED)],
    "announced": [],
    "all": [event("refusal.delta", delta="N", **AT), event("refusal.done", refusal="No.", **AT), done(REFUSED)],
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_read_once_wherever_it_comes(name):
    choice = read(added(REFUSED if name == "announced" else EMPTY), *REFUSALS[name], completed(REFUSED))
    assert [(part.text, part.refusal) for part in choice.message.parts] == [("No.", True)]
    assert choice.finish_reason == "refusal"


DELTA, DONE = "function_call_arguments.delta", "function_call_arguments.done"
CALLS = {
    "pieces": [event(DELTA, delta='{"q":', **IN_CALL), event(DELTA, delta='"x"}', **IN_CALL)],
    "arguments done": [event(DONE, arguments='{"q":"x"}', **IN_CALL)],
    "arguments done with an object": [event(DONE, arguments={"q": "x"}, **IN_CALL)],
    "item done": [done(FULL_CALL)],
    "announced": [],
    "all": [event(DELTA, delta='{"q":', **IN_CALL), event(DONE, arguments='{"q":"x"}', **IN_CALL), done(FULL_CALL)],
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("output", [[FULL_CALL], []])
@pytest.mark.parametrize("late", [True, False])
def test_arguments_are_read_once_wherever_they_come(name, output, late):
    begun = added(FULL_CALL if name == "announced" else CALL)
    before = [*CALLS[name][:1], begun, *CALLS[name][1:]] if late else [begun, *CALLS[name]]
    choice = read(*before, completed(*output))
    (call,) = choice.message.tool_calls
    assert (call.id, call.name, dict(call.arguments)) == ("call_1", "find", {"q": "x"})
    assert choice.finish_reason == "tool_calls"


def test_a_custom_call_whose_input_comes_at_its_end():
    item = {"type": "custom_tool_call", "id": "c_1", "call_id": "c", "name": "sh", "input": ""}
    end = event("custom_tool_call_input.done", output_index=0, item_id="c_1", input="ls")
    (call,) = read(added(item), end, completed()).message.tool_calls
    assert (call.name, call.arguments_raw) == ("sh", "ls")


def test_every_call_that_began_ends_once():
    for events in ([added(CALL)], [added(CALL), done(FULL_CALL)], []):
        found = [type(one).__name__ for one in decode(*events, completed(FULL_CALL))]
        assert found.count("ToolCallStart") == found.count("ToolCallEnd") == 1


SUMMARY = {"output_index": 0, "item_id": "rs_1"}
THOUGHTS = {
    "pieces": [
        event("reasoning_summary_text.delta", delta=text, summary_index=place, **SUMMARY)
        for place, text in enumerate(["hm", "so"])
    ],
    "text done": [
        event("reasoning_summary_text.done", text=text, summary_index=place, **SUMMARY)
        for place, text in enumerate(["hm", "so"])
    ],
    "part done": [
        event("reasoning_summary_part.done", part={"text": text}, summary_index=place, **SUMMARY)
        for place, text in enumerate(["hm", "so"])
    ],
    "item done": [],
}


@pytest.mark.parametrize("name", THOUGHTS)
@pytest.mark.parametrize("end", [[done(THOUGHT)], []])
def test_thinking_is_read_once_wherever_it_comes(name, end):
    choice = read(added({**THOUGHT, "summary": []}), *THOUGHTS[name], *end, completed(THOUGHT))
    assert [(part.text, part.data) for part in choice.message.parts] == [("hm\n\nso", {"item": THOUGHT})]


def test_a_citation_that_comes_only_as_an_event():
    note = {"type": "url_citation", "url": "https://a.example", "title": "A"}
    said = event("output_text.annotation.added", annotation=note, **AT)
    for end in ([done(MESSAGE), completed(MESSAGE)], [completed()]):
        assert [found.url for found in read(added(EMPTY), *PIECES, said, *end).citations] == [
            "https://a.example"
        ]
    noted = {**MESSAGE, "content": [{**SAID, "annotations": [note]}]}
    assert len(read(added(EMPTY), *PIECES, said, done(noted), completed(noted)).citations) == 1


@pytest.mark.parametrize("place", [{}, {"output_index": 0}])
def test_ids_tell_items_apart_where_the_place_does_not(place):
    ids = [{"item_id": name, **place} for name in ("fc_1", "fc_2")]
    calls = [
        {**CALL, "id": f"fc_{n}", "call_id": f"call_{n}", "arguments": json.dumps({"q": n})} for n in (1, 2)
    ]
    events = []
    for call, where in zip(calls, ids, strict=True):
        events += [
            event("output_item.added", item={**call, "arguments": ""}, **place),
            event(DELTA, delta=call["arguments"], **where),
            event("output_item.done", item=call, **place),
        ]
    made = read(*events, completed(*calls)).message.tool_calls
    assert [(call.id, dict(call.arguments)) for call in made] == [("call_1", {"q": 1}), ("call_2", {"q": 2})]


def test_an_item_whose_id_differs_in_every_event_is_one():
    events = [event("output_text.delta", output_index=0, item_id=f"m_{n}", delta=text) for n, text in enumerate("abc")]  # fmt: skip
    whole = {**MESSAGE, "id": "m_9", "content": [{**SAID, "text": "abc"}]}
    assert [part.text for part in read(*events, done(whole), completed(whole)).message.parts] == ["abc"]


@pytest.mark.parametrize("kind", ["message", "function_call"])
def test_neither_place_nor_id(kind):
    if kind == "message":
        choice = read(
            event("output_item.added", item={"type": "message"}),
            event("output_text.delta", delta="hello"),
            completed(),
        )
        assert choice.text == "hello"
    else:
        begun = event("output_item.added", item={"type": "function_call", "name": "find"})
        choice = read(begun, event(DELTA, delta='{"q":"x"}'), event("output_item.done", item={"type": "function_call", "name": "find"}), completed())  # fmt: skip
        assert [(call.name, dict(call.arguments)) for call in choice.message.tool_calls] == [
            ("find", {"q": "x"})
        ]


def test_calls_that_share_an_id_get_ids_of_their_own():
    calls = [{**CALL, "id": None, "arguments": json.dumps({"n": n})} for n in (1, 2)]
    for choice in (read(completed(*calls)), whole(output=calls).choices[0]):
        assert len({call.id for call in choice.message.tool_calls}) == 2
        assert [dict(call.arguments) for call in choice.message.tool_calls] == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_whole_answer_that_is_not_finished_is_none(status):
    with pytest.raises(MalformedResponseError, match=f"resp_sample is {status}"):
        whole(status=status, output=[])


def test_a_cancelled_answer_is_a_failure():
    for events in ([{**FINAL, "status": "cancelled"}], [event("cancelled", response={"id": "r"})]):
        with pytest.raises(FailureInStream):
            decode(*events)


def test_the_name_of_the_last_event_counts_more_than_the_status_in_it():
    for status in (None, "in_progress"):
        choice = read(event("completed", response={"id": "r", "status": status, "output": [MESSAGE]}))
        assert (choice.text, choice.finish_reason) == ("hello", "stop")


def test_another_response_before_the_first_has_ended_is_an_interruption():
    created = [event("created", response={"id": name}) for name in ("r1", "r1", "r2")]
    assert read(*created[:2], *PIECES, completed()).text == "hello"
    with pytest.raises(StreamInterruptedError, match="another response, r2"):
        decode(created[0], *PIECES, created[2], *PIECES, completed(MESSAGE))
    going_on = event("in_progress", response={"id": "r2"})
    assert read(created[0], going_on, *PIECES, completed()).text == "hello"
    with pytest.raises(StreamInterruptedError, match="another response, r2"):
        decode(created[0], *PIECES, going_on, *PIECES, completed(MESSAGE))


@pytest.mark.parametrize("name", [None, "ping", "heartbeat"])
@pytest.mark.parametrize("data", [b"{}", b"[]", b'""', b"null"])
def test_a_heartbeat_without_content_says_nothing(name, data):
    reader = decoder(OPENAI, Wire("/", {}, stream=True, meta={"api": "responses"}))
    assert reader.feed(Frame(data, name)) == []


@pytest.mark.parametrize("data", [b"null", b"[]", b"3", b'"x"'])
def test_a_whole_answer_that_is_no_object_is_malformed(data):
    reader = decoder(OPENAI, Wire("/", {}, stream=False, meta={"api": "responses"}))
    with pytest.raises(MalformedResponseError):
        reader.feed(Frame(data))


def test_a_named_event_with_fields_of_a_gateway_is_kept():
    reader = decoder(OPENAI, Wire("/", {}, stream=True, meta={"api": "responses"}))
    (found,) = reader.feed(Frame(b'{"cost": "0.1"}', "cost"))
    assert found == RawEvent("cost", {"cost": "0.1"})
