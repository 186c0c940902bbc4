"""Messages as plain dicts, the way the OpenAI chat API shows them."""

import copy

import pytest

from jackfield import (
    Audio,
    ConfigurationError,
    Document,
    Image,
    Message,
    Text,
    ToolCall,
    ToolResult,
)
from jackfield._input.arguments import chat_request
from jackfield._input.messages import normalise_messages


def one(entry):
    [message] = normalise_messages([entry])
    return message


def test_a_string_is_one_user_turn():
    assert normalise_messages("hi") == (Message("user", "hi"),)


@pytest.mark.parametrize(
    ("role", "wanted"),
    [("user", "user"), ("system", "system"), ("developer", "system"), ("assistant", "assistant")],
)
def test_roles(role, wanted):
    assert one({"role": role, "content": "x", "name": "n"}) == Message(wanted, "x", name="n")


def test_parts():
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
        {"type": "image_url", "image_url": "data:image/png;base64,AAEC"},
        {"type": "input_audio", "input_audio": {"data": "AAEC", "format": "wav"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAEC", "filename": "a.pdf"}},
        "bare",
        Text("object"),
    ]
    assert one({"role": "user", "content": content}).parts == (
        Text("look"),
        Image(url="https://x/y.png", detail="low"),
        Image(data=b"\0\1\2", media_type="image/png"),
        Audio(data=b"\0\1\2", media_type="audio/wav"),
        Document(data=b"\0\1\2", media_type="application/pdf", name="a.pdf"),
        Text("bare"),
        Text("object"),
    )


def test_an_assistants_tool_calls():
    def call(arguments):
        entry = {"id": "t", "type": "function", "function": {"name": "add", "arguments": arguments}}
        return one({"role": "assistant", "content": None, "tool_calls": [entry]}).parts

    assert call('{"a": 1}') == (ToolCall("t", "add", {"a": 1}),)
    assert call({"a": 1}) == (ToolCall("t", "add", {"a": 1}),)
    assert call("") == (ToolCall("t", "add", {}),)
    assert call("{oops") == (ToolCall("t", "add", {}, "{oops"),)


def test_a_tools_result():
    assert one({"role": "tool", "tool_call_id": "t", "content": "3", "name": "add"}) == Message(
        "tool", (ToolResult("t", "3", name="add"),)
    )
    [result] = one({"role": "tool", "tool_call_id": "t", "content": [{"type": "text", "text": "3"}]}).parts
    assert result.text == "3"


def test_a_refusal():
    assert one({"role": "assistant", "content": None, "refusal": "no"}).parts == (Text("no", refusal=True),)


def test_results_that_follow_each_other_are_one_turn():
    messages = normalise_messages(
        [ToolResult("a", "1"), ToolResult("b", "2"), Message("user", "x"), ToolResult("c", "3")]
    )
    assert [len(message.parts) for message in messages] == [2, 1, 1]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"role": "usr", "content": "x"}, "role 'usr'"),
        ({"content": "x"}, "role None"),
        ({"role": "user", "contents": "x"}, "did you mean 'content'"),
        ({"role": "user", "content": 3}, "content is an int"),
        ({"role": "user", "content": [3]}, r"content\[0\] is an int"),
        ({"role": "user", "content": [{"type": "picture"}]}, "type 'picture'"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": "data:image/png,xx"}]}, "base64"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "data:image/png;base64,!"}]},
            "base64",
        ),
        ({"role": "user", "content": [{"type": "text"}]}, "text"),
        ({"role": "tool", "content": "x"}, "tool_call_id"),
        ({"role": "assistant", "tool_calls": [{"id": "t"}]}, "function"),
        (3, "is an int"),
    ],
)
def test_what_is_wrong_is_named(entry, words):
    with pytest.raises(ConfigurationError, match=words):
        chat_request([entry], {}, "error", stream=False)


def test_a_dict_is_not_changed():
    entry = {
        "role": "assistant",
        "content": [{"type": "text", "text": "x"}],
        "tool_calls": [{"id": "t", "function": {"name": "f", "arguments": {"a": [1]}}}],
    }
    before = copy.deepcopy(entry)
    one(entry)
    assert entry == before


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Message("user", [b"abc"]), r"messages\[1\]\.parts\[0\] is a bytes; want a string or a part"),
        (Message("user", b"abc"), r"messages\[1\]\.parts\[0\] is an int"),
        (Message("user", ["x", 7]), r"messages\[1\]\.parts\[1\] is an int"),
        (Message("user", [None]), r"messages\[1\]\.parts\[0\] is a NoneType"),
        (Message("usr", "x"), r"messages\[1\] has the role 'usr'; want one of .*did you mean 'user'"),
        (Message("tool", [ToolResult("1", [7])]), r"messages\[1\]: content\[0\] is an int"),
        (ToolResult("1", b"abc"), r"messages\[1\]: the content of a ToolResult is a bytes"),
        (ToolResult("1", None), r"messages\[1\]: the content of a ToolResult is a NoneType"),
    ],
)
def test_an_object_is_checked_like_a_dict(message, said):
    with pytest.raises(ConfigurationError, match=said):
        chat_request([Message("user", "hi"), message], {}, "error", stream=False)


def test_parts_of_a_subclass_are_parts():
    class Marked(Text):
        pass

    message = Message("user", [Marked("x"), Text("y")])
    assert normalise_messages([message]) == (message,)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"role": "user"}, r"messages\[0\] has no 'content'"),
        ({"role": "tool", "content": "4"}, r"messages\[0\] has no 'tool_call_id'"),
        ({"role": "assistant", "tool_calls": [{"id": "1"}]}, r"tool_calls\[0\] has no 'function'"),
        ({"role": "assistant", "tool_calls": [{"id": "1", "function": {}}]}, r"function has no 'name'"),
        ({"role": "assistant", "tool_calls": ["add"]}, r"tool_calls\[0\] is a str; want a dict"),
    ],
)
def test_what_is_missing_is_named_with_its_place(entry, said):
    with pytest.raises(ConfigurationError, match=said):
        chat_request([entry], {}, "error", stream=False)
