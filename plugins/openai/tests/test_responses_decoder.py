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
