"""Build messages: what is sent, moved, or dropped and reported."""

import pytest
from anthropic_requests import ASK, NEW, body, fates, made

from jackfield import (
    Audio,
    Document,
    Image,
    Message,
    RawPart,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    UnsupportedError,
)


def test_what_others_thought_stays_behind_and_is_told():
    parts = (
        Thinking("Hm.", "openai", "gpt-5", {"x": 1}),
        Thinking("cut off", "anthropic", "claude", None),
        RawPart("openai", {"a": 1}),
        Text("So.", provider_data={"openai": {"phase": 1}}),
    )
    translation = made(messages=(*ASK, Message("assistant", parts), *ASK))
    assert translation.wire.body["messages"][1] == {"role": "assistant", "content": "So."}
    assert [note.fate for note in translation.report if note.name.startswith("messages[1]")] == [
        "dropped"
    ] * 4


def test_results_of_a_turn_stand_in_one_message_before_all_else():
    messages = (
        Message("assistant", (ToolCall("a", "add", {}), ToolCall("b", "add", {}))),
        Message("tool", (ToolResult("a", "1"),)),
        Message("tool", (ToolResult("b", "2"),)),
        Message("assistant", (ToolCall("c", "add", {}),)),
        Message("user", (Text("Now?"), ToolResult("c", "3"))),
    )
    translation = made(messages=messages)
    sent = translation.wire.body["messages"]
    assert [block["tool_use_id"] for block in sent[1]["content"]] == ["a", "b"]
    assert [block["type"] for block in sent[3]["content"]] == ["tool_result", "text"]
    assert translation.report["messages[4]"].fate == "emulated"


def test_ids_of_other_services_are_written_in_our_letters_one_to_one():
    messages = (
        Message(
            "assistant", (ToolCall("a.b", "add", {}), ToolCall("a:b", "add", {}), ToolCall("", "add", {}))
        ),
        Message("tool", (ToolResult("a.b", "1"), ToolResult("a:b", "2"), ToolResult("", "3"))),
    )
    sent = body(messages=messages)["messages"]
    ids = [block["id"] for block in sent[0]["content"]]
    assert ids == [block["tool_use_id"] for block in sent[1]["content"]]
    assert len(set(ids)) == 3
    assert all(name.replace("_", "").isalnum() for name in ids)


def test_arguments_that_are_no_object_are_shown_to_the_model_as_such():
    messages = (
        Message("assistant", (ToolCall("a", "add", {}, '{"a": '),)),
        Message("tool", (ToolResult("a"),)),
    )
    translation = made(messages=messages)
    assert translation.wire.body["messages"][0]["content"][0]["input"] == {"INVALID_JSON": '{"a": '}
    assert translation.report["messages[0].arguments"].fate == "emulated"


def test_system_messages_in_the_middle_stay_where_they_are_honoured_and_move_up_where_not():
    messages = (Message("system", "One."), *ASK, Message("system", "Two."))
    stays = body("claude-opus-5", messages)
    assert (stays["system"], stays["messages"][1]) == ("One.", {"role": "system", "content": "Two."})
    translation = made("claude-sonnet-5", messages)
    assert [block["text"] for block in translation.wire.body["system"]] == ["One.", "Two."]
    assert translation.report["messages[2]"].fate == "emulated"
    with pytest.raises(UnsupportedError):
        made("claude-sonnet-5", messages, emulate=False)


def test_a_model_goes_on_with_its_own_words_or_not():
    messages = (*ASK, Message("assistant", "Because"))
    assert body("claude-haiku-4-5", messages)["messages"][-1]["role"] == "assistant"
    with pytest.raises(UnsupportedError, match="does not continue"):
        made("claude-opus-4-6", messages)
    assert len(body("claude-opus-4-6", messages, unsupported="drop")["messages"]) == 1
    paused = (*ASK, Message("assistant", (RawPart("anthropic", {"type": "server_tool_use"}),)))
    assert len(body("claude-opus-4-6", paused)["messages"]) == 2


def test_a_document_of_the_assistants_is_refused_by_the_new_version():
    messages = (*ASK, Message("assistant", (Document(text="A."), Text("See."))), *ASK)
    assert body(messages=messages)["messages"][1]["content"][0]["type"] == "document"
    with pytest.raises(UnsupportedError, match="2026-10-21"):
        made(messages=messages, settings=NEW)


def test_citations_of_a_user_are_not_sent_under_the_new_version():
    text = Text("So.", provider_data={"anthropic": {"citations": [{"type": "char_location"}]}})
    assert "citations" in body(messages=(Message("user", (text,)),))["messages"][0]["content"][0]
    translation = made(messages=(Message("user", (text,)),), settings=NEW)
    assert translation.wire.body["messages"][0]["content"] == "So."
    assert translation.report["messages[0].citations"].fate == "dropped"


def test_details_that_the_service_lacks_are_told():
    message = Message(
        "user", (Image(data=b"x", detail="high"), Image(url="https://a/b", detail="low")), name="Ann"
    )
    assert fates(made(messages=(message,))) == {
        "messages[0].name": "dropped",
        "messages[0].detail": "dropped",
        "messages[0].media_type": "defaulted",
        "max_tokens": "defaulted",
    }
    with pytest.raises(UnsupportedError, match="audio"):
        made(messages=(Message("user", (Audio(data=b"x"),)),))
    with pytest.raises(UnsupportedError, match="Audio"):
        made("claude-of-tomorrow", (Message("user", (Audio(data=b"x"),)),))


@pytest.mark.parametrize(
    ("asked", "sent"), [("5m", "5m"), ("60s", "5m"), ("1h", "1h"), ("30m", "1h"), ("24h", "1h")]
)
def test_a_cache_mark_lives_as_long_as_the_service_lets_it(asked, sent):
    translation = made(messages=(Message("user", (Text("Why?", cache=asked),)),))
    (block,) = translation.wire.body["messages"][0]["content"]
    assert block["cache_control"] == {"type": "ephemeral", "ttl": sent}
    assert ("messages[0].cache" in fates(translation)) == (asked != sent)


def test_messages_without_content_are_left_out_and_told():
    translation = made(messages=(*ASK, Message("assistant", ()), *ASK))
    assert len(translation.wire.body["messages"]) == 2
    assert translation.report["messages[1]"].fate == "dropped"


MARK = {"type": "ephemeral", "ttl": "5m"}


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_blank_text_is_left_out_wherever_it_is(text):
    call = ToolCall("t", "add", {})
    messages = (
        Message("system", text),
        *ASK,
        Message("assistant", (Text(text), call)),
        Message("tool", (ToolResult("t", (Text(text), Text("3"))),)),
        Message("assistant", text),
        Message("user", (Text("Go on."), Text(text, cache="5m"))),
    )
    translation = made(messages=messages, system=text)
    assert "system" not in translation.wire.body
    assert translation.wire.body["messages"] == [
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "add", "input": {}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "3"}]}
            ],
        },
        {"role": "user", "content": [{"type": "text", "text": "Go on.", "cache_control": MARK}]},
    ]
    dropped = {note.name for note in translation.report if note.fate == "dropped"}
    assert dropped == {"system", *(f"messages[{i}]" for i in (0, 2, 3, 4, 5))}


@pytest.mark.parametrize("content", ["", "\n", (), (Text(""),), (Text(" "), Text("\t"))])
def test_a_tool_result_of_blank_text_has_no_content(content):
    messages = (
        *ASK,
        Message("assistant", (ToolCall("t", "add", {}),)),
        Message("tool", (ToolResult("t", content),)),
    )
    assert body(messages=messages)["messages"][-1]["content"] == [{"type": "tool_result", "tool_use_id": "t"}]
