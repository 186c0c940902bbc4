"""The table of models, and the prompts of those that complete text."""

import pytest
from bedrock_requests import chat

import jackfield_bedrock
from jackfield import UnsupportedError
from jackfield.plugin import ModelRef
from jackfield_bedrock._models import row_of

# The families that the first users asked for, and how each is asked.
WAYS = {
    "anthropic.claude-v1": ("completion", "invoke"),
    "anthropic.claude-v2": ("chat completion", "converse"),
    "anthropic.claude-3-sonnet-20240229-v1:0": ("chat", "converse"),
    "anthropic.claude-3-5-sonnet-20241022-v2:0": ("chat", "converse"),
    "ai21.j2-ultra-v1": ("completion", "invoke"),
    "cohere.command-text-v14": ("completion", "invoke"),
    "cohere.command-light-text-v14": ("completion", "invoke"),
    "cohere.command-r-v1:0": ("chat", "converse"),
    "cohere.command-r-plus-v1:0": ("chat", "converse"),
    "cohere.embed-multilingual-v3": ("embedding", "invoke"),
    "amazon.titan-text-express-v1": ("chat completion", "converse"),
    "amazon.titan-embed-text-v1": ("embedding", "invoke"),
    "amazon.titan-embed-text-v2:0": ("embedding", "invoke"),
    "mistral.mistral-7b-instruct-v0:2": ("chat completion", "converse"),
    "mistral.mixtral-8x7b-instruct-v0:1": ("chat completion", "converse"),
    "mistral.mistral-large-2402-v1:0": ("chat completion", "converse"),
    "meta.llama2-70b-chat-v1": ("chat completion", "converse"),
    "meta.llama3-70b-instruct-v1:0": ("chat completion", "converse"),
}


@pytest.mark.parametrize("model", WAYS)
def test_the_first_users_models_are_known(model):
    kinds, route = WAYS[model]
    for name in (model, f"eu.{model}"):
        known = jackfield_bedrock.jackfield_capabilities(ModelRef(name))
        assert known.known
        assert known.kinds == set(kinds.split())
        assert row_of(name)["route"] == route


@pytest.mark.parametrize(
    ("model", "begins"),
    [
        ("meta.llama2-13b-chat-v1", "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST]"),
        (
            "meta.llama3-8b-instruct-v1:0",
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.",
        ),
        ("anthropic.claude-v2", "Be brief.\n\nHuman: Hi\n\nAssistant:"),
    ],
)
def test_a_conversation_becomes_the_documented_prompt(model, begins):
    translation = chat(model, declared={"route": "invoke"}, system="Be brief.", max_tokens=5)
    assert translation.wire.body["prompt"].startswith(begins)
    assert translation.report["chat"].fate == "emulated"
    with pytest.raises(UnsupportedError, match="emulate"):
        chat(model, declared={"route": "invoke"}, emulate=False)
