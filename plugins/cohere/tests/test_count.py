"""Translate requests to count tokens."""

from cohere_requests import ADD, fates, made

from jackfield import Document, Image, Message, Text, ToolResult
from jackfield.plugin import CountRequest, Options


def test_counting_reads_text_alone():
    messages = (
        Message("user", (Text("a"), Image(data=b"png"), Document(text="b"))),
        Message("tool", (ToolResult("x", "c"),)),
    )
    sent = made(CountRequest(messages, Options(system="s", tools=(ADD,))), "command-a-plus-05-2026")

    assert sent.wire.body["text"] == "s\na\nb\nc"
    assert fates(sent) == {"messages[0]": "dropped", "tools": "dropped", "messages": "emulated"}
