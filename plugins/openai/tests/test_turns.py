"""Turns that services refuse: of nothing, or with files where only the user may send them."""

from __future__ import annotations

import pytest

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
from jackfield.plugin import ChatRequest, ModelRef, Options
from jackfield.testing import translated
from jackfield_openai import compatible

PLUGIN = compatible(id="acme", base_url="http://127.0.0.1:9/v1", responses_path="/responses")
USER = Message("user", "q")
FOREIGN = Thinking("hm", "anthropic", "claude", {"signature": "s"})
IMAGE, AUDIO = Image(data=b"x", media_type="image/png"), Audio(data=b"x", media_type="audio/wav")
PDF = Document(data=b"%PDF", media_type="application/pdf", name="a.pdf")
IMAGE_WIRE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}


def build(*messages, model="m", route="chat", unsupported="error"):
    request = ChatRequest(messages, Options(unsupported=unsupported), stream=False)
    return translated(PLUGIN, ModelRef(model, declared={"route": route}), request)


def turns(*messages, **how):
    return build(*messages, **how).wire.body["messages"]


@pytest.mark.parametrize("parts", [(), (FOREIGN,), (FOREIGN, FOREIGN), (RawPart("other", {"type": "x"}),)])
def test_an_assistants_turn_of_which_nothing_is_left_is_left_out(parts):
    made = build(USER, Message("assistant", parts), USER)
    assert [turn["role"] for turn in made.wire.body["messages"]] == ["user", "user"]
    assert any(note.name == "messages[1]" and note.fate == "dropped" for note in made.report)
    items = build(USER, Message("assistant", parts), USER, route="responses").wire.body["input"]
    assert [item["role"] for item in items] == ["user", "user"]


@pytest.mark.parametrize("route", ["chat", "responses"])
def test_a_users_turn_of_which_nothing_is_left_is_left_out(route):
    gone = Message("user", RawPart("other", {"type": "x"}))
    body = build(USER, gone, route=route, unsupported="drop").wire.body
    assert len(body.get("messages", body.get("input"))) == 1


def test_turns_that_say_something_stay():
    own = Thinking("hm", "acme", "m", {"field": "reasoning_content"})
    call = ToolCall("c", "f", {})
    found = turns(
        USER,
        Message("assistant", ""),
        Message("assistant", own),
        Message("assistant", [FOREIGN, call]),
        Message("assistant", Text("No.", refusal=True)),
        Message("user", ()),
    )
    assert [turn.get("content") for turn in found] == ["q", "", "", None, None, ""]
    assert found[2]["reasoning_content"] == "hm"
    assert found[3]["tool_calls"][0]["id"] == "c"
    assert found[4]["refusal"] == "No."


# -- files ----------------------------------------------------------------------------------------------------------


def asked(*calls):
    return Message("assistant", [ToolCall(call, "shot", {}) for call in calls])


@pytest.mark.parametrize("together", [True, False])
def test_files_of_results_follow_all_results_in_a_users_turn(together):
    first = ToolResult("a", [Text("see"), IMAGE, Document(text="t")], name="shot")
    second = ToolResult("b", [PDF, AUDIO])
    results = (
        [Message("tool", [first, second])] if together else [Message("tool", first), Message("tool", second)]
    )
    made = build(USER, asked("a", "b"), *results, Message("user", "and?"))
    found = made.wire.body["messages"]
    assert [turn["role"] for turn in found] == ["user", "assistant", "tool", "tool", "user", "user"]
    assert found[2]["content"] == [{"type": "text", "text": "see"}, {"type": "text", "text": "t"}]
    assert found[3]["content"] == "The result follows as a file."
    assert [part["type"] for part in found[4]["content"]] == [
        "text",
        "image_url",
        "text",
        "file",
        "input_audio",
    ]
    assert found[4]["content"][0]["text"] == "Files of the result of the tool shot (call a):"
    assert found[4]["content"][1] == IMAGE_WIRE
    assert "tool messages have only text" in " ".join(note.why or "" for note in made.report)


def test_files_of_results_at_the_end_of_the_conversation_come_last():
    found = turns(USER, asked("a"), Message("tool", ToolResult("a", [IMAGE])))
    assert [turn["role"] for turn in found] == ["user", "assistant", "tool", "user"]


def test_files_of_results_in_a_users_turn_precede_its_own_parts():
    found = turns(USER, asked("a"), Message("user", [ToolResult("a", [IMAGE]), Text("and?")]))
    assert [turn["role"] for turn in found] == ["user", "assistant", "tool", "user", "user"]
    assert found[4]["content"] == "and?"


def test_results_of_one_turn_stay_together_whoever_brings_them():
    found = turns(
        USER,
        asked("a", "b"),
        Message("user", ToolResult("a", [IMAGE])),
        Message("user", ToolResult("b", "r")),
    )
    assert [turn["role"] for turn in found] == ["user", "assistant", "tool", "tool", "user"]


def test_files_of_results_are_part_of_the_output_of_responses():
    output = build(USER, asked("a"), Message("tool", ToolResult("a", [IMAGE])), route="responses").wire.body[
        "input"
    ][-1]
    assert output["output"] == [{"type": "input_image", "image_url": "data:image/png;base64,eA=="}]


@pytest.mark.parametrize("role", ["assistant", "system"])
@pytest.mark.parametrize("part", [IMAGE, AUDIO, PDF])
def test_only_the_user_sends_files(role, part):
    turn = Message(role, ["here", part])
    with pytest.raises(UnsupportedError, match="from the user only"):
        turns(USER, turn)
    assert turns(USER, turn, unsupported="drop")[1] == {"role": role, "content": "here"}
    assert turns(USER, Message(role, Document(text="t")))[1]["content"] == "t"


@pytest.mark.parametrize(
    ("data", "kind", "name"),
    [
        (b"# hi", "text/markdown", None),
        (b"# hi", "text/plain; charset=utf-8", "a"),
        (b"# hi", None, "a.md"),
        (b"# hi", None, None),
        (b"# hi", "application/octet-stream", "a.txt"),
        (b"\xef\xbb\xbf# hi", "text/csv", None),
    ],
)
def test_a_file_that_is_text_is_sent_as_its_text(data, kind, name):
    part = Document(data=data, media_type=kind, name=name)
    assert turns(Message("user", part)) == [{"role": "user", "content": "# hi"}]
    assert build(Message("user", part), route="responses").wire.body["input"][0]["content"] == "# hi"


def test_other_files_are_files():
    (turn,) = turns(Message("user", [PDF, Document(data=b"%PDF", name="b")]))
    assert [part["file"]["file_data"] for part in turn["content"]] == [
        "data:application/pdf;base64,JVBERg=="
    ] * 2


# -- Mistral's models --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model", ["mistralai/Mistral-Small-24B", "Mixtral-8x7B", "open-mixtral", "devstral:24b"]
)
def test_an_assistants_turn_stands_between_a_result_and_the_user(model):
    messages = (USER, asked("a"), Message("tool", ToolResult("a", "r")), Message("user", "and?"))
    made = build(*messages, model=model)
    roles = [turn["role"] for turn in made.wire.body["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]
    assert "requires an assistant's turn" in " ".join(note.why or "" for note in made.report)
    assert [turn["role"] for turn in turns(*messages)] == ["user", "assistant", "tool", "user"]
    assert [turn["role"] for turn in turns(*messages[:3], model=model)] == ["user", "assistant", "tool"]
