"""A conversation as turns, for services that read text, tool calls and their results."""

import pytest

from jackfield import Image, Message, RawPart, Text, Thinking, Tool, ToolCall, ToolResult, UnsupportedError
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    EmbedRequest,
    ModelRef,
    Options,
    ParameterRule,
    ParameterWriter,
    Turn,
)

PNG = Image(b"png", media_type="image/png")


def writer(policy="error", **options):
    request = ChatRequest((), Options(unsupported=policy, **options))
    return ParameterWriter.of(request, ModelRef("m"), Capabilities(), {})


def turns(*messages, policy="error"):
    notes = writer(policy)
    return list(notes.turns(messages)), [(note.name, note.fate) for note in notes.finish()]


def test_turns_have_text_calls_and_results():
    call = ToolCall("c1", "add", {"a": 1})
    found, notes = turns(
        Message("system", "S"),
        Message("user", (Text("a"), Text("b"))),
        Message("assistant", (Text("Well."), call)),
        Message("tool", (ToolResult("c1", "3"), ToolResult("c2", (Text("4"),), name="own"))),
        Message("assistant", ()),
    )
    assert found == [
        Turn("system", "S"),
        Turn("user", "ab"),
        Turn("assistant", "Well.", (call,)),
        Turn("tool", "3", (), "c1", "add"),
        Turn("tool", "4", (), "c2", "own"),
        Turn("assistant", ""),
    ]
    assert notes == []


def test_results_beside_a_users_words_come_first():
    found, _ = turns(Message("user", (Text("And?"), ToolResult("c1", "3"))))
    assert [(turn.role, turn.text) for turn in found] == [("tool", "3"), ("user", "And?")]


def test_what_has_no_place_is_dropped_and_reported():
    found, notes = turns(
        Message("user", (Text("a", cache="5m"),), name="ann"),
        Message("assistant", (Thinking("Hm."), RawPart("openai", {}), Text("b"))),
        Message("tool", (ToolResult("c1", "no such file", is_error=True),)),
    )
    assert [turn.text for turn in found] == ["a", "b", "no such file"]
    assert notes == [
        ("messages[0].name", "dropped"),
        ("messages[0].cache", "dropped"),
        ("messages[1]", "dropped"),
        ("messages[1]", "dropped"),
        ("messages[2].is_error", "dropped"),
    ]


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (PNG, "does not accept an Image"),
        (ToolCall("c1", "add", {}, arguments_raw="{a: 1"), "must be a JSON object"),
        (ToolResult("c1", (Text("see"), PNG)), "must not contain an Image"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_be_lost_is_refused_or_reported(part, why):
    with pytest.raises(UnsupportedError, match=why):
        turns(Message("user", (part,)))
    _, ((_, fate),) = turns(Message("user", (part,)), policy="drop")
    assert fate == "dropped"


def test_tools_are_converted_and_what_they_may_not_ask_for_is_refused():
    tools = (Tool("add", "Adds.", cache="5m"), Tool("now"))
    notes = writer(tools=tools)
    assert notes.put_tools(lambda tool: {"name": tool.name}, "config.tools") == [
        {"name": "add"},
        {"name": "now"},
    ]
    assert notes.body == {"config": {"tools": [{"name": "add"}, {"name": "now"}]}}
    assert [(note.name, note.fate) for note in notes.finish()] == [
        ("tools[0].cache", "dropped"),
        ("tools", "renamed"),
    ]
    with pytest.raises(UnsupportedError, match=r"tools\[0\].strict: .*'add'"):
        writer(tools=(Tool("add", strict=True),)).put_tools(lambda tool: tool.name)
    assert writer().put_tools(lambda tool: tool.name) is UNSET


def test_a_writer_is_made_of_a_request_of_any_kind():
    rules = Capabilities(parameters={"dimensions": ParameterRule(wire="size")})
    body = {}
    made = ParameterWriter.of(EmbedRequest(inputs=("a",), dimensions=3, user="u"), ModelRef("m"), rules, body)
    made.put("dimensions")
    assert body == {"size": 3}
    with pytest.raises(UnsupportedError, match="m cannot honour user"):
        made.finish()
