"""From a request to a wire, and from the pieces of an answer to events."""

from __future__ import annotations

import copy
import json

import attrs
import orjson
import pytest
from hypothesis import given, settings, strategies as st

import jackfield_snowflake as snowflake
from jackfield import (
    Document,
    Image,
    MalformedResponseError,
    Message,
    RawPart,
    StreamInterruptedError,
    Text,
    Thinking,
    ToolResult,
    UnsupportedError,
)
from jackfield._calls.fold import fold
from jackfield._calls.translation import translate
from jackfield.http import framer_for
from jackfield.plugin import ChatRequest, FailureInStream, Frame, Head, Headers, ModelRef, Options, Wire

CLAUDE, MISTRAL = "claude-sonnet-4-6", "mistral-7b"
USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
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
    return translate(snowflake.jackfield_translate, model, request, snowflake.jackfield_capabilities(model))


def decoded(frames, *, stream=True, body=None, api="complete", declared=None):
    wire = Wire("/", body or {}, stream=stream, meta={"api": api})
    decode = snowflake.jackfield_decoder(ModelRef("m", declared=declared or {}), wire)
    kind = "text/event-stream" if stream else "application/json"
    events = list(decode.start(Head(200, Headers({"content-type": kind}))))
    for frame in frames:
        events += decode.feed(frame)
    return events + decode.finish()


def frames_of(*values):
    return [Frame(orjson.dumps(value)) for value in values]


def delta(**piece):
    return {"model": "m", "choices": [{"delta": piece}], "usage": {}}


END = {"model": "m", "choices": [{"delta": {}}], "usage": USAGE}


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
    with pytest.raises(UnsupportedError, match="Claude alone"):
        made("messages", name=MISTRAL)


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
    events = decoded(frames_of({"model": "m", "choices": [choice], "usage": USAGE}), stream=False, api="chat")
    answer = fold(events, provider="snowflake", model=CLAUDE)
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


# -- answers -----------------------------------------------------------------------------------------------------


def test_text_that_is_said_thrice_is_read_once():
    piece = {"type": "text", "content": "Hi", "text": "Hi", "content_list": [{"type": "text", "text": "Hi"}]}
    for said in (
        piece,
        {"content": "Hi"},
        {"text": "Hi", "type": "text"},
        {"content_list": [{"text": "Hi"}]},
    ):
        assert fold(decoded(frames_of(delta(**said), END))).choices[0].text == "Hi"


def test_text_beside_a_list_of_calls_is_not_lost():
    call = {"type": "tool_use", "tool_use": {"tool_use_id": "t", "name": "add", "input": {"a": 1}}}
    whole = {"choices": [{"message": {"content": "I add.", "content_list": [call]}}], "usage": USAGE}
    (choice,) = fold(decoded(frames_of(whole), stream=False)).choices
    assert (choice.text, choice.finish_reason) == ("I add.", "tool_calls")
    assert dict(choice.message.tool_calls[0].arguments) == {"a": 1}


def test_calls_come_flat_in_lists_and_several():
    pieces = [
        delta(type="tool_use", tool_use_id="t1", name="add"),
        delta(type="tool_use", input='{"a"'),
        delta(type="tool_use", input=": 1}"),
        delta(content_list=[{"tool_use_id": "t2", "name": "now"}]),
    ]
    (choice,) = fold(decoded(frames_of(*pieces, END))).choices
    assert [(call.id, call.name, dict(call.arguments)) for call in choice.message.tool_calls] == [
        ("t1", "add", {"a": 1}), ("t2", "now", {}),
    ]  # fmt: skip


@pytest.mark.parametrize("again", [{"tool_use_id": "t1", "name": "add"}, {"tool_use_id": "", "name": ""}])
def test_pieces_may_repeat_the_id_or_say_nothing_for_it(again):
    pieces = [delta(type="tool_use", tool_use_id="t1", name="add", input="")]
    pieces += [
        delta(content_list=[{"type": "tool_use", "input": text, **again}]) for text in ('{"a"', ": 1}")
    ]
    (choice,) = fold(decoded(frames_of(*pieces, END))).choices
    assert [(call.id, call.name, dict(call.arguments)) for call in choice.message.tool_calls] == [
        ("t1", "add", {"a": 1})
    ]


def test_text_in_the_place_of_the_sql_function_is_read():
    whole = {"choices": [{"messages": "Hi"}], "usage": USAGE}
    assert fold(decoded(frames_of(whole), stream=False)).choices[0].text == "Hi"


def test_why_an_answer_ended_is_inferred():
    said = delta(content="Hi")
    ends = {
        "stop": decoded(frames_of(said, END)),
        "length": decoded(frames_of(said, END), body={"max_tokens": 5}),
        "other": decoded(frames_of({"choices": [{"message": {"content": "Hi"}}]}), stream=False),
    }
    for reason, events in ends.items():
        (choice,) = fold(events).choices
        assert (choice.finish_reason, choice.finish_raw) == (reason, None)
    told = fold(
        decoded(
            frames_of({"choices": [{"message": {"content": "x"}, "finish_reason": "length"}]}), stream=False
        )
    )
    assert (told.choices[0].finish_reason, told.choices[0].finish_raw) == ("length", "length")


def test_the_guards_own_text_is_a_filtered_answer():
    body = {"guardrails": {"enabled": True, "response_when_unsafe": "I may not."}}
    (choice,) = fold(
        decoded(frames_of(delta(content="I may "), delta(content="not."), END), body=body)
    ).choices
    assert choice.finish_reason == "content_filter"
    (choice,) = fold(decoded(frames_of(delta(content="I may."), END), body=body)).choices
    assert choice.finish_reason == "stop"


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        ([], StreamInterruptedError),
        (frames_of(delta(content="Hi")), StreamInterruptedError),
        (frames_of(delta(tool_use_id="t", name="add"), {**delta(type="tool_use", input='{"a'), "usage": USAGE}), StreamInterruptedError),
        (frames_of({"error": {"message": "too many requests"}}), FailureInStream),
        (frames_of({"message": "budget exceeded", "code": "402"}), FailureInStream),
        ([Frame(b'{"message": "x"}', "error")], FailureInStream),
        ([Frame(b"<html>")], MalformedResponseError),
        ([Frame(b"[1]")], MalformedResponseError),
    ],
)  # fmt: skip
def test_a_broken_stream_is_an_error(frames, error):
    with pytest.raises(error):
        decoded(frames)


def test_unknown_things_are_kept():
    events = decoded(
        frames_of(
            {**delta(content="Hi", mood="good"), "extra": 1},
            delta(content_list=[{"type": "chart", "x": 1}]),
            END,
        )
    )
    assert {(event.kind, event.data) for event in events if type(event).__name__ == "RawEvent"} == {
        ("mood", "good"),
        ("extra", 1),
    }
    (choice,) = fold(events).choices
    assert RawPart("snowflake", {"type": "chart", "x": 1}) in choice.message.parts


STREAMS = {
    "complete": [delta(content="Sky scätters 🌤"), delta(content_list=[{"tool_use_id": "t", "name": "add"}]),
                 delta(content_list=[{"input": '{"a": "ü"}'}]), END],
    "chat": [{"model": "m", "choices": [{"index": 0, "delta": {"content": "Sky scätters 🌤"}}]},
             {"model": "m", "choices": [], "usage": USAGE}],
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(STREAMS)),
    st.lists(st.integers(1, 40), max_size=40),
    st.sampled_from(["\n", "\r\n"]),
)
def test_where_the_network_cuts_changes_nothing(api, sizes, end):
    done = f"data: [DONE]{end}{end}" if api == "chat" else ""
    data = ("".join(f"data: {json.dumps(value)}{end}{end}" for value in STREAMS[api]) + done).encode()

    def read(pieces):
        framer = framer_for("text/event-stream", "sse")
        frames = [frame for piece in pieces for frame in framer.feed(piece)]
        return decoded([*frames, *framer.close()], api=api)

    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    assert read([*pieces, data[at:]]) == read([data]) == read([data[i : i + 1] for i in range(len(data))])
