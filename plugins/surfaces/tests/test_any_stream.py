"""Whatever the order of events is, what is written is read as the same reply (Hypothesis)."""

from hypothesis import given, settings, strategies as st
from reading_back import CHATS, as_reply, lossy, read_back, streamed_bytes, view, whole_bytes

from jackfield import (
    Finish,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageUpdate,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
ARGUMENTS = st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers(-9, 9) | TEXTS, max_size=3)


@st.composite
def streams(draw):
    """Draw the events of an answer: texts, thinking and calls, whose pieces may come mixed."""
    from jackfield.plugin import write_json

    lanes = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(["text", "thinking", "call"]), max_size=5))):
        if kind == "call":
            text = write_json(draw(ARGUMENTS)).decode()
            at = draw(st.integers(0, len(text)))
            pieces = [ToolCallDelta(number, piece) for piece in (text[:at], text[at:]) if piece]
            lanes.append([ToolCallStart(number, f"c{number}", f"f{number}"), *pieces, ToolCallEnd(number)])
        else:
            cls = TextDelta if kind == "text" else ThinkingDelta
            lanes.append([cls(piece, 0, number) for piece in draw(st.lists(TEXTS, min_size=1, max_size=3))])
    events, waiting = [], []
    for lane in lanes:  # a call may still be open when later parts begin
        if isinstance(lane[0], ToolCallStart) and draw(st.booleans()):
            at = draw(st.integers(1, len(lane)))
            events += lane[:at]
            waiting.append(lane[at:])
        else:
            events += lane
            if waiting and draw(st.booleans()):
                events += waiting.pop(draw(st.integers(0, len(waiting) - 1)))
    for rest in waiting:
        events += rest
    calls = any(isinstance(event, ToolCallStart) for event in events)
    if not calls and draw(st.booleans()):
        events.append(RefusalDelta(draw(TEXTS)))
        reason = "refusal"
    else:
        reason = draw(
            st.sampled_from(
                ["tool_calls"] if calls else ["stop", "length", "content_filter", "pause", "other"]
            )
        )
    usage = Usage(draw(st.integers(10, 99)), draw(st.integers(0, 99)), draw(st.none() | st.integers(0, 5)))
    return [Started("id-1", "m-1"), *events, UsageUpdate(usage), Finish(reason)]


@given(streams())
@settings(max_examples=150)
def test_any_stream_is_carried(events):
    reply = as_reply(events, "other")
    for surface in CHATS:
        for stream in (True, False):
            data = streamed_bytes(surface, events, reply) if stream else whole_bytes(surface, reply)
            got, want = view(read_back(surface, data, stream=stream)), lossy(surface, reply, stream=stream)
            assert got == want, (surface, stream)
