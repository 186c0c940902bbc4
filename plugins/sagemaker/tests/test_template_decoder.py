"""Decode answers by the paths of a template."""

import pytest
from sagemaker_endpoints import enveloped, events_of
from sagemaker_templates import prompt, read, wired

from jackfield import Finish, MalformedResponseError, StreamInterruptedError, TextDelta, UsageUpdate
from jackfield.http import framer_for
from jackfield.plugin import FailureInStream, Frame


def test_an_answer_by_paths():
    template = {
        "text": "r[*].say", "finish": "r[*].why", "finish_map": {"done": "stop", "full": "length"}, "input_tokens": "n.i",
        "output_tokens": "length(r)",
    }  # fmt: skip
    events = read(template, {"r": [{"say": "A", "why": "done"}, {"say": "B", "why": "full"}], "n": {"i": 7}})
    assert [(e.text, e.choice) for e in events if isinstance(e, TextDelta)] == [("A", 0), ("B", 1)]
    assert [(e.reason, e.raw) for e in events if isinstance(e, Finish)] == [
        ("stop", "done"),
        ("length", "full"),
    ]
    (used,) = [e.usage for e in events if isinstance(e, UsageUpdate)]
    assert (used.input_tokens, used.output_tokens) == (7, 2)


@pytest.mark.parametrize(
    "answer", [{}, {"out": None}, {"out": 1}, {"out": {"a": 1}}, {"out": ["a", 1]}, {"out": []}, [], "x"]
)
def test_a_path_that_finds_no_text_is_a_malformed_answer(answer):
    with pytest.raises(MalformedResponseError, match="out"):
        read({}, answer)


def test_an_answer_that_is_plain_text():
    wire = wired({"body": "{{prompt}}", "text": "@"}, prompt())
    for content_type, body in (
        ("text/plain", "ä b".encode()),
        ("text/html; charset=utf-8", b'"quoted"'),
        ("application/json", b'"quoted"'),
    ):
        events = events_of(wire, [Frame(body)], {"content-type": content_type})
        assert [e.text for e in events if isinstance(e, TextDelta)] == [body.decode().strip('"')]
    with pytest.raises(MalformedResponseError, match="not JSON"):
        events_of(wire, [Frame(b"a b")], {"content-type": "application/json"})


def test_an_error_with_a_good_status():
    with pytest.raises(FailureInStream) as caught:
        read({"error": "problem.words"}, {"problem": {"words": "no engine"}})
    assert caught.value.failure.data == {"error": "no engine"}


@pytest.mark.parametrize(
    ("stream", "body", "said", "raw"),
    [
        ({"framing": "sse", "text": "d.t", "finish": "f"}, b'data: {"d":{"t":"\xc3\xa4"}}\n\ndata: {"d":{"t":"b"},"f":"done"}\n\ndata: [DONE]\n\n', "äb", "done"),
        ({"framing": "jsonlines", "text": "t"}, b'{"t":"\xc3\xa4"}\n{"t":"b"}\n', "äb", None),
        ({"framing": "json", "text": "t"}, b'{"t":"\xc3\xa4"} {"t":"}{"}{"t":"b"}', "ä}{b", None),
        ({"framing": "text"}, "ä𝄞b".encode(), "ä𝄞b", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_streams(stream, body, said, raw, size):
    wire = wired({"body": {"q": "{{prompt}}"}, "stream": stream}, prompt(stream=True))
    framer = framer_for("application/vnd.amazon.eventstream", wire.framing)
    events = events_of(wire, [*framer.feed(enveloped(body, size=size)), *framer.close()])
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == said
    assert [e.raw for e in events if isinstance(e, Finish)] == [raw]


def test_a_stream_without_its_end():
    wire = wired(
        {"body": "{{prompt}}", "stream": {"framing": "jsonlines", "text": "t", "finish": "f"}},
        prompt(stream=True),
    )
    framer = framer_for("application/vnd.amazon.eventstream", wire.framing)
    with pytest.raises(StreamInterruptedError):
        events_of(wire, [*framer.feed(enveloped(b'{"t":"a"}\n')), *framer.close()])
