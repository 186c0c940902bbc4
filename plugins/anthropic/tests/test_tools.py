"""Translate tools, the choice among them and structured output."""

import pytest
from anthropic_requests import ADD, SCHEMA, body, fates, made

from jackfield import Reasoning, UnsupportedError


def test_no_tool_is_forced_on_a_model_that_refuses_it_or_thinks_by_a_budget():
    with pytest.raises(UnsupportedError, match="tool_choice"):
        made("claude-opus-5-5", tools=(ADD,), tool_choice="required")
    with pytest.raises(UnsupportedError, match="tool_choice"):
        made(tools=(ADD,), tool_choice="add", reasoning=Reasoning(budget_tokens=1024))
    assert body("claude-opus-5", tools=(ADD,), tool_choice="add")["tool_choice"] == {
        "type": "tool",
        "name": "add",
    }


def test_a_schema_goes_through_a_forced_tool_where_there_is_nothing_better():
    translation = made("claude-3-haiku-20240307", response_format=SCHEMA)
    sent = translation.wire.body
    (tool,) = sent["tools"]
    assert tool["input_schema"] == SCHEMA
    assert sent["tool_choice"] == {"type": "tool", "name": tool["name"]}
    assert translation.wire.meta["json_tool"] == tool["name"]
    assert fates(translation)["response_format"] == "emulated"
    with pytest.raises(UnsupportedError, match="emulate=False"):
        made("claude-3-haiku-20240307", response_format=SCHEMA, emulate=False)


def test_beside_other_tools_any_of_them_is_forced():
    sent = body("claude-3-haiku-20240307", response_format=SCHEMA, tools=(ADD,), parallel_tool_calls=False)
    assert [tool["name"] for tool in sent["tools"]] == ["add", "answer_in_json"]
    assert sent["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    with pytest.raises(UnsupportedError, match="stands in the way"):
        made("claude-3-haiku-20240307", response_format=SCHEMA, tools=(ADD,), tool_choice="add")


def test_plain_json_is_a_forced_tool_and_impossible_where_none_can_be_forced():
    assert body(response_format="json")["tools"][0]["input_schema"] == {"type": "object"}
    with pytest.raises(UnsupportedError, match="json"):
        made("claude-fable-5-2", response_format="json")
    with pytest.raises(UnsupportedError, match="type object"):
        made("claude-3-haiku-20240307", response_format={"type": "array"})
    with pytest.raises(UnsupportedError, match="thinks with a budget"):
        made(response_format="json", reasoning=Reasoning(budget_tokens=1024))
