"""Relays: what a client wrote goes on byte for byte where the service takes it, and is translated elsewhere."""

import json

import pytest

from jackfield.plugin import ModelRef
from jackfield_azure_openai import AzureOpenAISettings, jackfield_decoder, jackfield_relay

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


def model(**settings):
    url = "https://r.openai.azure.com"
    return ModelRef(
        "my-gpt",
        declared={"id": "my-gpt", "underlying": "gpt-4o"},
        settings=AzureOpenAISettings(base_url=url, **settings),
    )


@pytest.mark.parametrize(
    ("surface", "version", "path"),
    [
        ("openai.chat", None, "/chat/completions"),
        ("openai.chat", "2025-01-01-preview", "/deployments/my-gpt/chat/completions"),
        ("openai.completions", None, "/completions"),
        ("openai.responses", None, "/responses"),
    ],
)
def test_a_request_goes_to_its_deployment(surface, version, path):
    wire = jackfield_relay(model(api_version=version), surface, HEADERS, body())
    assert (wire.path, wire.body) == (path, body().replace(b"of the client", b"my-gpt"))
    assert set(wire.headers) == {"content-type"}
    assert jackfield_decoder(wire) is not None


def test_what_codex_tells_of_its_machine_does_not_go_to_another_vendor():
    told = {"x-codex-turn-metadata": '{"workspaces": {"/srv/secret": {}}}'}
    assert (
        jackfield_relay(model(), "openai.responses", HEADERS, body(input="hi", client_metadata=told)) is None
    )
    assert jackfield_relay(model(), "openai.responses", HEADERS, body(input="hi")) is not None


@pytest.mark.parametrize(
    "more",
    [
        {"stream": True},
        {"tools": [{"type": "function", "function": {"name": "a", "strict": True, "parameters": {}}}]},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "a", "strict": True, "schema": {}},
            }
        },
    ],
    ids=["no usage", "strict tools", "strict answer"],
)
def test_what_the_service_would_answer_otherwise_is_translated(more):
    assert jackfield_relay(model(), "openai.chat", HEADERS, body(**more)) is None


def test_messages_are_translated():
    assert jackfield_relay(model(), "anthropic.messages", HEADERS, body()) is None


def test_a_model_of_responses_alone_is_translated_from_chats():
    ref = ModelRef("d", declared={"id": "d", "route": "responses"}, settings=model().settings)
    assert jackfield_relay(ref, "openai.chat", HEADERS, body()) is None
    assert jackfield_relay(ref, "openai.responses", HEADERS, body()) is not None
