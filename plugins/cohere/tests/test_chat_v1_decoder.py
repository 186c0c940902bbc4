"""Decode chats of v1."""

from cohere_answers import read

from jackfield.testing import reply_of


def test_a_tool_call_of_v1_that_comes_whole():
    calls = [{"name": "f", "parameters": {"a": 1}}]
    events = read(
        "chat_v1",
        {"event_type": "stream-start", "generation_id": "g"},
        {"event_type": "tool-calls-generation", "text": "I call.", "tool_calls": calls},
        {
            "event_type": "stream-end",
            "response": {"text": "I call.", "tool_calls": calls},
            "finish_reason": "COMPLETE",
        },
    )
    (choice,) = reply_of(events).choices

    assert (choice.text, choice.finish_reason) == ("I call.", "tool_calls")
    assert [(call.id, call.arguments) for call in choice.message.tool_calls] == [("f_g_0", {"a": 1})]
