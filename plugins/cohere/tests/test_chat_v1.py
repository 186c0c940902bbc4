"""Translate chats for v1."""

import pytest
from cohere_requests import ADD, chat, fates

from jackfield import Image, Message, Text, Tool, ToolCall, ToolResult, UnsupportedError


def test_tools_of_v1_say_what_they_lose():
    sent = chat(model="command-r", route="v1", tools=(ADD,))

    assert sent.wire.body["tools"] == [
        {
            "name": "add",
            "description": "Add.",
            "parameter_definitions": {"a": {"type": "int", "required": True}},
        }
    ]
    assert fates(sent)["tools[0].parameters.a"] == "dropped"
    with pytest.raises(UnsupportedError):
        chat(model="command-r", route="v1", tools=(Tool("a", strict=True),))


def test_a_history_of_v1():
    messages = (
        Message("system", "Be brief."),
        Message("user", "Add."),
        Message("assistant", (Text("I add."), ToolCall("x", "add", {"a": 1}))),
        Message("tool", (ToolResult("x", "2"), ToolResult("unknown", (Text("3"),), name="other"))),
    )
    sent = chat(messages, model="command-r", route="v1", system="Sail.")

    call = {"name": "add", "parameters": {"a": 1}}
    assert sent.wire.body == {
        "model": "command-r",
        "message": "",
        "preamble": "Sail.",
        "chat_history": [
            {"role": "SYSTEM", "message": "Be brief."},
            {"role": "USER", "message": "Add."},
            {"role": "CHATBOT", "message": "I add.", "tool_calls": [call]},
        ],
        "tool_results": [
            {"call": call, "outputs": [{"output": "2"}]},
            {"call": {"name": "other", "parameters": {}}, "outputs": [{"output": "3"}]},
        ],
    }
    assert fates(sent)["message"] == "defaulted"


def test_a_picture_is_nothing_for_v1():
    shown = (Message("user", (Image(data=b"png"), Text("Why?"))),)
    with pytest.raises(UnsupportedError):
        chat(shown, model="someone-s-own", route="v1")
