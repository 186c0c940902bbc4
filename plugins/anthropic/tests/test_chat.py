"""Translate chats: sampling, the maximum length, options that the service does not have."""

import copy

import pytest
from anthropic_requests import ADD, ASK, NEW, OLD, SCHEMA, body, fates, made

from jackfield import Message, RawPart, Reasoning, ToolCall, UnsupportedError


def test_max_tokens_is_filled_from_the_models_data_and_told():
    translation = made("claude-haiku-4-5-20251001")
    assert translation.wire.body["max_tokens"] == 64000
    assert translation.report["max_tokens"].fate == "defaulted"


def test_max_tokens_of_an_unknown_model_leaves_room_for_its_budget():
    assert body("claude-of-tomorrow")["max_tokens"] == 4096
    assert body("claude-of-tomorrow", reasoning=Reasoning(budget_tokens=8000))["max_tokens"] == 12096


CLOSED = {**SCHEMA, "additionalProperties": False}


def test_an_unknown_model_gets_everything():
    sent = body(
        "claude-of-tomorrow",
        temperature=1.5,
        top_k=3,
        reasoning=Reasoning(effort="high"),
        response_format=SCHEMA,
    )
    assert (sent["temperature"], sent["top_k"]) == (1.5, 3)
    assert sent["output_config"] == {"effort": "high", "format": {"type": "json_schema", "schema": CLOSED}}


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("claude-opus-4-7", OLD),
        ("claude-sonnet-5", OLD),
        ("claude-haiku-4-5", NEW),
        ("claude-of-tomorrow", NEW),
    ],
)
def test_sampling_is_refused_where_it_would_be_a_400(model, settings, name):
    with pytest.raises(UnsupportedError, match=name):
        made(model, settings=settings, **{name: 1})
    translation = made(model, settings=settings, unsupported="drop", **{name: 1})
    assert name not in translation.wire.body
    assert translation.report[name].fate == "dropped"


def test_sampling_is_sent_where_it_is_taken():
    sent = body("claude-sonnet-4-0", temperature=0, top_p=0.0, top_k=0)
    assert (sent["temperature"], sent["top_p"], sent["top_k"]) == (0, 0.0, 0)


@pytest.mark.parametrize(
    "model", ["claude-opus-4-1-20250805", "claude-haiku-4-5", "claude-opus-4-5", "claude-opus-4-6"]
)
def test_temperature_and_top_p_exclude_one_another_from_claude_4_1_on(model):
    both = {"temperature": 0.5, "top_p": 0.9}
    with pytest.raises(UnsupportedError, match="together with temperature"):
        made(model, **both)
    dropped = made(model, unsupported="drop", **both)
    assert (dropped.wire.body["temperature"], dropped.report["top_p"].fate) == (0.5, "dropped")
    assert "top_p" not in dropped.wire.body
    assert body(model, top_p=0.9)["top_p"] == 0.9
    assert body(model, top_p=0.95, reasoning=Reasoning(budget_tokens=1024))["top_p"] == 0.95
    with pytest.raises(UnsupportedError, match="together with temperature"):
        made(model, temperature=1, top_p=0.95, reasoning=Reasoning(budget_tokens=1024))


def test_while_a_model_thinks_its_temperature_is_one():
    thinking = {"reasoning": Reasoning(budget_tokens=1024)}
    assert body(temperature=1, **thinking)["temperature"] == 1
    with pytest.raises(UnsupportedError, match="not one of 1"):
        made(temperature=0.5, **thinking)


def test_parameters_that_the_service_does_not_have():
    for name, value in {"seed": 0, "presence_penalty": 0.0, "frequency_penalty": 1, "logit_bias": {}, "n": 2,
                        "logprobs": True, "top_logprobs": 1}.items():  # fmt: skip
        with pytest.raises(UnsupportedError, match=name):
            made(**{name: value})
    translation = made(n=1, logprobs=False)
    assert fates(translation)["n"] == fates(translation)["logprobs"] == "dropped"


def test_nothing_of_the_callers_is_changed():
    messages = (
        *ASK,
        Message("assistant", (ToolCall("a", "add", {"x": [1]}), RawPart("anthropic", {"type": "x"}))),
    )
    options = {"tools": (ADD,), "extra": {"anthropic": {"tools": [{"type": "web_search", "name": "w"}]}}}
    before = copy.deepcopy((messages, options))
    first = made(messages=messages, **options)
    second = made(messages=messages, **options)
    assert first == second
    assert (messages, options) == before
    first.wire.body["messages"][1]["content"][1]["type"] = "changed"
    assert (messages, options) == before
