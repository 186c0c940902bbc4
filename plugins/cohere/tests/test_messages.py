"""Build the messages and documents of chat v2."""

import pytest
from cohere_requests import USER, chat, fates

from jackfield import Document, Image, Message, RawPart, Text, Thinking, Tool, ToolResult, UnsupportedError


def test_documents_are_gathered():
    parts = (
        Document(text="Blue.", name="Sky", citations=True),
        Document(text='{"region": "north"}', media_type="application/json"),
        Document(text="[1]", media_type="application/json"),
        Text("Why?"),
    )
    sent = chat((Message("user", parts),))

    assert sent.wire.body["messages"] == [{"role": "user", "content": "Why?"}]
    data = [document["data"] for document in sent.wire.body["documents"]]
    assert data == [{"title": "Sky", "text": "Blue."}, {"region": "north"}, {"text": "[1]"}]


def test_files_are_no_documents():
    for part in (
        Document(data=b"%PDF", media_type="application/pdf"),
        Document(url="https://example.com/a.pdf"),
    ):
        shown = (Message("user", (part, Text("Why?"))),)
        for model in ("command-a-03-2025", "someone-s-own"):
            with pytest.raises(UnsupportedError):
                chat(shown, model=model)
    text = Document(data="Blå.".encode(), media_type="text/plain")
    assert chat((Message("user", (text,)),), model="someone-s-own").wire.body["documents"] == [
        {"data": {"text": "Blå."}}
    ]


def test_what_others_left_in_a_history_is_reported():
    parts = (
        Thinking("Hm.", "anthropic", data={"signature": "s"}),
        RawPart("openai", {"type": "x"}),
        Text("Hi."),
    )
    sent = chat((Message("user", "Hi."), Message("assistant", parts), *USER))

    assert sent.wire.body["messages"][1] == {"role": "assistant", "content": "Hi."}
    assert fates(sent) == {"messages[1].thinking": "dropped", "messages[1]": "dropped"}


def test_an_empty_turn_is_left_out():
    sent = chat((Message("user", "Hi."), Message("assistant", (Thinking("Hm.", "openai"),)), *USER))

    assert [message["role"] for message in sent.wire.body["messages"]] == ["user", "user"]
    assert fates(sent)["messages[1]"] == "dropped"


def test_marks_of_caches_are_reported():
    shown = (Message("user", (Text("Why?", cache="5m"),)),)

    assert fates(chat(shown, tools=(Tool("now", cache="1h"),)))["tools[0].cache"] == "dropped"
    assert fates(chat(shown))["messages[0].cache"] == "dropped"


def test_results_of_tools():
    image = ToolResult("x", (Image(data=b"png"),))
    with pytest.raises(UnsupportedError):
        chat((*USER, Message("tool", (image,))), model="command-a-vision-07-2025")
    failed = ToolResult("x", (Text("no"), Document(text="why", name="Log")), is_error=True)
    sent = chat((*USER, Message("tool", (failed,))))

    assert sent.wire.body["messages"][1]["content"] == [
        {"type": "text", "text": "no"},
        {"type": "document", "document": {"data": {"title": "Log", "text": "why"}}},
    ]
    assert fates(sent) == {"messages[1].is_error": "dropped"}
