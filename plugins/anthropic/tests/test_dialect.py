"""Services that offer Claude build on the dialect."""

import pytest
from anthropic_requests import ASK

import jackfield_anthropic
from jackfield import Message, Text, Thinking, UnsupportedError
from jackfield.plugin import ChatRequest, CompletionRequest, ModelRef, Options
from jackfield_anthropic import Dialect
from jackfield_anthropic.dialect import translate as translate_dialect


def test_a_service_that_resells_claude_says_what_differs():
    dialect = Dialect(
        id="acme", also=("anthropic",), name=lambda model: model.id.removeprefix("acme."), messages_path="/{model}/raw",
        stream_path="/{model}/stream", send_model=False, send_stream=False, body_version="acme-1", betas="body",
        count_path=None, complete_path=None, framing="aws_eventstream",
    )  # fmt: skip
    ref = ModelRef("acme.claude-opus-4-7")
    thinking = Thinking("Hm.", "anthropic", None, {"signature": "s"})
    messages = (*ASK, Message("assistant", (thinking, Text("So."))), *ASK)
    options = Options(extra={"acme": {"x": 1}, "anthropic": {"betas": ["b"]}})
    known = jackfield_anthropic.capabilities(dialect, ref)
    wire = translate_dialect(dialect, ref, ChatRequest(messages, options, stream=True), known).wire
    assert (wire.path, wire.framing, wire.headers) == ("/acme.claude-opus-4-7/stream", "aws_eventstream", {})
    assert wire.body["messages"][1]["content"][0]["signature"] == "s"
    assert {k: v for k, v in wire.body.items() if k != "messages"} == {
        "anthropic_version": "acme-1", "max_tokens": 128000, "x": 1, "anthropic_beta": ["b"],
    }  # fmt: skip
    assert known.parameters["temperature"].supported is False
    with pytest.raises(UnsupportedError, match="acme does not complete a text"):
        translate_dialect(dialect, ref, CompletionRequest("x"), known)
