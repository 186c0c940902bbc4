"""Halves of a surrogate pair are joined over the events of one answer; no event holds one."""

import attrs
import pytest
from hypothesis import given, strategies as st

from jackfield import (
    Citation,
    CitationDelta,
    Finish,
    LogprobsDelta,
    PartAdded,
    RawEvent,
    RawPart,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageUpdate,
)
from jackfield._calls.fold import fold
from jackfield._calls.halves import HalfJoiner
from jackfield._calls.reading import FrameReader
from jackfield._json import read_json
from jackfield._types.wire import Frame

HIGH, LOW, EMOJI, LOST = "\ud83d", "\ude00", "\U0001f600", "\ufffd"


def joined(*events):
    joiner = HalfJoiner()
    return [*joiner.join(events), *joiner.flush()]


class Given:
    """A decoder whose frames are events."""

    def start(self, head):
        return []

    def feed(self, frame):
        return list(frame.data)

    def finish(self):
        return []


def test_events_are_looked_at_from_the_first_half_on():
    events = []
    reader = FrameReader(Given(), events)
    reader.feed([Frame([TextDelta("a" + HIGH)])])
    assert events.pop() == TextDelta("a" + HIGH)  # not one that was read
    read_json(rb'["\ud83d"]', halves=True)
    reader.feed([Frame([TextDelta("a")])])
    reader.feed([Frame([TextDelta("a" + HIGH)])])  # the decoder kept it for a part that comes later
    reader.feed([Frame([TextDelta(LOW)])])
    reader.feed([Frame([PartAdded(RawPart("p", {"a": "b" + HIGH}))])])
    part = PartAdded(RawPart("p", {"a": "b" + LOST}))
    assert events == [TextDelta("a"), TextDelta("a"), TextDelta(EMOJI), part]
    reader.feed([Frame([TextDelta("c" + HIGH)])])
    reader.finish()
    assert events[4:] == [TextDelta("c"), TextDelta(LOST)]


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ([TextDelta("a" + HIGH), TextDelta(LOW + "b")], [TextDelta("a"), TextDelta(EMOJI + "b")]),
        ([TextDelta(HIGH), TextDelta(LOW)], [TextDelta(EMOJI)]),
        ([TextDelta("a" + HIGH), TextDelta("b")], [TextDelta("a"), TextDelta(LOST + "b")]),
        ([TextDelta("a" + HIGH)], [TextDelta("a"), TextDelta(LOST)]),
        ([TextDelta(LOW + "a")], [TextDelta(LOST + "a")]),
        ([TextDelta(HIGH), Finish("stop")], [TextDelta(LOST), Finish("stop")]),
        ([TextDelta(HIGH), TextDelta(HIGH), TextDelta(LOW)], [TextDelta(LOST), TextDelta(EMOJI)]),
        ([TextDelta(HIGH), UsageUpdate(Usage(1)), TextDelta(LOW)], [UsageUpdate(Usage(1)), TextDelta(EMOJI)]),
        ([TextDelta(HIGH, 0), TextDelta(HIGH, 1), TextDelta(LOW, 0), Finish("stop", 1)],
         [TextDelta(EMOJI, 0), TextDelta(LOST, 1), Finish("stop", 1)]),
        ([ThinkingDelta(HIGH), TextDelta(LOW)], [ThinkingDelta(LOST), TextDelta(LOST)]),
        ([TextDelta(HIGH, 0, 1), TextDelta(LOW, 0, 2)], [TextDelta(LOST, 0, 1), TextDelta(LOST, 0, 2)]),
        ([RefusalDelta(HIGH), RefusalDelta(LOW)], [RefusalDelta(EMOJI)]),
        ([RefusalDelta(HIGH), PartAdded(RawPart("p", {"a": HIGH}))], [RefusalDelta(LOST), PartAdded(RawPart("p", {"a": LOST}))]),
        ([TextDelta(HIGH), LogprobsDelta([TokenLogprob(HIGH, -1.0)]), TextDelta(LOW)],
         [LogprobsDelta([TokenLogprob(LOST, -1.0)]), TextDelta(EMOJI)]),
        ([ToolCallDelta(0, HIGH), ToolCallDelta(1, "x"), ToolCallDelta(0, LOW)], [ToolCallDelta(1, "x"), ToolCallDelta(0, EMOJI)]),
        ([ToolCallDelta(0, HIGH), ToolCallEnd(1), ToolCallEnd(0)], [ToolCallEnd(1), ToolCallDelta(0, LOST), ToolCallEnd(0)]),
        ([TextDelta(HIGH), ToolCallStart(0, "c", "f")], [TextDelta(LOST), ToolCallStart(0, "c", "f")]),
        ([ThinkingDelta(HIGH, data={"s": HIGH}), ThinkingDelta(LOW)], [ThinkingDelta("", data={"s": LOST}), ThinkingDelta(EMOJI)]),
        ([Started(HIGH, "m"), RawEvent(HIGH, [{HIGH: (HIGH, 1)}])], [Started(LOST, "m"), RawEvent(LOST, [{LOST: (LOST, 1)}])]),
        ([CitationDelta(Citation(text=HIGH, data={"x": HIGH}))], [CitationDelta(Citation(text=LOST, data={"x": LOST}))]),
        ([TextDelta(""), TextDelta("plain")], [TextDelta(""), TextDelta("plain")]),
        ([TextDelta(5)], [TextDelta(5)]),
    ],
)  # fmt: skip
def test_halves_become_characters(events, wanted):
    before = [attrs.evolve(event) for event in events]
    assert joined(*events) == wanted
    assert events == before  # a decoder may keep its own


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=4), max_size=8))
def test_however_a_text_is_cut_its_characters_are_the_same(pieces):
    whole = "".join(pieces).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    found = joined(*map(TextDelta, pieces))
    assert "".join(event.text for event in found) == whole
    for event in found:
        event.text.encode()


def test_events_that_were_not_joined_fold_into_characters():
    events = [
        TextDelta("a" + HIGH),
        TextDelta(LOW),
        ToolCallStart(0, "c", "f"),
        ToolCallDelta(0, '{"a": "' + HIGH),
        ToolCallDelta(0, LOW + '"}'),
    ]
    message = fold(events).choices[0].message
    assert (message.text, message.tool_calls[0].arguments) == ("a" + EMOJI, {"a": EMOJI})
