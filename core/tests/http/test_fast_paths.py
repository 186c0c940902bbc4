"""The fast path of the framer of server-sent events gives what it gives line by line."""

from hypothesis import example, given, strategies as st

from jackfield._http.sse import SSEFramer
from jackfield.plugin import Frame

LINES = st.sampled_from(
    [b"data: a", b'data: {"a": 1}', b"data: ", b"data:b", b"data", b"event: e", b"event: ", b"event", b"id: 1", b": c", b"retry: 3", b""]
)  # fmt: skip


@given(st.lists(LINES, max_size=12).map(lambda lines: b"\n".join(lines) + b"\n\n"))
@example(b"data: a\n\ndata: b\n\n")
@example(b"event: e\ndata: a\n\nevent: f\ndata: b\n\n")
@example(b"event: e\ndata: a\n\nevent: f\n\ndata: b\n\n\n")
@example(b"data: a\ndata: b\n\n")
def test_whole_events_are_read_as_line_by_line(text):
    framer = SSEFramer()
    wanted = [frame for block in text.split(b"\n\n") for frame in SSEFramer()._read_event(block)]
    assert framer._events(text) == wanted


def test_usual_streams_take_the_fast_path(monkeypatch):
    monkeypatch.setattr(SSEFramer, "_read_event", None)
    assert SSEFramer()._events(b"data: a\n\ndata: b\n\n") == [Frame(b"a"), Frame(b"b")]
    assert SSEFramer()._events(b"event: e\ndata: a\n\n") == [Frame(b"a", "e")]
