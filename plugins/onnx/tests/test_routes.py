"""Requests as data, and what is reported of them."""

import pytest

import jackfield_onnx
from jackfield import Document, Message, RawPart, Text, Thinking, ToolCall, UnsupportedError
from jackfield.plugin import ChatRequest, ModelRef, Options, SummarizeRequest

MODEL = ModelRef("smollm2-135m", "local", "chat", settings=jackfield_onnx.OnnxSettings())


def translated(*messages, **options):
    request = ChatRequest(messages, Options(**options))
    known = jackfield_onnx.jackfield_capabilities(MODEL)
    made = jackfield_onnx.jackfield_translate(MODEL, request, known)
    return made.wire.body, [(note.name, note.fate) for note in made.report]


def test_what_is_foreign_to_the_model_is_left_out_and_reported():
    message = Message(
        "user", (Thinking("hm", "anthropic"), RawPart("openai", {}), Text("hi", cache="5m"), Document(text=" doc"))
    )  # fmt: skip
    body, notes = translated(message)

    assert body["messages"] == [{"role": "user", "content": "hi doc"}]
    assert notes == [
        ("messages[0]", "dropped"),
        ("messages[0]", "dropped"),
        ("messages[0].cache", "dropped"),
        ("messages[0]", "emulated"),
    ]


def test_a_tool_call_of_an_earlier_turn_is_refused_or_dropped():
    turn = Message("assistant", (ToolCall("1", "f", {}),))
    with pytest.raises(UnsupportedError, match="ToolCall"):
        translated(turn)

    body, notes = translated(Message("user", "hi"), turn, unsupported="drop")

    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert notes == [("messages[1]", "dropped")]


def test_an_empty_system_prompt_is_given():
    body, notes = translated(Message("user", "hi"), system="")

    assert body["messages"][0] == {"role": "system", "content": ""}
    assert notes == [("system", "renamed")]


def test_effort_none_is_what_the_model_does_anyway():
    from jackfield import Reasoning

    body, notes = translated(Message("user", "hi"), reasoning=Reasoning(effort="none"))

    assert "reasoning" not in body
    assert notes == [("reasoning", "dropped")]


def test_no_tools_is_no_wish():
    body, notes = translated(Message("user", "hi"), tools=())

    assert "tools" not in body
    assert notes == [("tools", "dropped")]


def test_a_model_in_a_folder_says_where_it_is():
    known = jackfield_onnx.jackfield_capabilities(MODEL)
    model = ModelRef("mine", declared={"id": "mine", "folder": "/models/mine"})
    wire = jackfield_onnx.jackfield_translate(model, ChatRequest((Message("user", "hi"),)), known).wire

    assert (wire.path, wire.body["model"], wire.body["folder"]) == ("chat", "mine", "/models/mine")


def test_a_model_of_unknown_kind_is_told_to_declare_it():
    model = ModelRef("mine")
    known = jackfield_onnx.jackfield_capabilities(model)

    assert (known.known, known.kinds) == (False, frozenset())
    with pytest.raises(UnsupportedError, match="declare its kind"):
        jackfield_onnx.jackfield_translate(model, SummarizeRequest("long"), known)


@pytest.mark.parametrize("name", ["smollm2-135m", "SmolLM2-135M-Instruct"])
def test_the_authors_name_of_a_model_is_known_too(name):
    known = jackfield_onnx.jackfield_capabilities(ModelRef(name))

    assert known.known
    assert known.limits.context_window == 8192
