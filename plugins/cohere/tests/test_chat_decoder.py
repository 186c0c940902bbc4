"""Decode chats of v2. The samples are written by us from the documented formats."""

import pytest
from cohere_answers import end, piece, read

from jackfield import CitationDelta, Finish, LogprobsDelta, RawEvent, RawPart, Thinking
from jackfield.testing import reply_of

OTHER_CALL = {"id": "c1", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
KNOWN_CALL = {"id": "c2", "type": "function", "function": {"name": "add", "arguments": "{}"}}


def test_blocks_stay_apart():
    found = reply_of(read("chat", piece(0, text="a"), piece(0, text="b"), piece(1, text="c"), end()))

    assert [part.text for part in found.choices[0].message.parts] == ["ab", "c"]


def test_the_plan_is_no_part_of_the_thinking():
    plan = {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I plan."}}}
    found = reply_of(read("chat", piece(0, thinking="Hm."), plan, end()), provider="cohere")

    assert found.choices[0].message.parts == (
        Thinking("Hm.", "cohere"),
        Thinking("I plan.", "cohere", data={"field": "tool_plan"}),
    )


def test_calls_may_come_as_a_list_and_end_with_the_message():
    start = {"id": "x", "function": {"name": "f", "arguments": ""}}
    events = read(
        "chat",
        {"type": "tool-call-start", "index": 3, "delta": {"message": {"tool_calls": [start]}}},
        {
            "type": "tool-call-delta",
            "index": 3,
            "delta": {"message": {"tool_calls": {"function": {"arguments": "{}"}}}},
        },
        end("TOOL_CALL"),
    )
    (call,) = reply_of(events).choices[0].message.tool_calls

    assert (call.id, call.name, call.arguments) == ("x", "f", {})


@pytest.mark.parametrize("arguments", ["", "null", None, {}, "{}"])
def test_no_arguments_have_many_forms(arguments):
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": arguments}}
    body = {"id": "c", "finish_reason": "TOOL_CALL", "message": {"role": "assistant", "tool_calls": [call]}}
    (read_call,) = reply_of(read("chat", body, stream=False)).choices[0].message.tool_calls

    assert (read_call.arguments, read_call.arguments_raw) == ({}, None)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("max_tokens", "length"),
        ("ERROR_LIMIT", "length"),
        ("ERROR_TOXIC", "content_filter"),
        ("TOOL_CALL", "tool_calls"),
        ("SOMETHING_NEW", "other"),
        (None, "other"),
    ],
)
def test_finish_reasons(raw, reason):
    whole = {"response_id": "r", "text": "a", "finish_reason": raw}
    told = [event for event in read("chat_v1", whole, stream=False) if isinstance(event, Finish)]

    assert told == [Finish(reason, 0, raw)]
    assert [event for event in read("chat", end(raw)) if isinstance(event, Finish)] == told


def test_unknown_content_is_kept():
    body = {
        "id": "c",
        "finish_reason": "COMPLETE",
        "message": {"content": [{"type": "song", "notes": "do re"}]},
    }
    (part,) = reply_of(read("chat", body, stream=False)).choices[0].message.parts

    assert part == RawPart("cohere", {"type": "song", "notes": "do re"})


def test_logprobs():
    item = {"text": "Hi", "token_ids": [1, 2], "logprobs": [-0.5, -1.0]}
    delta = {**piece(0, text="Hi"), "logprobs": item}
    (told,) = [event for event in read("chat", delta, end()) if isinstance(event, LogprobsDelta)]

    assert [(token.token, token.logprob) for token in told.tokens] == [("Hi", -0.5), ("", -1.0)]


def test_a_citation_of_the_plan_has_no_place_in_the_text():
    told = {"start": 1, "end": 2, "text": "a", "type": "PLAN", "sources": [{"id": "t:0", "type": "tool"}]}
    event = {"type": "citation-start", "index": 0, "delta": {"message": {"citations": told}}}
    (found,) = [event.citation for event in read("chat", event, end()) if isinstance(event, CitationDelta)]

    assert (found.start, found.end, found.source_id) == (None, None, "t:0")


def test_a_tool_call_of_an_unknown_kind_is_kept_and_calls_no_tool():
    body = {"id": "1", "message": {"tool_calls": [OTHER_CALL, KNOWN_CALL]}, "finish_reason": "TOOL_CALL"}
    events = read("chat", body, stream=False)
    assert RawEvent("tool_call", OTHER_CALL) in events
    assert [call.name for call in reply_of(events).choices[0].message.tool_calls] == ["add"]


def test_a_streamed_tool_call_of_an_unknown_kind_is_kept_and_calls_no_tool():
    def event(kind, index, call):
        return {"type": f"tool-call-{kind}", "index": index, "delta": {"message": {"tool_calls": call}}}

    piece = event("delta", 0, {"custom": {"input": "ls"}})
    events = read(
        "chat",
        {"type": "message-start", "id": "1"},
        event("start", 0, OTHER_CALL),
        piece,
        {"type": "tool-call-end", "index": 0},
        event("start", 1, KNOWN_CALL),
        {"type": "tool-call-end", "index": 1},
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}},
    )
    assert [e.data for e in events if isinstance(e, RawEvent)] == [event("start", 0, OTHER_CALL), piece]
    assert [call.name for call in reply_of(events).choices[0].message.tool_calls] == ["add"]
