"""Decode text completions."""

from cohere_answers import read

from jackfield.testing import reply_of


def test_lines_of_bedrock_are_read():
    pieces = [{"index": i, "is_finished": False, "text": text} for i, text in ((0, "a"), (1, "b"), (0, "c"))]
    events = read("generate", *pieces, {"is_finished": True, "finish_reason": "MAX_TOKENS"})

    assert [(choice.text, choice.finish_reason) for choice in reply_of(events).choices] == [
        ("ac", "length"),
        ("b", "length"),
    ]
    each = [{"index": i, "is_finished": True, "finish_reason": "COMPLETE"} for i in (0, 1)]
    assert [choice.finish_reason for choice in reply_of(read("generate", *pieces, *each)).choices] == [
        "stop",
        "stop",
    ]
