"""Translate chats for Converse: options, and what the service does not have."""

import copy

import pytest
from bedrock_requests import ADD, CLAUDE, NOVA, chat, fate

from jackfield import Document, Message, Reasoning, Text, UnsupportedError


def test_what_is_unknown_is_sent():
    translation = chat(
        "acme.model-v1", top_k=3, seed=4, presence_penalty=0, reasoning=Reasoning("high"), temperature=7
    )
    assert translation.wire.body["additionalModelRequestFields"] == {
        "reasoning_config": "high", "top_k": 3, "seed": 4, "presence_penalty": 0,
    }  # fmt: skip
    assert translation.wire.body["inferenceConfig"] == {"temperature": 7}


@pytest.mark.parametrize("option", ["logit_bias", "user", "top_logprobs", "suffix"])
def test_what_the_service_has_not_is_refused_or_dropped(option):
    value = {"logit_bias": {"1": 1}, "top_logprobs": 2}.get(option, "x")
    with pytest.raises(UnsupportedError) as caught:
        chat(CLAUDE, **{option: value})
    assert caught.value.parameter == option
    assert fate(chat(CLAUDE, unsupported="drop", **{option: value}), option)[0] == "dropped"


def test_what_it_does_anyway_is_dropped_without_a_quarrel():
    translation = chat(CLAUDE, n=1, logprobs=False, tools=(ADD,), parallel_tool_calls=True)
    assert {fate(translation, name)[0] for name in ("n", "logprobs", "parallel_tool_calls")} == {"dropped"}
    with pytest.raises(UnsupportedError, match="parallel_tool_calls"):
        chat(CLAUDE, tools=(ADD,), parallel_tool_calls=False)


def test_values_out_of_range():
    with pytest.raises(UnsupportedError, match="at most 1"):
        chat("amazon.titan-text-express-v1", temperature=1.5)
    clamped = chat("amazon.titan-text-express-v1", temperature=1.5, unsupported="drop")
    assert clamped.wire.body["inferenceConfig"] == {"temperature": 1}


def test_purity():
    messages = [Message("user", (Text("a", cache="1h"), Document(data=b"x", name="a_b")))]
    options = {
        "tools": (ADD,),
        "reasoning": Reasoning("low"),
        "extra": {"bedrock": {"inferenceConfig": {"x": 1}}},
    }
    before = copy.deepcopy((messages, options))
    first = chat(NOVA, tuple(messages), **options)
    assert chat(NOVA, tuple(messages), **options) == first
    assert (messages, options) == before
