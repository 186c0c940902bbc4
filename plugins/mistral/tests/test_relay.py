"""Relays: what a client wrote goes on byte for byte where the service takes it, and is translated elsewhere."""

import json

import pytest

from jackfield.plugin import ModelRef
from jackfield_mistral import jackfield_decoder, jackfield_relay

HEADERS = {
    "Authorization": "Bearer sk-of-the-client",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "b-1",
    "x-codex-x": "no",
}
ASKED = {"messages": [{"role": "user", "content": "h\u00e9"}], "model": "of the client", "max_tokens": 9}


def body(**more):
    """Return a body with odd spaces, so that another writer of JSON would be noticed."""
    return json.dumps({**ASKED, **more}, indent=3).encode()


MODEL = ModelRef("mistral-small-latest")
CALLS = [{"id": "abcdefghi", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
TURN = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "", "tool_calls": CALLS}]
RESULT = {"role": "tool", "content": "x", "tool_call_id": "abcdefghi", "name": "f"}


@pytest.mark.parametrize(
    "more",
    [
        {"random_seed": 7, "safe_prompt": True},
        {"stream": True},
        {"messages": [*TURN, RESULT]},
        {
            "messages": [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b", "prefix": True},
            ]
        },
    ],
)
def test_a_request_of_the_services_own_fields_goes_on_as_it_came(more):
    wire = jackfield_relay(MODEL, "openai.chat", HEADERS, body(**more))
    assert (wire.path, wire.body) == (
        "/v1/chat/completions",
        body(**more).replace(b"of the client", b"mistral-small-latest"),
    )
    assert set(wire.headers) == {"content-type"}
    assert wire.stream is more.get("stream", False)
    assert jackfield_decoder(wire) is not None


@pytest.mark.parametrize(
    "more",
    [
        {"seed": 7},
        {"user": "x"},
        {"max_completion_tokens": 5},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"store": False},
        {"reasoning_effort": "high"},
        {"messages": []},
        {"messages": "hi"},
        {"messages": ["hi"]},
        {"messages": [{"role": "developer", "content": "a"}]},
        {"messages": [{"role": "user", "content": "a", "name": "bob"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]},
        {
            "messages": [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b", "refusal": None},
            ]
        },
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        {"messages": [*TURN[:1], {**TURN[1], "tool_calls": [{**CALLS[0], "id": "call_1"}]}]},
        {"messages": [*TURN, {**RESULT, "tool_call_id": "call_1"}]},
        {"messages": [*TURN, RESULT, {"role": "user", "content": "a"}]},
    ],
)
def test_what_the_service_would_refuse_is_translated(more):
    assert jackfield_relay(MODEL, "openai.chat", HEADERS, body(**more)) is None


def test_a_model_that_thinks_is_translated():
    assert jackfield_relay(ModelRef("magistral-medium-latest"), "openai.chat", HEADERS, body()) is None


def test_responses_go_on_where_they_are_declared_and_nothing_is_stored():
    declared = ModelRef("m", declared={"id": "m", "route": "responses"})
    assert jackfield_relay(declared, "openai.responses", HEADERS, body()).path == "/v1/responses"
    assert jackfield_relay(declared, "openai.responses", HEADERS, body(store=True)) is None
    assert jackfield_relay(MODEL, "openai.responses", HEADERS, body()) is None
    assert jackfield_relay(MODEL, "openai.completions", HEADERS, body()) is None
