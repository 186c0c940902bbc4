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


@pytest.mark.parametrize(
    ("messages", "what"),
    [
        ({"role": "user", "content": "x"}, "a dict"),
        ({}, "a dict"),
        (Message("user", "x"), "a Message"),
        (b"x", "a bytes"),
        (None, "a NoneType"),
    ],
)
def test_what_is_not_a_list_of_messages_is_named(messages, what):
    with pytest.raises(ConfigurationError, match=f"want a string or a list of messages, got {what}$"):
        chat_request(messages, {}, "error", stream=False)


def test_an_option_that_other_libraries_have_says_where_it_is_here():
    with pytest.raises(ConfigurationError, match="no option 'stream'; .*stream_chat"):
        chat_request("x", {"stream": True}, "error", stream=False)
    with pytest.raises(ConfigurationError, match="no option 'model'; .*connection:model"):
        chat_request("x", {"model": "gpt-6-luna"}, "error", stream=False)


def user(part):
    return {"role": "user", "content": ["first", part]}


PART = r"^messages are not understood: messages\[0\]\.content\[1\]"
CALL = r"^messages are not understood: messages\[0\]\.tool_calls\[0\]"


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({}, "has no 'type'"),
        ({"type": 7}, "has the type 7; want text, "),
        ({"type": "txt", "text": "x"}, "has the type 'txt'; want text, .*; did you mean 'text'"),
        ({"type": "text"}, "has no 'text'"),
        ({"type": "text", "text": None}, "has no 'text'"),
        ({"type": "text", "text": 5}, r"\.text is an int; want a string"),
        ({"type": "text", "txt": "x", "text": "y"}, "has the unknown key 'txt'; did you mean 'text'"),
        ({"type": "text", "text": "x", "cache_control": {}}, "has the unknown key 'cache_control'; known: "),
        ({"type": "refusal", "refusal": ["no"]}, r"\.refusal is a list; want a string"),
        ({"type": "image_url"}, "has no 'image_url'"),
        ({"type": "image_url", "image_url": 7}, r"\.image_url is an int; want a dict"),
        ({"type": "image_url", "image_url": {"detail": "low"}}, r"\.image_url has no 'url'"),
        ({"type": "image_url", "image_url": {"url": 7}}, r"\.image_url\.url is an int; want a string"),
        ({"type": "image_url", "image_url": {"url": "https://x", "details": "low"}}, "did you mean 'detail'"),
        (
            {"type": "image_url", "image_url": {"url": "https://x", "detail": 3}},
            r"\.image_url\.detail is an int",
        ),
        ({"type": "image_url", "image_url": {"url": "data:image/png,x"}}, "data: address that is not base64"),
        ({"type": "input_audio", "input_audio": {"data": "AAEC"}}, r"\.input_audio has no 'format'"),
        ({"type": "input_audio", "input_audio": {"format": "wav"}}, r"\.input_audio has no 'data'"),
        ({"type": "input_audio", "input_audio": {"data": b"a", "format": "wav"}}, r"\.data is a bytes"),
        ({"type": "input_audio", "input_audio": {"data": "ü", "format": "wav"}}, "data that is not base64"),
        ({"type": "file", "file": "a.pdf"}, r"\.file is a str; want a dict"),
        ({"type": "file", "file": {"filename": "a.pdf"}}, r"\.file has no 'file_data'"),
        ({"type": "file", "file": {"file_id": "f"}}, r"\.file has the unknown key 'file_id'"),
        ({"type": "file", "file": {"file_data": "AAEC"}}, r"\.file_data is not a data: address"),
    ],
)
def test_what_is_wrong_with_a_part_is_named_with_its_place(part, said):
    with pytest.raises(ConfigurationError, match=f"{PART}.*{said}"):
        chat_request([user(part)], {}, "error", stream=False)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"role": ["user"], "content": "x"}, r"messages\[0\] has the role \['user'\]; want one of"),
        ({"role": "assistant", "refusal": 5}, r"messages\[0\]\.refusal is an int; want a string"),
        ({"role": "user", "content": "x", "name": 5}, r"messages\[0\]\.name is an int; want a string"),
        ({"role": "tool", "content": "x", "tool_call_id": 5}, r"tool_call_id is an int; want a string"),
        (
            {"role": "assistant", "tool_calls": {"id": "t"}},
            r"messages\[0\]\.tool_calls is a dict; want a list",
        ),
        ({"role": "assistant", "tool_calls": 7}, r"messages\[0\]\.tool_calls is an int; want a list"),
    ],
)
def test_what_is_wrong_with_a_message_is_named_with_its_place(entry, said):
    with pytest.raises(ConfigurationError, match=f"^messages are not understood: .*{said}"):
        chat_request([entry], {}, "error", stream=False)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            {"id": "t", "function": {"name": "f", "arguments": ["a"]}},
            r"\.function\.arguments is a list; want",
        ),
        ({"id": "t", "function": {"name": 5}}, r"\.function\.name is an int; want a string"),
        ({"id": 5, "function": {"name": "f"}}, r"\.id is an int; want a string"),
        (
            {"id": "t", "function": {"name": "f", "args": "{}"}},
            "function has the unknown key 'args'; did you mean 'arguments'",
        ),
        (
            {"id": "t", "fun": 1, "function": {"name": "f"}},
            "has the unknown key 'fun'; did you mean 'function'",
        ),
        ({"id": "t", "type": "custom", "function": {"name": "f"}}, "has the type 'custom'; want function"),
        ({"id": "t", "index": 0, "function": {"name": "f"}}, None),
    ],
)
def test_what_is_wrong_with_a_tool_call_is_named_with_its_place(call, said):
    entry = {"role": "assistant", "tool_calls": [call]}
    if said is None:
        assert one(entry).parts == (ToolCall("t", "f", {}),)
        return
    with pytest.raises(ConfigurationError, match=f"{CALL}.*{said}"):
        chat_request([entry], {}, "error", stream=False)


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ({"type": "function", "function": 5}, r"tools\[0\]\.function is an int; want a dict"),
        ({"type": "function", "function": {}}, r"tools\[0\]\.function has no 'name'"),
        ({"type": "web_search"}, r"tools\[0\] has the type 'web_search'; want function"),
        ({"name": "f", "input_schema": {}}, r"tools\[0\] has the unknown key 'input_schema'; known: "),
        (
            {"name": "f", "paramaters": {}},
            r"tools\[0\] has the unknown key 'paramaters'; did you mean 'parameters'",
        ),
        ({"name": 5}, r"tools\[0\]\.name is an int; want a string"),
        ("f", r"tools\[0\] is a str; want a Tool or a dict"),
    ],
)
def test_what_is_wrong_with_a_tool_is_named_with_its_place(tool, said):
    with pytest.raises(ConfigurationError, match=f"^tools (is|are) not understood: {said}"):
        chat_request("Hi", {"tools": [tool]}, "error", stream=False)
