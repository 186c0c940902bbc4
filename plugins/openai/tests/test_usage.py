"""Token counts in all their forms."""

from __future__ import annotations

import json

import pytest

from jackfield import Usage
from jackfield.plugin import Frame, Head, Headers, Wire
from jackfield.testing import reply_of
from jackfield_openai import OPENAI, decoder, read_usage

JSON = Head(200, Headers({"content-type": "application/json"}))
CHAT = {
    "id": "1", "object": "chat.completion", "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
}  # fmt: skip
RESPONSE = {
    "id": "1", "object": "response", "status": "completed", "model": "m",
    "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}],
}  # fmt: skip


def used(api, usage):
    answer = {"chat": CHAT, "responses": RESPONSE}[api]
    decode = decoder(OPENAI, Wire("/", {}, meta={"api": api}))
    events = decode.start(JSON)
    events += decode.feed(Frame(json.dumps({**answer, "usage": usage}).encode()))
    reply = reply_of(events + decode.finish())
    assert reply.choices[0].text == "hello"
    assert reply.raw_usage == usage
    return reply.usage


@pytest.mark.parametrize("form", [int, float, str, lambda count: f"{count}.0"])
def test_counts_are_read_however_they_are_written(form):
    def write(value):
        return {k: write(v) for k, v in value.items()} if isinstance(value, dict) else form(value)

    raw = write(
        {
            "prompt_tokens": 10,
            "completion_tokens": 4,
            "total_tokens": 20,
            "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 6, "accepted_prediction_tokens": 1},
        }
    )
    wanted = Usage(10, 10, 3, None, 6, {"input_audio_tokens": 2, "accepted_prediction_tokens": 1})
    assert read_usage(raw) == wanted  # xAI's reasoning is added, as the total shows
    assert used("chat", raw) == wanted


@pytest.mark.parametrize("odd", ["", "many", [1], {"a": 1}, True, -1, 1.5, None], ids=repr)
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_count_that_is_no_number_costs_no_answer(api, odd):
    into, out = ("prompt_tokens", "completion_tokens") if api == "chat" else ("input_tokens", "output_tokens")
    found = used(api, {into: odd, out: 2, "total_tokens": odd, f"{into}_details": {"cached_tokens": odd}})
    assert (found.input_tokens, found.output_tokens, found.cached_input_tokens) == (None, 2, None)
    assert used(api, {into: 1, out: 2, f"{into}_details": odd, f"{out}_details": odd}).total_tokens == 3


@pytest.mark.parametrize("usage", ["12", [1, 2], 12, True], ids=repr)
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_usage_that_is_no_object_costs_no_answer(api, usage):
    assert used(api, usage) == Usage()


def test_usage_that_comes_again_as_zeros_takes_nothing_away():
    chunk = {
        "id": "1",
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}],
    }
    decode = decoder(OPENAI, Wire("/", {}, stream=True, meta={"api": "chat"}))
    events = []
    for usage in ((3, 2), (0, 0)):
        counts = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
        events += decode.feed(Frame(json.dumps({**chunk, "usage": counts}).encode()))
    reply = reply_of(events + decode.finish())
    assert reply.usage.total_tokens == reply.raw_usage["total_tokens"] == 5
