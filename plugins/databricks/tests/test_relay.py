"""Relays: what a client wrote goes on byte for byte where the service takes it, and is translated elsewhere."""

import json

import pytest

from jackfield.plugin import ModelRef
from jackfield_databricks import jackfield_decoder, jackfield_relay

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


CLAUDE = "databricks-claude-haiku-4-5"


def model(id="my-agent", **declared):
    return ModelRef(id, declared={"id": id, **declared})


@pytest.mark.parametrize(
    ("surface", "ref", "more", "path"),
    [
        ("openai.chat", model(), {"custom_inputs": {"a": 1}}, "/serving-endpoints/chat/completions"),
        ("openai.chat", model(CLAUDE), {"temperature": 0.5}, "/serving-endpoints/chat/completions"),
        ("openai.chat", model(CLAUDE), {"stream": True}, "/serving-endpoints/chat/completions"),
        ("openai.completions", model(), {"prompt": "x"}, "/serving-endpoints/completions"),
        ("openai.responses", model(route="responses"), {"input": "x"}, "/serving-endpoints/responses"),
        (
            "anthropic.messages",
            model(CLAUDE, route="messages"),
            {"x": 1},
            "/serving-endpoints/anthropic/v1/messages",
        ),
        (
            "anthropic.messages",
            model("system.ai.claude-haiku-4-5", route="messages"),
            {},
            "/ai-gateway/anthropic/v1/messages",
        ),
    ],
)
def test_a_request_goes_on_as_it_came(surface, ref, more, path):
    wire = jackfield_relay(ref, surface, HEADERS, body(**more))
    assert (wire.path, wire.body) == (path, body(**more).replace(b"of the client", ref.id.encode()))
    assert "sk-of-the-client" not in str(wire.headers)
    assert ("anthropic-version" in wire.headers) == (surface == "anthropic.messages")
    assert jackfield_decoder(ref, wire) is not None


@pytest.mark.parametrize(
    ("surface", "ref", "more"),
    [
        ("openai.chat", model("databricks-gpt-oss-120b"), {}),
        ("openai.chat", model(CLAUDE), {"seed": 1}),
        ("openai.chat", model(CLAUDE), {"reasoning_effort": "high"}),
        ("openai.chat", model(CLAUDE), {"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}),
        (
            "openai.chat",
            model(CLAUDE),
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        ),
        (
            "openai.chat",
            model(CLAUDE),
            {"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "x"}]},
        ),
        ("openai.chat", model(), {"stream": True}),
        ("openai.chat", model(), {"max_completion_tokens": 5}),
        ("openai.chat", model(route="invocations"), {}),
        ("openai.chat", model(route="responses"), {}),
        ("openai.chat", model(CLAUDE, route="messages"), {}),
        ("openai.responses", model(), {}),
        ("anthropic.messages", model(CLAUDE), {}),
    ],
)
def test_the_rest_is_translated(surface, ref, more):
    assert jackfield_relay(ref, surface, HEADERS, body(**more)) is None


def test_another_version_of_the_messages_is_translated():
    newer = {**HEADERS, "anthropic-version": "2026-10-21"}
    assert jackfield_relay(model(CLAUDE, route="messages"), "anthropic.messages", newer, body()) is None
