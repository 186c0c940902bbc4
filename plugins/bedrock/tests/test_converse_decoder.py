"""Decode Converse: cut anywhere, with nulls for what is absent."""

import json
from itertools import pairwise

import pytest
from bedrock_requests import CLAUDE, HI, chat, made
from bedrock_samples import (
    CHAT,
    CHAT_STREAM,
    CITED_STREAM,
    CLAUDE_STREAM,
    COMMAND_R_STREAM,
    EVENT_STREAM,
    MISTRAL_CHAT_STREAM,
    TEXTS,
    TOOLS,
    TOOLS_STREAM,
    text_stream,
)
from hypothesis import given, settings, strategies as st

import jackfield_bedrock
from jackfield.http import framer_for
from jackfield.plugin import ChatRequest, CompletionRequest, Frame, Head, Headers, ModelRef

STREAMS = {
    "chat": (CLAUDE, CHAT_STREAM, {}),
    "tools": (CLAUDE, TOOLS_STREAM, {}),
    "cited": (CLAUDE, CITED_STREAM, {}),
    "claude": (CLAUDE, CLAUDE_STREAM, {"route": "invoke"}),
    "command r": ("cohere.command-r-v1:0", COMMAND_R_STREAM, {"route": "invoke"}),
    "mistral": ("mistral.mistral-large-2402-v1:0", MISTRAL_CHAT_STREAM, {"route": "invoke"}),
    **{model: (model, text_stream(pieces), {}) for model, (_, pieces) in TEXTS.items() if pieces},
}


def events(name, cuts):
    model, body, declared = STREAMS[name]
    kinds = jackfield_bedrock.jackfield_capabilities(ModelRef(model, declared=declared)).kinds
    asked = (
        ChatRequest(HI, stream=True)
        if declared or "/" in name or name in ("chat", "tools", "cited")
        else None
    )
    asked = asked or (
        CompletionRequest("Hi", stream=True) if "completion" in kinds else ChatRequest(HI, stream=True)
    )
    wire = made(model, asked, **declared).wire
    decoder = jackfield_bedrock.jackfield_decoder(wire)
    framer = framer_for(EVENT_STREAM, wire.framing)
    found = list(decoder.start(Head(200, Headers({"content-type": EVENT_STREAM}))))
    edges = [0, *sorted(cut % len(body) for cut in cuts), len(body)]
    for start, end in pairwise(edges):
        for frame in framer.feed(body[start:end]):
            found += decoder.feed(frame)
    for frame in framer.close():
        found += decoder.feed(frame)
    return found + decoder.finish()


def nulled(value):
    """Add the other members of every union as null, as clients show them."""
    if isinstance(value, list):
        return [nulled(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    more = {"image": None, "toolUse": None, "text": None, "reasoningContent": None, "citationsContent": None}
    unions = value.keys() & more.keys() and not value.keys() & {"signature", "title"}
    return {**(more if unions else {}), **{name: nulled(inner) for name, inner in value.items()}}


@pytest.mark.parametrize("body", [CHAT, TOOLS])
def test_null_is_the_same_as_absent(body):
    def read(answer):
        decoder = jackfield_bedrock.jackfield_decoder(chat(CLAUDE).wire)
        return [*decoder.feed(Frame(json.dumps(answer).encode())), *decoder.finish()]

    plain = json.loads(body)
    answer = {**plain, "output": {"message": {"content": nulled(plain["output"]["message"]["content"])}}}
    assert read(answer) == read(plain)


@given(st.sampled_from(sorted(STREAMS)), st.lists(st.integers(0, 10_000), max_size=30))
@settings(deadline=None, max_examples=60)
def test_cuts_anywhere_mean_the_same(name, cuts):
    assert events(name, cuts) == events(name, [])


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_cut_at_every_byte_means_the_same(name):
    assert events(name, range(len(STREAMS[name][1]))) == events(name, [])
