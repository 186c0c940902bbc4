"""Build the messages of Converse."""

import pytest
from bedrock_requests import ADD, CLAUDE, HI, NOVA, chat, fate

from jackfield import (
    Audio,
    Document,
    Image,
    Message,
    RawPart,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    UnsupportedError,
)


def test_turns_are_joined_and_system_messages_move_to_the_top():
    messages = (
        Message("system", "One."),
        Message("user", "a"),
        Message("user", "b", name="Bob"),
        Message("system", "Two."),
        Message("assistant", ""),
        Message("assistant", "c"),
    )
    translation = chat(CLAUDE, messages, system="Zero.")
    body = translation.wire.body
    assert [block["text"] for block in body["system"]] == ["Zero.", "One.", "Two."]
    assert body["messages"] == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}]},
    ]
    assert [fate(translation, f"messages[{i}]")[0] for i in (2, 3, 4)] == ["emulated", "emulated", "dropped"]
    with pytest.raises(UnsupportedError, match="system messages only at the beginning"):
        chat(CLAUDE, messages, emulate=False)
    with pytest.raises(UnsupportedError, match="system"):
        chat("mistral.mistral-7b-instruct-v0:2", messages)


def test_what_others_left_is_dropped_and_reported():
    parts = (
        Thinking("foreign", "openai", "gpt-5", {"encrypted_content": "x"}),
        Thinking("novas", "bedrock", NOVA, {"signature": "s"}),
        Thinking("by InvokeModel", "bedrock", CLAUDE, {"data": "x"}),
        RawPart("openai", {"a": 1}),
        RawPart("bedrock", {"type": "tool_use"}),
        RawPart("bedrock", {"guardContent": {"text": {"text": "g"}}}),
        Text("said", provider_data={"openai": {"id": 1}}),
        ToolCall("an id with spaces", "add", {}, "no json", {"vertex": {"s": 1}}),
    )
    messages = (*HI, Message("assistant", parts), ToolResult("an id with spaces", ""))
    messages = tuple(m if isinstance(m, Message) else Message("tool", (m,)) for m in messages)
    translation = chat(CLAUDE, messages, tools=(ADD,))
    content = translation.wire.body["messages"][1]["content"]
    assert content == [
        {"guardContent": {"text": {"text": "g"}}},
        {"text": "said"},
        {"toolUse": {"toolUseId": "jackfield_0", "name": "add", "input": {"INVALID_JSON": "no json"}}},
    ]
    result = translation.wire.body["messages"][2]["content"][0]["toolResult"]
    assert result == {"toolUseId": "jackfield_0", "content": []}
    assert sum(note.fate == "dropped" for note in translation.report) == 7


def test_files_that_cannot_be_sent():
    for part in (
        Image(url="https://example.com/a.png"),
        Document(url="https://example.com/a.pdf"),
        Audio(url="https://example.com/a.mp3"),
    ):
        messages = (Message("user", (Text("?"), part)),)
        with pytest.raises(UnsupportedError, match="fetches nothing"):
            chat("acme.model-v1", messages)
        assert (
            len(chat("acme.model-v1", messages, unsupported="drop").wire.body["messages"][0]["content"]) == 1
        )


def test_names_and_formats_of_files():
    parts = (
        Text("Compare."),
        Document(data=b"x", media_type="text/csv", name="Q3_report?.csv"),
        Document(data=b"x", name="!!!"),
        Image(data=b"x", detail="high"),
        Image(url="s3://b/a.webp"),
    )
    translation = chat("acme.model-v1", (Message("user", parts),))
    first, second, third, fourth = translation.wire.body["messages"][0]["content"][1:]
    assert (first["document"]["name"], first["document"]["format"]) == ("Q3 report csv", "csv")
    assert (second["document"]["name"], second["document"]["format"]) == ("Document 2", "pdf")
    assert (third["image"]["format"], fourth["image"]["format"]) == ("png", "webp")


def test_cache_points_have_two_lifetimes():
    parts = (Text("a", cache="5m"), Text("b", cache="20m"), Text("c", cache="1h"))
    translation = chat(CLAUDE, (Message("user", parts),))
    points = [b["cachePoint"] for b in translation.wire.body["messages"][0]["content"] if "cachePoint" in b]
    assert points == [{"type": "default"}, {"type": "default", "ttl": "1h"}, {"type": "default", "ttl": "1h"}]
    assert fate(translation, "messages[0].cache") == ("clamped", "1h")


@pytest.mark.parametrize(
    ("content", "left"),
    [
        ("", []),
        (" \n", []),
        ((Text(""), Text("\t")), []),
        ((Text(" "), Text("x")), [{"text": "x"}]),
        (" x ", [{"text": " x "}]),
    ],
)
def test_blank_text_in_a_tool_result_is_left_out(content, left):
    turns = (
        *HI,
        Message("assistant", (ToolCall("t", "add", {}),)),
        Message("tool", (ToolResult("t", content),)),
    )
    (block,) = chat(CLAUDE, turns).wire.body["messages"][-1]["content"]
    assert block["toolResult"]["content"] == left


@pytest.mark.parametrize("model", [CLAUDE, NOVA, "meta.llama3-3-70b-instruct-v1:0"])
@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_blank_text_is_left_out_wherever_it_is_and_its_cache_mark_with_it(model, text):
    turns = (
        Message("system", text),
        *HI,
        Message("assistant", text),
        Message("user", (Text(text, cache="5m"),)),
        Message("user", (Text(text, cache="5m"), Text("b"))),
    )
    translation = chat(model, turns, system=text)
    assert translation.wire.body == {
        "messages": [{"role": "user", "content": [{"text": "Hi"}, {"text": "b"}]}]
    }
    assert fate(translation, "system") == ("dropped", text)
    assert [fate(translation, f"messages[{i}]")[0] for i in (0, 2, 3)] == ["dropped"] * 3


HOUR = (Message("user", (Text("A long text.", cache="1h"),)),)
TOOL = Tool("add", "Add.", {"type": "object"}, cache="1h")


@pytest.mark.parametrize(
    ("model", "in_messages", "among_tools"),
    [
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", {"type": "default"}, {"type": "default"}),
        ("anthropic.claude-sonnet-4-20250514-v1:0", {"type": "default"}, {"type": "default"}),
        (CLAUDE, {"type": "default", "ttl": "1h"}, {"type": "default", "ttl": "1h"}),
        (
            "anthropic.claude-of-tomorrow-v1:0",
            {"type": "default", "ttl": "1h"},
            {"type": "default", "ttl": "1h"},
        ),
        ("us.amazon.nova-pro-v1:0", {"type": "default"}, None),
        (NOVA, {"type": "default"}, None),
        ("mistral.mistral-large-2402-v1:0", None, None),
        ("us.meta.llama3-3-70b-instruct-v1:0", None, None),
        ("us.deepseek.r1-v1:0", None, None),
        # An ARN may be that of any model.
        (
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/x",
            {"type": "default", "ttl": "1h"},
            {"type": "default", "ttl": "1h"},
        ),
    ],
)
def test_a_mark_goes_where_the_model_accepts_one_and_for_as_long(model, in_messages, among_tools):
    translation = chat(model, HOUR, tools=(TOOL,))
    body = translation.wire.body
    marks = [
        [block["cachePoint"] for block in blocks if "cachePoint" in block]
        for blocks in (body["messages"][0]["content"], body["toolConfig"]["tools"])
    ]
    assert marks == [[mark] if mark else [] for mark in (in_messages, among_tools)]
    for place, mark in (("messages[0]", in_messages), ("tools[0]", among_tools)):
        expected = "dropped" if mark is None else "clamped" if "ttl" not in mark else None
        told = [note.fate for note in translation.report if note.name == f"{place}.cache"]
        assert told == [expected] * (expected is not None)


def test_nova_keeps_a_blank_first_message_before_the_assistants():
    turns = (Message("user", " "), Message("assistant", "Hello!"), Message("user", "Bye."))
    assert [m["content"] for m in chat(NOVA, turns).wire.body["messages"]] == [
        [{"text": " "}],
        [{"text": "Hello!"}],
        [{"text": "Bye."}],
    ]


def test_the_mark_of_a_blank_text_stands_behind_the_part_before_it():
    parts = (Text("a"), Text("\n", cache="5m"), Text("", cache="5m"), Text("b"))
    assert chat(CLAUDE, (Message("user", parts),)).wire.body["messages"][0]["content"] == [
        {"text": "a"},
        {"cachePoint": {"type": "default"}},
        {"text": "b"},
    ]
