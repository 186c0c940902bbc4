"""The request: routes, the service's rules for conversations, reasoning, marks of prefixes, and what is refused."""

from __future__ import annotations

import copy

import pytest

import jackfield_databricks as databricks
from jackfield import (
    Image,
    Message,
    RawPart,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    UnsupportedError,
)
from jackfield.plugin import ChatRequest, CompletionRequest, CountRequest, EmbedRequest, ModelRef, Options
from jackfield.testing import translated

LLAMA, CLAUDE, GPT = (
    "databricks-meta-llama-3-3-70b-instruct",
    "databricks-claude-sonnet-4-5",
    "databricks-gpt-5-2",
)
ADD = Tool("add", "Add.", cache="5m")
CALLS = (ToolCall("c1", "add", {"a": 1}), ToolCall("c2", "add", {}, ""))
TURN = (
    Message("user", "Add"),
    Message("assistant", (Text("I do."), *CALLS)),
    Message("tool", (ToolResult("c1", "1"), ToolResult("c2", "2"))),
)


def sent(model, messages, *, declared=None, underlying=None, **options):
    ref = ModelRef(model, declared=declared or {}, underlying=underlying)
    request = ChatRequest(tuple(messages), Options(**options))
    before = copy.deepcopy(request)
    result = translated(databricks, ref, request)
    assert request == before
    return result.wire, {note.name: note for note in result.report}


def roles(wire):
    return [
        (m["role"], [c["id"] for c in m.get("tool_calls", ())] or m.get("tool_call_id") or m["content"])
        for m in wire.body["messages"]
    ]


@pytest.mark.parametrize(
    ("model", "declared", "path", "named"),
    [
        (LLAMA, {}, "/serving-endpoints/chat/completions", LLAMA),
        ("mine", {"route": "invocations"}, "/serving-endpoints/mine/invocations", None),
        ("a/b:c", {"route": "invocations"}, "/serving-endpoints/a%2Fb%3Ac/invocations", None),
        ("system.ai.claude-sonnet-4-5", {}, "/ai-gateway/mlflow/v1/chat/completions", "system.ai.claude-sonnet-4-5"),
        ("databricks-gpt-5-5-pro", {}, "/serving-endpoints/responses", "databricks-gpt-5-5-pro"),
        (GPT, {"route": "responses"}, "/serving-endpoints/responses", GPT),
    ],
)  # fmt: skip
def test_routes(model, declared, path, named):
    wire, _ = sent(model, [Message("user", "a")], declared=declared)
    assert (wire.path, wire.body.get("model")) == (path, named)


@pytest.mark.parametrize(
    ("request_", "model", "route", "words"),
    [
        (EmbedRequest(inputs=("a",)), "system.ai.gte", None, "supports only chats"),
        (CompletionRequest("a"), "m", "responses", "supports only chats"),
        (ChatRequest((Message("user", "a"),)), "m", "nativ", "there is no route"),
        (CountRequest((Message("user", "a"),)), "m", None, "does not count tokens"),
    ],
)
def test_requests_that_a_route_does_not_support_are_refused(request_, model, route, words):
    ref = ModelRef(model, declared={"route": route} if route else {})
    with pytest.raises(UnsupportedError, match=words):
        databricks.jackfield_translate(ref, request_, databricks.jackfield_capabilities(ref))


def test_calls_and_results_are_paired_except_for_claude():
    wire, notes = sent(LLAMA, TURN)
    assert roles(wire) == [
        ("user", "Add"),
        ("assistant", ["c1"]),
        ("tool", "c1"),
        ("assistant", ["c2"]),
        ("tool", "c2"),
    ]
    assert notes["messages[1]"].fate == "emulated"
    wire, notes = sent(CLAUDE, TURN)
    assert roles(wire) == [("user", "Add"), ("assistant", ["c1", "c2"]), ("tool", "c1"), ("tool", "c2")]
    assert not notes


def test_results_that_do_not_fit_their_calls_stay_where_they_are():
    lost = (TURN[0], TURN[1], Message("tool", (ToolResult("c1", "1"),)))
    assert roles(sent(LLAMA, lost)[0]) == [("user", "Add"), ("assistant", ["c1", "c2"]), ("tool", "c1")]


def test_empty_arguments_are_sent_back_as_an_object():
    wire, _ = sent(CLAUDE, TURN)
    assert [c["function"]["arguments"] for c in wire.body["messages"][1]["tool_calls"]] == ['{"a":1}', "{}"]


def test_there_is_one_system_message_and_it_comes_first():
    told = [Message("system", "B"), Message("user", "a"), Message("system", "C")]
    wire, notes = sent(LLAMA, told, system="A")
    assert roles(wire) == [("system", "A\n\nB\n\nC"), ("user", "a")]
    assert {name for name, note in notes.items() if note.fate == "emulated"} == {"messages[0]", "messages[2]"}
    assert notes["system"].fate == "renamed"
    assert roles(sent(LLAMA, told[:2])[0]) == [("system", "B"), ("user", "a")]


def test_parts_that_the_service_rejects_are_left_out_and_reported():
    wire, notes = sent(
        CLAUDE,
        [
            Message("user", (Text(""), Text("a")), name="ann"),
            Message("assistant", (Thinking("t", "anthropic", None, {"signature": "s"}),)),
            Message("assistant", (Text(""), RawPart("databricks", {"type": "x"}))),
            Message("user", "b"),
        ],
    )
    assert wire.body["messages"] == [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "x"}]},
        {"role": "user", "content": "b"},
    ]
    assert {"messages[0]", "messages[0].name", "messages[1]", "messages[2]"} <= notes.keys()


def test_an_empty_user_turn_is_sent_unchanged():
    assert roles(sent(LLAMA, [Message("user", "")])[0]) == [("user", "")]


def test_claude_accepts_images_only_as_data():
    far = [Message("user", (Text("Look"), Image(url="https://pictures.example/a.png")))]
    with pytest.raises(UnsupportedError, match="not as URLs"):
        sent(CLAUDE, far)
    wire, notes = sent(CLAUDE, far, unsupported="drop")
    assert (roles(wire), notes["messages[0]"].fate) == ([("user", "Look")], "dropped")
    near = [Message("user", (Image(data=b"x", media_type="image/png"),))]
    assert sent(CLAUDE, near)[0].body["messages"][0]["content"][0]["image_url"]["url"].startswith("data:")
    assert "https" in str(sent(GPT, far)[0].body)


def test_only_claude_supports_marks_of_cacheable_prefixes():
    messages = [Message("user", (Text("long", cache="1h"),))]
    wire, notes = sent(CLAUDE, messages, tools=(ADD,))
    assert wire.body["messages"][0]["content"] == [
        {"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}
    ]
    assert wire.body["tools"][0]["cache_control"] == {"type": "ephemeral"}
    assert notes["messages[0].cache"].fate == "clamped"
    wire, notes = sent(LLAMA, messages, tools=(ADD,))
    assert "cache_control" not in str(wire.body)
    assert notes["messages[0].cache"].fate == notes["tools[0].cache"].fate == "dropped"


def test_an_endpoint_is_claudes_by_its_name_or_its_underlying_model():
    marked = [Message("user", (Text("long", cache="5m"),))]
    assert "cache_control" in str(sent("my-claude", marked)[0].body)
    assert "stream_options" not in sent("x", marked, underlying=f"databricks:{CLAUDE}")[0].body


def test_claude_reasons_by_budget():
    wire, _ = sent(CLAUDE, TURN[:1], reasoning=Reasoning(budget_tokens=1024), max_tokens=2000)
    assert wire.body["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    with pytest.raises(UnsupportedError, match="a budget"):
        sent(CLAUDE, TURN[:1], reasoning=Reasoning(effort="low"))
    with pytest.raises(UnsupportedError, match="below max_tokens"):
        sent(CLAUDE, TURN[:1], reasoning=Reasoning(budget_tokens=2000), max_tokens=2000)
    wire, notes = sent(CLAUDE, TURN[:1], reasoning=Reasoning(effort="none", budget_tokens=9, summary=True))
    assert "thinking" not in wire.body
    assert {"reasoning.effort", "reasoning.budget_tokens", "reasoning.summary"} <= notes.keys()
    wire, _ = sent(CLAUDE, TURN[:1], extra={"databricks": {"thinking": {"type": "adaptive"}}})
    assert wire.body["thinking"] == {"type": "adaptive"}


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (CLAUDE, {"seed": 0}),
        (CLAUDE, {"logprobs": True}),
        (LLAMA, {"user": ""}),
        (LLAMA, {"n": 6}),
        (LLAMA, {"temperature": 2.5}),
        (LLAMA, {"tools": tuple(Tool(f"t{n}") for n in range(33))}),
        (LLAMA, {"reasoning": Reasoning(effort="low")}),
        (GPT, {"reasoning": Reasoning(budget_tokens=1)}),
        ("databricks-gpt-oss-20b", {"reasoning": Reasoning(effort="max")}),
    ],
)
def test_options_that_a_model_does_not_support_are_refused(model, options):
    with pytest.raises(UnsupportedError):
        sent(model, TURN[:1], **options)


def test_an_unknown_endpoint_is_sent_everything():
    options = {"seed": 0, "user": "", "logit_bias": {1: 2}, "temperature": 9, "presence_penalty": 0, "n": 50}
    wire, _ = sent("mine", TURN[:1], **options)
    assert options.keys() <= wire.body.keys()


def test_truncation_of_inputs_is_unknown():
    ref = ModelRef("databricks-bge-large-en")
    known = databricks.jackfield_capabilities(ref)
    with pytest.raises(UnsupportedError, match="not documented"):
        databricks.jackfield_translate(ref, EmbedRequest(inputs=("a",), truncate="error"), known)


def test_an_instruction_model_accepts_one_turn():
    wire, notes = sent("databricks-mpt-7b-instruct", [Message("user", "Why?")], system="Be brief.")
    assert (wire.path, wire.body["prompt"]) == ("/serving-endpoints/completions", "Be brief.\n\nWhy?")
    assert notes["chat"].fate == "emulated"
    with pytest.raises(UnsupportedError, match="one instruction"):
        sent("databricks-mpt-7b-instruct", TURN[:1] * 2)


def test_thinking_is_sent_back_unchanged():
    parts = (
        Thinking("Hm.", "databricks", None, {"part": "reasoning", "signature": "s"}),
        Thinking(
            "", "databricks", None, {"part": "reasoning", "piece": "summary_encrypted_text", "data": "e"}
        ),
        Text("Yes."),
    )
    wire, _ = sent(CLAUDE, [Message("user", "a"), Message("assistant", parts)])
    assert wire.body["messages"][1]["content"] == [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm.", "signature": "s"}]},
        {"type": "reasoning", "summary": [{"type": "summary_encrypted_text", "data": "e"}]},
        {"type": "text", "text": "Yes."},
    ]


@pytest.mark.parametrize("model", [CLAUDE, "system.ai.claude-opus-4-1", "databricks-claude-haiku-4-5"])
def test_claude_accepts_one_of_temperature_and_top_p(model):
    with pytest.raises(UnsupportedError, match="together with temperature"):
        sent(model, TURN[:1], temperature=0.5, top_p=0.9)
    assert sent(LLAMA, TURN[:1], temperature=0.5, top_p=0.9)[0].body["top_p"] == 0.9


def test_claude_accepts_no_budget_below_1024():
    with pytest.raises(UnsupportedError, match="at least 1024"):
        sent(CLAUDE, TURN[:1], reasoning=Reasoning(budget_tokens=100), max_tokens=4000)
