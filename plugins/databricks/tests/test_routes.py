"""Answers: Claude's parts, DBU, and pages instead of data."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings, strategies as st

import jackfield_databricks as databricks
from jackfield import (
    MalformedResponseError,
    StreamInterruptedError,
    Text,
    Thinking,
    Usage,
)
from jackfield.http import SSEFramer
from jackfield.plugin import Frame, Head, Headers, ModelRef, Wire
from jackfield.testing import reply_of
from jackfield_databricks._models import table
from jackfield_databricks._usage import read_usage

SSE, JSON = ({"content-type": f"{kind}"} for kind in ("text/event-stream", "application/json"))
CLAUDE = "databricks-claude-sonnet-4-5"
PARTS = [
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm.", "signature": "s"}, {"type": "summary_encrypted_text", "data": "e"}]},
    {"type": "text", "text": "Yes.", "citations": [{"type": "char_location", "cited_text": "yes", "document_title": "t"}]},
]  # fmt: skip


def decode(chunks, *, stream=True, model=CLAUDE, cuts=()):
    decoder = databricks.jackfield_decoder(
        ModelRef(model), Wire("/", {}, stream=stream, meta={"api": "chat"})
    )
    events = decoder.start(Head(200, Headers(SSE if stream else JSON)))
    if not stream:
        return [*events, *decoder.feed(Frame(json.dumps(chunks).encode())), *decoder.finish()]
    data, framer, begin = chunks, SSEFramer(), 0
    for place in [*cuts, len(data)]:
        for frame in framer.feed(data[begin:place]):
            events += decoder.feed(frame)
        begin = place
    for frame in framer.close():
        events += decoder.feed(frame)
    return events + decoder.finish()


def piece(delta, raw=None, **usage):
    return {
        "id": "m",
        "model": "claude",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": raw}],
        "usage": {
            "prompt_tokens": 100,
            "cache_read_input_tokens": 60,
            "cache_creation_input_tokens": 0,
            **usage,
        },
    }


STREAM = b"".join(
    b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"
    for value in (
        piece({"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "H"}]}]}),
        piece({"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "ä.", "signature": "s"}]}]}),
        piece({"content": "I "}, completion_tokens=1),
        piece({"content": "add."}, completion_tokens=3),
        piece({"content": None, "tool_calls": [{"index": 0, "id": "t", "type": "function", "function": {"name": "now", "arguments": ""}}]}),
        piece({"content": None, "tool_calls": [{"index": 0, "function": {"arguments": ""}}, {"index": 1, "id": "u", "function": {"name": "add", "arguments": "{"}}, {"index": 1, "function": {"arguments": "}"}}]}),
        piece({"content": ""}, "tool_calls", completion_tokens=9, total_tokens=109),
    )
)  # fmt: skip
STREAM_END = b"data: [DONE]\n\n"


def test_a_stream_of_claudes_is_read_whole():
    answer = reply_of(decode(STREAM + STREAM_END), provider="databricks")
    (choice,) = answer.choices
    (thinking,) = (part for part in choice.message.parts if isinstance(part, Thinking))
    assert (thinking.text, dict(thinking.data)) == ("Hä.", {"part": "reasoning", "signature": "s"})
    assert (choice.text, choice.finish_reason) == ("I add.", "tool_calls")
    assert [(call.id, call.name, dict(call.arguments)) for call in choice.message.tool_calls] == [("t", "now", {}), ("u", "add", {})]  # fmt: skip
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.cached_input_tokens) == (
        100,
        9,
        60,
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_a_cut_at_any_byte_changes_nothing(places):
    whole = decode(STREAM + STREAM_END)
    assert decode(STREAM + STREAM_END, cuts=sorted(places)) == whole


def test_every_single_cut_changes_nothing():
    whole = decode(STREAM + STREAM_END)
    assert all(decode(STREAM + STREAM_END, cuts=[place]) == whole for place in range(len(STREAM)))


def test_a_stream_without_its_end_is_interrupted():
    with pytest.raises(StreamInterruptedError):
        decode(STREAM[: STREAM.rindex(b"data: ")])


def test_content_in_parts_is_read():
    body = {"id": "m", "model": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": PARTS}, "finish_reason": "stop"}]}  # fmt: skip
    (choice,) = reply_of(decode(body, stream=False), provider="databricks").choices
    known, secret, text = choice.message.parts
    assert (known.text, known.data["signature"]) == ("Hm.", "s")
    assert dict(secret.data) == {"part": "reasoning", "piece": "summary_encrypted_text", "data": "e"}
    assert isinstance(text, Text)
    assert [(citation.text, citation.title) for citation in choice.citations] == [("yes", "t")]


def test_dbu_times_the_us_rate_are_the_usd_of_the_table():
    """100 tokens, 60 of them cached at 0.3, at 3 USD, and 9 out at 15 USD: 40 x 3 + 60 x 0.3 + 9 x 15 = 273 USD
    for a million such answers, so 0.000273 USD; at 0.070 USD for a DBU 0.0039 DBU."""
    answer = reply_of(decode(STREAM + STREAM_END))
    assert answer.usage.units == {"DBU": Decimal("0.0039")}
    assert answer.usage.units["DBU"] * Decimal(table()["usd_per_dbu"]) == Decimal("0.000273")


def test_an_endpoint_of_the_customer_has_no_dbu_per_token():
    model = ModelRef("mine", underlying=f"databricks:{CLAUDE}")
    decoder = databricks.jackfield_decoder(model, Wire("/", {}, stream=False, meta={"api": "chat"}))
    body = {"choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}  # fmt: skip
    assert reply_of(decoder.feed(Frame(json.dumps(body).encode()))).usage.units == {}
    assert databricks.jackfield_cost(model, Usage(1, 1)) is None
    assert databricks.jackfield_cost(ModelRef(CLAUDE), Usage(1, 1)).rates["input"].source


@pytest.mark.parametrize("api", ["chat", "embedding", "completion"])
def test_a_page_with_a_good_status_is_not_an_answer(api):
    decoder = databricks.jackfield_decoder(ModelRef("m"), Wire("/", {}, meta={"api": api}))
    with pytest.raises(MalformedResponseError, match="host must be the address of a workspace"):
        decoder.start(Head(200, Headers({"content-type": "text/html; charset=utf-8"})))


def test_counts_with_a_decimal_point_are_integers():
    """A protobuf number that passed through a Struct has one; the DBU are not affected."""
    usage = {
        "prompt_tokens": 12.0,
        "completion_tokens": 5.0,
        "total_tokens": 17.0,
        "cache_read_input_tokens": 4.0,
    }
    read = read_usage(usage)
    assert (read.input_tokens, read.output_tokens, read.cached_input_tokens) == (12, 5, 4)
    assert all(isinstance(n, int) for n in (read.input_tokens, read.output_tokens, read.cached_input_tokens))
    body = {
        "id": "1",
        "model": "m",
        "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": usage,
    }
    assert reply_of(decode(body, stream=False)).usage.units["DBU"] > 0
