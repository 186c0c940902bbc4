"""Translate text completions, and chats with models of text completion."""

import pytest
from anthropic_requests import ADD, ASK, NEW, OLD, fates, made

import jackfield_anthropic
from jackfield import Message, ToolCall, UnsupportedError
from jackfield.plugin import CompletionRequest, ModelRef, Options
from jackfield.testing import translated


def completed(prompt, model="claude-2.1", *, settings=OLD, declared=None, **options):
    ref = ModelRef(model, settings=settings, declared=declared or {})
    request = CompletionRequest(prompt, Options(**options))
    return translated(jackfield_anthropic, ref, request)


def test_a_text_completion_has_turns():
    translation = completed("Why?", system="Be brief.", stop=("x",), temperature=0, user="u")
    assert translation.wire.path == "/v1/complete"
    assert translation.wire.body == {
        "model": "claude-2.1",
        "prompt": "Be brief.\n\nHuman: Why?\n\nAssistant:",
        "max_tokens_to_sample": 8191,
        "stop_sequences": ["x"],
        "temperature": 0,
        "metadata": {"user_id": "u"},
    }
    assert fates(translation)["prompt"] == "emulated"
    as_it_is = "\n\nHuman: Why?\n\nAssistant: Because"
    assert completed(as_it_is).wire.body["prompt"] == as_it_is


def test_a_text_completion_speaks_the_old_version_whatever_the_connection_does():
    translation = completed("Why?", settings=NEW, temperature=0.5)
    assert translation.wire.headers == {"anthropic-version": "2023-06-01"}
    assert translation.wire.body["temperature"] == 0.5


@pytest.mark.parametrize(
    "model", ["claude-1", "claude-1.3", "claude-instant-1.2", "claude-2", "claude-2.0", "claude-2.1"]
)
def test_a_chat_with_an_old_model_is_one_prompt(model):
    messages = (Message("system", "Be brief."), Message("user", "Hi."), Message("assistant", "Hello."), *ASK)
    translation = made(model, messages)
    assert translation.wire.body["prompt"] == (
        "Be brief.\n\nHuman: Hi.\n\nAssistant: Hello.\n\nHuman: Why?\n\nAssistant:"
    )
    assert fates(translation)["chat"] == "emulated"
    with pytest.raises(UnsupportedError, match="ToolCall"):
        made(model, (Message("assistant", (ToolCall("a", "add", {}),)),))


def test_an_old_model_is_asked_through_messages_on_request():
    translation = made("claude-2.1", declared={"route": "messages"}, temperature=0.5)
    assert translation.wire.path == "/v1/messages"
    assert translation.wire.body["max_tokens"] == 8191
    with pytest.raises(UnsupportedError, match="tools"):
        made("claude-2.1", declared={"route": "messages"}, tools=(ADD,))
    assert completed("Why?", declared={"route": "messages"}).wire.body["messages"][0]["content"] == "Why?"


def test_a_completion_with_a_new_model_is_one_user_turn():
    assert completed("Why?", "claude-haiku-4-5").wire.body["messages"] == [
        {"role": "user", "content": "Why?"}
    ]
