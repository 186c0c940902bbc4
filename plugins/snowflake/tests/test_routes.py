"""Which form a request takes on each route, and what is reported."""

from __future__ import annotations

import copy

import attrs
import orjson
import pytest

import jackfield_snowflake as snowflake
from jackfield import (
    Document,
    Image,
    Message,
    RawPart,
    Text,
    Thinking,
    ToolResult,
    UnsupportedError,
)
from jackfield.plugin import ChatRequest, Frame, Head, Headers, ModelRef, Options, Wire
from jackfield.testing import reply_of, translated

CLAUDE = "claude-sonnet-4-6"
FIRST_USERS = (
    "gemma-7b",
    "llama2-70b-chat",
    "mistral-7b",
    "mixtral-8x7b",
    "mistral-large",
    "snowflake-arctic",
)


def model_on(route, name=CLAUDE, declared=None):
    return ModelRef(
        name, settings=snowflake.SnowflakeSettings(account="a-b", route=route), declared=declared or {}
    )


HI = (Message("user", "Hi"),)


def made(route, messages=HI, name=CLAUDE, declared=None, **options):
    model = model_on(route, name, declared)
    request = ChatRequest(tuple(messages), Options(**options))
    return translated(snowflake, model, request, snowflake.jackfield_capabilities(model))


@pytest.mark.parametrize("name", FIRST_USERS)
@pytest.mark.parametrize("route", ["openai", "complete", "sql", "legacy_sql"])
def test_the_first_users_models_are_declarable_on_every_route(name, route):
    known = snowflake.jackfield_capabilities(model_on(route, name))
    assert known.known
    assert known.kinds == {"chat"}
    assert known.limits.context_window
    assert known.feature("tools").value is False
    assert made(route, name=name, max_tokens=5, temperature=0).wire.body


def test_an_unknown_model_is_sent_everything():
    known = snowflake.jackfield_capabilities(model_on("openai", "brand-new"))
    assert not known.known
    assert not known.kinds
    body = made("openai", name="brand-new", top_k=3, seed=0).wire.body
    assert (body["top_k"], body["seed"]) == (3, 0)


def test_a_model_has_its_own_route_within_rest():
    assert made("openai", declared={"route": "complete"}).wire.path.endswith("inference:complete")
    assert made("complete", declared={"route": "messages"}, max_tokens=5).wire.path.endswith("/v1/messages")
    with pytest.raises(UnsupportedError, match="either REST or SQL"):
        made("openai", declared={"route": "sql"})
    with pytest.raises(UnsupportedError, match="no route"):
        made("openai", declared={"route": "carrier-pigeon"})
    with pytest.raises(UnsupportedError, match="only serves Claude"):
        made("messages", name="mistral-7b")


@pytest.mark.parametrize("option", ["stop", "seed", "top_k", "n", "logprobs", "user"])
@pytest.mark.parametrize("route", ["complete", "sql", "legacy_sql"])
def test_what_a_route_has_not_is_refused_or_dropped(route, option):
    value = {"stop": ("a",), "user": "u", "logprobs": True}.get(option, 1)
    with pytest.raises(UnsupportedError, match=option):
        made(route, **{option: value})
    report = made(route, **{option: value}, unsupported="drop").report
    assert report[option].fate == "dropped"
    assert report[option].why


def test_sql_clamps_what_is_out_of_range():
    with pytest.raises(UnsupportedError, match="at most 8192"):
        made("sql", max_tokens=10_000)
    result = made("sql", max_tokens=10_000, temperature=2, unsupported="drop")
    assert result.wire.body["bind"]["model_parameters"] == {"max_tokens": 8192, "temperature": 1}
    assert result.report["max_tokens"].fate == "clamped"


def test_what_is_not_understood_is_left_out_and_reported():
    talk = (
        Message("user", (Text("a", cache="1h"), Document(text="doc")), name="ann"),
        Message("assistant", (Thinking("Hm.", provider="anthropic"), RawPart("openai", {"x": 1}), Text("b"),
                              RawPart("snowflake", {"type": "thing"}))),
        Message("tool", (ToolResult("t", "bad", is_error=True),)),
    )  # fmt: skip
    before = copy.deepcopy(talk)
    result = made("complete", talk)
    assert talk == before
    assert result.wire.body["messages"] == [
        {"role": "user", "content_list": [
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "doc"}]},
        {"role": "assistant", "content_list": [{"type": "text", "text": "b"}, {"type": "thing"}]},
        {"role": "user", "content_list": [{"type": "tool_results", "tool_results": {
            "tool_use_id": "t", "content": [{"type": "text", "text": "bad"}]}}]},
    ]  # fmt: skip
    names = {note.name for note in result.report.changed()}
    assert names >= {
        "messages[0].name",
        "messages[0].cache",
        "messages[1].thinking",
        "messages[1]",
        "messages[2].is_error",
    }
    with pytest.raises(UnsupportedError, match="as data"):
        made("complete", (Message("user", (Image(url="https://example.org/x.png"),)),))


def test_thinking_goes_back_as_it_came():
    wire = {"type": "reasoning.text", "text": "Hm.", "signature": "sig", "index": 0}
    choice = {"index": 0, "finish_reason": "", "message": {"content": "Hi", "reasoning_details": [wire]}}
    body = {
        "model": "m",
        "choices": [choice],
        "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17},
    }
    decoder = snowflake.jackfield_decoder(ModelRef("m"), Wire("/", {}, meta={"api": "chat"}))
    events = [
        *decoder.start(Head(200, Headers({"content-type": "application/json"}))),
        *decoder.feed(Frame(orjson.dumps(body))),
        *decoder.finish(),
    ]
    answer = reply_of(events, provider="snowflake", model=CLAUDE)
    assert answer.choices[0].finish_reason == "stop"
    sent = made("openai", (Message("user", "a"), answer.choices[0].message, Message("user", "b"))).wire.body
    assert sent["messages"][1]["reasoning_details"] == [wire]
    claude = Thinking("Hm.", "snowflake", CLAUDE, {"type": "thinking", "signature": "sig"})
    back = made(
        "messages",
        (Message("user", "a"), Message("assistant", (claude, Text("b"))), Message("user", "c")),
        max_tokens=9,
    )
    assert back.wire.body["messages"][1]["content"][0] == {
        "type": "thinking",
        "thinking": "Hm.",
        "signature": "sig",
    }


def test_translation_is_pure():
    for route in ("openai", "complete", "sql"):
        assert made(route) == made(route)


def test_settings_are_values():
    one = snowflake.SnowflakeSettings(account="a")
    assert attrs.evolve(one, account="a") == one
