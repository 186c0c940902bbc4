"""Where an answer ends, and what gateways write between its events and in place of it."""

from __future__ import annotations

import json

import pytest

from jackfield import (
    ContextLengthExceededError,
    JackfieldError,
    MalformedResponseError,
    Mesh,
    QuotaExceededError,
    Registry,
    StreamInterruptedError,
    TextDelta,
)
from jackfield.plugin import FailureInStream, Frame, Head, Headers, Wire
from jackfield.testing import Answer, RecordingServer, reply_of
from jackfield_openai import OPENAI, Dialect, compatible, decoder

SSE = Head(200, Headers({"content-type": "text/event-stream"}))
DONE = b"data: [DONE]\n\n"
DIALECTS = {end: Dialect(id="local", end=end) for end in ("finish", "marker", "clean")}


def chunk(delta, finish=None, **more):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **more}


def data(*values):
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


HALF = data(chunk({"role": "assistant", "content": "half"}))
REST = data(chunk({"content": " and half"}))
FINISH = data(chunk({}, "stop"))
USAGE = data(
    {
        "id": "c",
        "model": "m",
        "choices": [],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
)


def reading(dialect, *frames, api="chat"):
    decode = decoder(dialect, Wire("/", {}, stream=True, meta={"api": api}))
    events = decode.start(SSE)
    for frame in frames:
        events += decode.feed(frame if isinstance(frame, Frame) else Frame(json.dumps(frame).encode()))
    return decode, events


def text_of(events):
    (choice,) = reply_of(events).choices
    return choice.text


# -- over a socket: what came in another form than asked for ---------------------------------------------------------


async def ask(body, content_type, *, stream, end="finish"):
    async with RecordingServer() as server:
        server.answer(Answer(chunks=(body,), headers={"Content-Type": content_type}, streamed=True))
        settings = {"provider": "acme", "base_url": f"{server.url}/v1", "retry": {"attempts": 1}}
        registry = Registry.of(compatible(id="acme", end=end))
        async with Mesh.from_config({"connections": {"c": settings}}, registry=registry) as mesh:
            if not stream:
                return await mesh.chat("c:m", "hi")
            async with mesh.stream_chat("c:m", "hi") as live:
                async for _ in live:
                    pass
                return live.response


LABELS = [
    "text/event-stream",
    "application/json",
    "text/html",
    "text/json",
    "application/x-ndjson",
    "text/plain",
    "image/png",
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("label", LABELS)
async def test_events_are_read_whatever_their_label_and_whatever_was_asked_for(label, stream):
    response = await ask(HALF + REST + FINISH + USAGE + DONE, label, stream=stream)
    assert (response.text, response.complete, response.usage.output_tokens) == ("half and half", True, 2)
    with pytest.raises(QuotaExceededError, match="You exceeded your"):
        await ask(data(QUOTA), label, stream=stream)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("label", LABELS)
async def test_a_stream_that_is_cut_inside_an_event_is_interrupted(label, stream):
    for end in ("finish", "clean"):
        for cut in (40, len(REST) - 3):
            with pytest.raises(StreamInterruptedError):
                await ask(HALF + REST[:cut], label, stream=stream, end=end)


@pytest.mark.parametrize(
    "last",
    [b"event: error\n\n", b"event: server_error\ndata: boom\n\n", data({"Error": {"Message": "boom"}})],
)
async def test_where_streams_just_end_an_error_is_no_end(last):
    with pytest.raises(JackfieldError):
        await ask(HALF + last, "text/event-stream", stream=True, end="clean")


async def test_where_streams_just_end_an_event_of_an_unknown_kind_is_no_sure_end():
    response = await ask(HALF + data({"gone": True}), "text/event-stream", stream=True, end="clean")
    assert (response.text, response.complete) == ("half", False)


async def test_where_streams_just_end_an_answer_of_nothing_is_none():
    for delta in ({"role": "assistant"}, {"role": "assistant", "content": ""}, {}):
        with pytest.raises(StreamInterruptedError):
            await ask(data(chunk(delta)), "text/event-stream", stream=True, end="clean")


# -- the decoder ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("marker", [b"[DONE]", b" [DONE]", b"[DONE]\r", b"\t[DONE] ", b"[done]", b'"[DONE]"'])
def test_the_marker_ends_an_answer(marker):
    decode, _ = reading(OPENAI, chunk({"content": "a"}, "stop"))
    assert (decode.ended, decode.is_whole) == (False, True)
    assert decode.feed(Frame(marker)) == []
    assert (decode.ended, decode.is_whole, decode.lacks_end) == (True, True, False)
    assert [event.reason for event in decode.finish()] == ["stop"]


@pytest.mark.parametrize("end", ["finish", "marker", "clean"])
def test_an_answer_is_not_whole_before_each_choice_has_a_reason(end):
    decode = decoder(DIALECTS[end], Wire("/", {"n": 2}, stream=True, meta={"api": "chat"}))
    decode.feed(Frame(json.dumps(chunk({"content": "a"}, "stop")).encode()))
    assert not decode.is_whole  # the second choice has not begun
    second = {"index": 1, "delta": {"content": "b"}, "finish_reason": None}
    decode.feed(Frame(json.dumps({"id": "c", "choices": [second]}).encode()))
    assert not decode.is_whole
    decode.feed(Frame(json.dumps({"id": "c", "choices": [{**second, "finish_reason": "stop"}]}).encode()))
    assert decode.is_whole


@pytest.mark.parametrize(("end", "fate"), [("finish", "error"), ("marker", "whole"), ("clean", "partial")])
def test_what_a_marker_without_a_finish_reason_means_is_the_dialects(end, fate):
    decode, events = reading(DIALECTS[end], chunk({"content": "a"}), Frame(b"[DONE]"))
    if fate == "error":
        with pytest.raises(StreamInterruptedError, match="without a finish reason"):
            decode.finish()
        return
    (choice,) = reply_of(events + decode.finish()).choices
    assert (choice.text, choice.finish_reason) == ("a", "other")
    assert decode.lacks_end == (fate == "partial")


@pytest.mark.parametrize("end", ["finish", "marker", "clean"])
def test_a_clean_end_without_a_marker_is_an_end_where_the_dialect_says_so(end):
    decode, events = reading(DIALECTS[end], chunk({"content": "a"}))
    if end == "clean":
        assert text_of(events + decode.finish()) == "a"
        assert not decode.lacks_end
    else:
        with pytest.raises(StreamInterruptedError):
            decode.finish()


BEATS = [Frame(b"", "ping"), Frame(b"ping", "ping"), Frame(b"null", "x"), Frame(b"{}", "x"), Frame(b"null")]


@pytest.mark.parametrize("beat", BEATS, ids=repr)
@pytest.mark.parametrize("api", ["chat", "completion"])
def test_heartbeats_mean_nothing(beat, api):
    said = "delta" if api == "chat" else "text"
    pieces = [{"id": "c", "choices": [{"index": 0, said: {"content": "a"} if api == "chat" else "a"}]}] * 3
    last = {"id": "c", "choices": [{"index": 0, said: {} if api == "chat" else "", "finish_reason": "stop"}]}
    frames = [frame for piece in [*pieces, last] for frame in (beat, piece)]
    decode, events = reading(OPENAI, *frames, beat, Frame(b"[DONE]"), api=api)
    assert text_of(events + decode.finish()) == "aaa"


@pytest.mark.parametrize("beat", BEATS, ids=repr)
def test_heartbeats_mean_nothing_between_the_events_of_a_response(beat):
    item = {"type": "message", "id": "i", "role": "assistant", "content": []}
    events = [
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": "i", "delta": "a"},
        {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": []}},
    ]  # fmt: skip
    named = [Frame(json.dumps(event).encode(), event["type"]) for event in events]
    decode, found = reading(OPENAI, *[one for frame in named for one in (beat, frame)], api="responses")
    assert decode.ended
    assert decode.is_whole
    assert text_of(found + decode.finish()) == "a"


ERROR = {
    "code": 400,
    "message": "the request exceeds the available context size",
    "type": "exceed_context_size_error",
}


@pytest.mark.parametrize(
    "frame",
    [
        Frame(json.dumps(ERROR).encode(), "error"),
        Frame(json.dumps({"error": ERROR}).encode(), "error"),
        Frame(json.dumps({"error": ERROR}).encode()),
        Frame(b"the request exceeds the available context size", "error"),
        Frame(json.dumps(chunk({}, x_groq={"id": "q", "error": ERROR["message"]})).encode()),
    ],
    ids=repr,
)
@pytest.mark.parametrize("api", ["chat", "completion", "responses"])
def test_an_error_in_a_stream_is_one_in_every_form(frame, api):
    if api == "responses" and b"x_groq" in frame.data:
        return
    with pytest.raises(FailureInStream) as caught:
        reading(OPENAI, frame, api=api)
    from jackfield_openai import error

    found = error(caught.value.failure)
    assert isinstance(found, ContextLengthExceededError)
    assert ERROR["message"] in found.message


# -- through the mesh -----------------------------------------------------------------------------------------------


class Seen:
    """What one streamed call gave."""

    def __init__(self, texts, response, error, requests):
        self.text, self.response, self.error, self.requests = "".join(texts), response, error, requests


async def call(*answers, end=None, retry=1, **timeout):
    settings = {
        "base_url": "",
        "api_key": "none",
        "retry": {"attempts": retry, "initial_delay": 0.01},
        "timeout": timeout,
    }
    more = {} if end is None else {"registry": Registry.of(compatible(id="acme", end=end))}
    texts, response, found = [], None, None
    async with RecordingServer() as server:
        if len(answers) == 1:
            server.route("*", "*", answers[0])
        else:
            server.answer(*answers)
        settings = {
            **settings,
            "provider": "openai" if end is None else "acme",
            "base_url": f"{server.url}/v1",
        }
        async with Mesh.from_config({"connections": {"c": settings}}, **more) as mesh:
            stream = mesh.stream_chat("c:m", "hi")
            try:
                async with stream:
                    texts += [event.text async for event in stream if isinstance(event, TextDelta)]
                    response = stream.response
            except JackfieldError as error:
                found = error
        return Seen(texts, response, found, len(server.requests))


def sse(*pieces, **play):
    return Answer.stream(list(pieces), "text/event-stream", **play)


@pytest.mark.parametrize(
    "play", [{"stall_after": 1}, {"truncate_after": 1}, {"reset_after": 1}, {}], ids=repr
)
@pytest.mark.parametrize("body", [HALF + REST + FINISH + USAGE + DONE, HALF + REST + FINISH + USAGE])
async def test_an_answer_is_whole_though_its_body_stays_open_or_is_cut(body, play):
    seen = await call(sse(body, b"", **play), idle=0.4)
    assert (seen.text, seen.error) == ("half and half", None)
    assert seen.response.complete
    assert seen.response.usage.total_tokens == 5


@pytest.mark.parametrize("end", [None, "clean"])
@pytest.mark.parametrize("play", [{"stall_after": 1}, {"truncate_after": 1}, {"reset_after": 1}], ids=repr)
async def test_half_an_answer_is_not_whole(play, end):
    seen = await call(sse(HALF, DONE, **play), end=end, idle=0.4)
    assert seen.error is not None
    assert (seen.error.partial.text, seen.error.partial.complete) == ("half", False)


@pytest.mark.parametrize(("end", "complete"), [("clean", False), ("marker", True)])
async def test_a_marker_without_a_reason_is_a_whole_answer_where_the_dialect_says_so(end, complete):
    seen = await call(sse(HALF, DONE), end=end)
    assert (seen.text, seen.response.complete) == ("half", complete)


WORDS = "You exceeded your current quota"
QUOTA = {"error": {"message": WORDS, "type": "insufficient_quota", "code": "insufficient_quota"}}
WHOLE = {
    "id": "x", "object": "chat.completion", "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
}  # fmt: skip


@pytest.mark.parametrize("end", [None, "clean", "marker"])
@pytest.mark.parametrize("label", ["text/event-stream", "application/json", "text/plain"])
async def test_json_in_place_of_a_stream_is_read_as_what_it_is(label, end):
    seen = await call(Answer.stream([json.dumps(QUOTA).encode()], label), end=end, retry=3)
    assert isinstance(seen.error, QuotaExceededError)
    assert WORDS in seen.error.message
    assert seen.requests == 1
    seen = await call(Answer.stream([json.dumps(WHOLE).encode()], label), end=end, retry=3)
    assert (seen.text, seen.response.complete, seen.requests) == ("hello", True, 1)


@pytest.mark.parametrize("end", [None, "clean"])
async def test_a_page_in_place_of_a_stream_is_shown_and_sent_once(end):
    seen = await call(sse(b"<!doctype html>\n\n<title>Sign in</title>"), end=end, retry=3)
    assert isinstance(seen.error, MalformedResponseError)
    assert "Sign in" in str(seen.error) or "a page" in str(seen.error)
    assert seen.requests == 1


@pytest.mark.parametrize("end", [None, "clean", "marker"])
@pytest.mark.parametrize(
    "error",
    [
        b"error: " + json.dumps(ERROR).encode() + b"\n\n",
        json.dumps({"error": ERROR}).encode() + b"\n\n",
        b"event: error\ndata: " + json.dumps(ERROR).encode() + b"\n\n",
    ],
)
async def test_an_error_in_the_midst_is_not_half_an_answer(error, end):
    for tail in (b"", DONE):
        seen = await call(sse(HALF + error + tail), end=end)
        assert isinstance(seen.error, ContextLengthExceededError)
        assert (seen.error.partial.text, seen.error.partial.complete) == ("half", False)


async def test_a_character_in_two_chunks_is_one():
    halves = [rb'{"choices":[{"index":0,"delta":{"content":"hi \ud83d"}}]}', rb'{"choices":[{"index":0,"delta":{"content":"\ude00 bye"}}]}']  # fmt: skip
    body = b"".join(b"data: " + half + b"\n\n" for half in halves)
    seen = await call(sse(body + FINISH + DONE))
    assert seen.text == seen.response.text == "hi \U0001f600 bye"
