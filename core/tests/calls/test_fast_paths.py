"""The fast paths of an answer give what the general paths give."""

from copy import copy

import attrs
import pytest
from hypothesis import given, strategies as st

from jackfield import (
    Finish,
    RawEvent,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    Usage,
    UsageUpdate,
)
from jackfield._calls.fold import Folded, GrowingFold, fold
from jackfield._calls.soundness import _READERS, EventChecker

WORD = st.sampled_from([None, "", "a", "gpt"])
ANSWERS = st.tuples(
    st.builds(Started, WORD, WORD, WORD, WORD, st.sampled_from([None, True, False])),
    st.builds(
        TextDelta,
        st.text() | st.sampled_from(["\ud83d", "\ud83d\ude00"]),
        st.integers(0, 1),
        st.sampled_from([None, 3]),
        st.sampled_from([None, {}, {"openai": {"x": 1}}]),
    ),
    st.builds(
        Finish,
        st.sampled_from(["stop", "length"]),
        st.integers(0, 1),
        WORD,
        st.sampled_from([None, {"a": 1}]),
    ),
    st.builds(UsageUpdate, st.builds(Usage, st.integers(0, 9)), st.sampled_from([None, {}, {"in": 1}])),
)
SHOWN = (
    "id", "model", "choices", "usage", "finished", "raw", "vectors", "scores", "counted", "service_tier", "region", "stored",
    "raw_usage",
)  # fmt: skip


def seen(folded: Folded) -> dict[str, object]:
    return {name: getattr(folded, name) for name in SHOWN}


@given(ANSWERS)
def test_a_whole_answer_of_one_text_is_folded_as_event_by_event(answer):
    step_by_step = GrowingFold("openai", "asked").up_to(list(answer), len(answer))
    assert seen(fold(list(answer), provider="openai", model="asked")) == seen(step_by_step)


def test_all_that_a_fold_holds_is_compared():
    states = {"add", "close", "keep_raw", "end_call", "start_call"}
    public = {name for name in dir(Folded("p", "m")) if not name.startswith("_")}
    assert public - {name for name in public if name.startswith("add_")} - states == set(SHOWN)


def test_an_answer_of_more_events_is_folded_in_full():
    more = [Started("1"), TextDelta("a"), TextDelta("b"), Finish("stop"), RawEvent("x", {})]
    assert fold(more).choices[0].text == "ab"
    assert fold(iter(more)).choices[0].text == "ab"


ANY = st.sampled_from([None, "", "a", 0, 1, -1, True, 1.5, b"a", [], {}, ("a",)])


@given(
    st.one_of(
        st.builds(Started, ANY, ANY, ANY, ANY),
        st.builds(TextDelta, ANY, ANY, ANY),
        st.builds(ThinkingDelta, ANY, ANY, ANY),
        st.builds(ToolCallDelta, ANY, ANY, ANY),
        st.builds(Finish, st.just("stop"), ANY, ANY),
    )
)
def test_an_event_is_checked_as_by_the_reader_of_its_kind(event):
    mended = copy(event)
    fault = _READERS[type(event)](mended)
    events = [event]
    assert EventChecker().check(events, 0) == fault
    assert events == ([] if fault else [mended])


@pytest.mark.parametrize("kind", _READERS, ids=lambda kind: kind.__name__)
def test_a_text_of_another_class_does_not_go_unseen(kind):
    for field in attrs.fields(kind):
        if field.name not in ("text", "arguments"):
            continue
        event = kind(**{one.name: 1 for one in attrs.fields(kind) if one.default is attrs.NOTHING})
        setattr(event, field.name, [1])
        assert EventChecker().check([event], 0) is not None
