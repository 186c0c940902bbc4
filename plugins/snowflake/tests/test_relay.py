"""Relays: what a client wrote goes on byte for byte where the service takes it, and is translated elsewhere."""

import json

from jackfield.plugin import ModelRef
from jackfield_snowflake import jackfield_decoder, jackfield_relay

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


def model(id, route):
    return ModelRef(id, declared={"id": id, "route": route})


def test_messages_for_claude_go_on_as_they_came():
    ref = model("claude-sonnet-4-6", "messages")
    wire = jackfield_relay(ref, "anthropic.messages", HEADERS, body(x=1))
    assert wire.path == "/api/v2/cortex/v1/messages"
    assert wire.body == body(x=1).replace(b"of the client", b"claude-sonnet-4-6")
    assert wire.headers["anthropic-version"] == "2023-06-01"
    assert "sk-of-the-client" not in str(wire.headers)
    assert jackfield_decoder(ref, wire) is not None
    assert (
        jackfield_relay(ref, "anthropic.messages", {**HEADERS, "anthropic-version": "2026-10-21"}, body())
        is None
    )


def test_the_rest_is_translated():
    for ref, surface in (
        (model("claude-sonnet-4-6", "openai"), "openai.chat"),
        (model("claude-sonnet-4-6", "openai"), "anthropic.messages"),
        (model("openai-gpt-5", "messages"), "anthropic.messages"),
        (model("claude-sonnet-4-6", "complete"), "openai.chat"),
    ):
        assert jackfield_relay(ref, surface, HEADERS, body()) is None
