"""Translate tools, the choice among them and structured output."""

import pytest
from bedrock_requests import ADD, CLAUDE, NOVA, SCHEMA, chat, fate

from jackfield import Message, Reasoning, ToolCall, ToolResult, UnsupportedError


def test_tools_that_a_history_calls_are_made_up_if_they_are_not_given():
    messages = (
        Message("user", "1 + 2?"),
        Message("assistant", (ToolCall("c", "add", {"a": 1}),)),
        Message("tool", (ToolResult("c", "3"),)),
    )
    translation = chat(CLAUDE, messages)
    assert [tool["toolSpec"]["name"] for tool in translation.wire.body["toolConfig"]["tools"]] == ["add"]
    assert fate(translation, "tools") == ("defaulted", ["add"])
    with pytest.raises(UnsupportedError, match="cannot forbid"):
        chat(CLAUDE, messages, tools=(ADD,), tool_choice="none")
    assert "toolConfig" not in chat(CLAUDE, tools=(ADD,), tool_choice="none").wire.body


def test_tools_that_are_not_streamed():
    for model in ("mistral.mistral-large-2402-v1:0", "meta.llama3-1-8b-instruct-v1:0"):
        assert chat(model, tools=(ADD,)).wire.body["toolConfig"]
        with pytest.raises(UnsupportedError, match="does not stream tool calls"):
            chat(model, stream=True, tools=(ADD,))


def test_a_choice_without_tools_and_one_that_cannot_be():
    assert fate(chat(CLAUDE, tool_choice="auto"), "tool_choice")[0] == "dropped"
    with pytest.raises(UnsupportedError, match="no tool to choose"):
        chat(CLAUDE, tool_choice="required")
    with pytest.raises(UnsupportedError, match="thinks with a budget"):
        chat(
            CLAUDE, tools=(ADD,), tool_choice="add", reasoning=Reasoning(budget_tokens=1024), max_tokens=4096
        )


def test_json_through_a_forced_tool():
    beside = chat(NOVA, tools=(ADD,), response_format=SCHEMA).wire.body["toolConfig"]
    assert beside["toolChoice"] == {"any": {}}
    assert [tool["toolSpec"]["name"] for tool in beside["tools"]] == ["add", "answer_in_json"]
    alone = chat(NOVA, response_format=SCHEMA).wire.body["toolConfig"]
    assert alone["toolChoice"] == {"tool": {"name": "answer_in_json"}}
    for options, why in (
        ({"emulate": False}, "emulate=False"),
        ({"tools": (ADD,), "tool_choice": "add"}, "stands in the way"),
        ({"response_format": {"type": "array"}}, "type object"),
    ):
        with pytest.raises(UnsupportedError, match=why):
            chat(NOVA, **{"response_format": SCHEMA, **options})
    thinking = {"reasoning": Reasoning(budget_tokens=1024), "max_tokens": 4096}
    with pytest.raises(UnsupportedError, match="while the model thinks"):
        chat(CLAUDE, response_format="json", **thinking)
