"""Decode the envelope of streams: parts cut anywhere, exceptions, framers."""

import itertools

import pytest
from hypothesis import given, strategies as st
from sagemaker_endpoints import EVENTS, enveloped, events_of, exception, part
from sagemaker_texts import LINES, WIRE, played

from jackfield import Finish, TextDelta
from jackfield.http import FramingError, framer_for
from jackfield.plugin import FailureInStream
from jackfield_sagemaker._invoke_decoder import JSONStreamFramer, TextFramer

SSE = b"".join(b"data:" + line + b"\n\n" for line in LINES.splitlines())
GLUED = LINES.replace(b"\n", b"")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
@pytest.mark.parametrize(
    ("body", "inner"),
    [(LINES, "application/jsonlines"), (LINES, ""), (SSE, "text/event-stream; charset=utf-8"), (SSE, ""), (GLUED, "application/json"),
     (b"\n " + GLUED, ""), (LINES, "application/octet-stream")],
)  # fmt: skip
def test_parts_are_cut_anywhere(body, inner, size):
    events = played(enveloped(body, size=size), inner)
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == 'Hä 🌤 }"'
    assert [(e.reason, e.raw) for e in events if isinstance(e, Finish)] == [("length", "length")]


@given(st.lists(st.integers(1, len(SSE)), max_size=6), st.lists(st.integers(0, 2_000), max_size=6))
def test_every_cut_of_parts_and_of_the_network_gives_the_same_events(inside, outside):
    places = sorted({0, *inside, len(SSE)})
    data = b"".join(part(SSE[a:b]) for a, b in itertools.pairwise(places))
    cuts = sorted({0, *(cut % (len(data) + 1) for cut in outside), len(data)})
    framer = framer_for(EVENTS, WIRE.framing)
    frames = [frame for a, b in itertools.pairwise(cuts) for frame in framer.feed(data[a:b])] + framer.close()
    events = events_of(WIRE, frames)
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == 'Hä 🌤 }"'
    assert sum(isinstance(e, Finish) for e in events) == 1


def test_an_exception_in_the_stream_is_given_after_what_came_before():
    from sagemaker_endpoints import decoder

    framer = framer_for(EVENTS, WIRE.framing)
    made = decoder(WIRE)
    data = part(LINES[:40]) + exception("InternalStreamFailure", Message="broken")
    first, second = framer.feed(data)
    assert [e.text for e in made.feed(first) if isinstance(e, TextDelta)] == ["Hä"]
    with pytest.raises(FailureInStream) as caught:
        made.feed(second)
    assert caught.value.failure.event == "InternalStreamFailure"
    assert caught.value.failure.data == {"Message": "broken"}


def test_an_error_behind_text_in_one_part_loses_nothing():
    from sagemaker_endpoints import decoder

    framer = framer_for(EVENTS, WIRE.framing)
    made = decoder(WIRE)
    (frame,) = framer.feed(
        part(b'{"token":{"id":1,"text":"A"}}\n{"error":"gone","error_type":"generation"}\n')
    )
    assert [e.text for e in made.feed(frame) if isinstance(e, TextDelta)] == ["A"]
    with pytest.raises(FailureInStream):
        made.finish()


def test_framers():
    framer = JSONStreamFramer()
    body = b' {"a":"}\\"{"} \n[1,{"b":2}]{"c":{}}'
    assert [f.data for byte in body for f in framer.feed(bytes([byte]))] == [
        b'{"a":"}\\"{"}',
        b'[1,{"b":2}]',
        b'{"c":{}}',
    ]
    assert framer.close() == []
    framer.feed(b'{"a"')
    with pytest.raises(FramingError):
        framer.close()
    text = TextFramer()
    pieces = [f.data for byte in "ä𝄞".encode() for f in text.feed(bytes([byte]))]
    assert pieces == ["ä".encode(), "𝄞".encode()]
    assert [f.data for f in (*text.feed(b"\xf0\x9f"), *text.close())] == ["\ufffd".encode()]
