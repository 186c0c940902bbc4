"""Relays: what a client wrote goes on byte for byte where the service takes it, and is translated elsewhere."""

import json

import pytest

from jackfield.plugin import ModelRef
from jackfield_azure_llm import AzureLLMSettings, jackfield_decoder, jackfield_relay

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


def model(**declared):
    return ModelRef("m", declared={"id": "m", **declared}, settings=AzureLLMSettings())


CHAT = "https://e.eastus.models.ai.azure.com"
INFERENCE = "https://r.services.ai.azure.com/models"
CLAUDE = "https://r.services.ai.azure.com/anthropic"


def test_a_chat_goes_to_its_endpoint():
    ref = model(target_uri=CHAT, deployment="blue", model_name="phi")
    wire = jackfield_relay(ref, "openai.chat", HEADERS, body(extra_of_the_server=1))
    assert wire.path.startswith(CHAT)
    assert wire.path.endswith("/chat/completions")
    assert wire.body == body(extra_of_the_server=1).replace(b"of the client", b"phi")
    assert wire.headers == {"content-type": "application/json", "azureml-model-deployment": "blue"}
    assert jackfield_decoder(wire) is not None


def test_model_inference_is_told_of_fields_of_others():
    ref = model(target_uri=INFERENCE)
    known = jackfield_relay(ref, "openai.chat", HEADERS, body())
    assert "extra-parameters" not in known.headers
    other = jackfield_relay(ref, "openai.chat", HEADERS, body(chat_template="x"))
    assert other.headers["extra-parameters"] == "pass-through"
    assert other.query == known.query != {}


def test_messages_go_to_claude():
    wire = jackfield_relay(
        model(target_uri=CLAUDE), "anthropic.messages", HEADERS, body(context_management={})
    )
    assert wire.path == f"{CLAUDE}/v1/messages"
    assert wire.body == body(context_management={}).replace(b"of the client", b"m")
    assert wire.headers == {
        "anthropic-version": "2023-06-01", "content-type": "application/json", "anthropic-beta": "b-1"
    }  # fmt: skip
    assert jackfield_decoder(wire) is not None
    newer = {**HEADERS, "anthropic-version": "2026-10-21"}
    assert jackfield_relay(model(target_uri=CLAUDE), "anthropic.messages", newer, body()) is None


def test_what_claude_code_tells_of_its_device_does_not_go_to_another_vendor():
    device = {"user_id": '{"device_id": "d-1", "account_uuid": "", "session_id": "s-1"}'}
    ref, headers = model(target_uri=CLAUDE), {**HEADERS, "x-claude-code-session-id": "s-1", "x-app": "cli"}
    assert jackfield_relay(ref, "anthropic.messages", headers, body(metadata=device)) is None
    wire = jackfield_relay(ref, "anthropic.messages", headers, body(metadata={"user_id": "u-1"}))
    assert "s-1" not in str(wire.headers)


@pytest.mark.parametrize(
    ("declared", "surface", "more"),
    [
        ({"target_uri": CHAT, "model_name": ""}, "openai.chat", {}),
        ({"target_uri": CHAT}, "openai.responses", {}),
        ({"target_uri": CHAT}, "anthropic.messages", {}),
        ({"target_uri": CLAUDE}, "openai.chat", {}),
        ({"target_uri": CHAT}, "openai.chat", {"max_completion_tokens": 5}),
        ({"target_uri": CHAT}, "openai.chat", {"stream": True}),
        (
            {"target_uri": CHAT, "stream_usage": False},
            "openai.chat",
            {"stream": True, "stream_options": {"include_usage": True}},
        ),
    ],
)
def test_the_rest_is_translated(declared, surface, more):
    assert jackfield_relay(model(**declared), surface, HEADERS, body(**more)) is None
