"""What a plugin does not serve is refused in words for people: no class of Python stands in them."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

import jackfield.plugin
from jackfield import JackfieldError, Message, Registry, UnsupportedError
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    ModelRef,
    RerankRequest,
    SummarizeRequest,
    unserved,
)

HELLO = (Message("user", "hello"),)
REQUESTS = {
    "chat": ChatRequest(HELLO),
    "complete a text": CompletionRequest("hello"),
    "embed": EmbedRequest(inputs=("hello",)),
    "rerank": RerankRequest(query="hello", documents=("a", "b")),
    "summarize": SummarizeRequest("hello"),
    "count tokens": CountRequest(HELLO),
}
CLASSES = re.compile(r"\b(?:[A-Z]\w+Request|chat_v1|tokenize)\b")
REGISTRY = Registry.installed()


@pytest.mark.parametrize("what", REQUESTS)
def test_one_sentence_says_what_is_not_served(what):
    error = unserved("acme", REQUESTS[what])
    assert isinstance(error, UnsupportedError)
    assert error.message == f"acme does not {what}"
    assert error.parameter == "kind"
    assert "unserved" in jackfield.plugin.__all__


def refusal(translate, *arguments):
    try:
        translate(*arguments)
    except JackfieldError as error:
        return error.message
    return ""


@pytest.mark.parametrize("what", REQUESTS)
@pytest.mark.parametrize("id", REGISTRY.provider_ids())
def test_no_plugin_shows_a_class_where_it_refuses_a_kind(id, what):
    provider = REGISTRY.provider(id)
    model = ModelRef("some-model", "c")
    said = refusal(provider.translate, model, REQUESTS[what], provider.capabilities(model))
    assert not CLASSES.search(said), said


@pytest.mark.parametrize("what", REQUESTS)
@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("jackfield_openai", {}),
        ("jackfield_anthropic.dialect", {"count_path": None, "complete_path": None}),
        ("jackfield_cohere.dialect", {"paths": {}}),
    ],
)
def test_dialects_refuse_a_kind_in_the_same_words(name, without, what):
    module = import_module(name)
    dialect = module.Dialect(id="acme", **without)
    said = refusal(module.translate, dialect, ModelRef("some-model", "c"), REQUESTS[what], Capabilities())
    assert said in {"", f"acme does not {what}"}
