"""Events amount to an answer."""

import asyncio
import time
from array import array

import pytest
from hypothesis import given, strategies as st

from jackfield import (
    Citation,
    CitationDelta,
    Finish,
    LogprobsDelta,
    Message,
    PartAdded,
    RawEvent,
    RawPart,
    RefusalDelta,
    Started,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageUpdate,
)
from jackfield._calls.fold import _HANDLERS, MANY_EVENTS, Folded, GrowingFold, fold
from jackfield._types.content import parse_arguments
from jackfield._types.events import Event
from jackfield.plugin import EmbeddingData, RerankScore, TokensCounted


def parts(*events, **tags):
    return fold(events, **tags).choices[0].message.parts


def test_pieces_of_text_are_one_part():
    assert parts(TextDelta("a"), TextDelta("b"), Finish("stop")) == (Text("ab"),)


def test_a_new_block_is_a_new_part():
    assert parts(TextDelta("a", block=0), TextDelta("b", block=0), TextDelta("c", block=1)) == (
        Text("ab"),
        Text("c"),
    )
    assert parts(TextDelta("a", block=1), TextDelta("b")) == (Text("ab"),)


def test_what_comes_between_divides_parts():
    assert parts(TextDelta("a"), ThinkingDelta("x"), TextDelta("b")) == (Text("a"), Thinking("x"), Text("b"))


def test_thinking_is_tagged_with_who_thought_and_keeps_its_data():
    events = [
        Started(model="m-2026"),
        ThinkingDelta("a", block=0),
        ThinkingDelta("", block=0, data={"signature": "s1"}),
        ThinkingDelta("", block=0, data={"signature": "s2", "id": 1}),
    ]
    [thinking] = parts(*events, provider="p", model="m")
    assert thinking == Thinking("a", "p", "m-2026", {"signature": "s2", "id": 1})
    assert parts(ThinkingDelta("a"), provider="p", model="m") == (Thinking("a", "p", "m"),)


def test_tool_calls_may_come_in_pieces_and_interleaved():
    assert parts(
        ToolCallStart(0, "t0", "add"),
        ToolCallStart(1, "t1", "sub", provider_data={"p": 1}),
        ToolCallDelta(0, '{"a"'),
        ToolCallDelta(1, "{}"),
        ToolCallDelta(0, ": 1}"),
        ToolCallEnd(0),
        ToolCallEnd(1),
    ) == (ToolCall("t0", "add", {"a": 1}), ToolCall("t1", "sub", {}, None, {"p": 1}))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ({}, None)),
        ("  \n", ({}, None)),
        ('{"a": [1]}', ({"a": [1]}, None)),
        ('{"a": ', ({}, '{"a": ')),
        ("[1]", ({}, "[1]")),
        ("null", ({}, None)),
        ("true", ({}, "true")),
        ("NaN", ({}, "NaN")),
    ],
)
def test_arguments_that_are_no_object_are_kept_as_they_came(text, wanted):
    assert parse_arguments(text) == wanted


def test_choices_are_kept_apart_and_in_order():
    folded = fold([TextDelta("b", 1), TextDelta("a", 0), Finish("length", 1, "max"), TextDelta("c", 1)])
    assert [(c.index, c.text, c.finish_reason, c.finish_raw) for c in folded.choices] == [
        (0, "a", None, None), (1, "bc", "length", "max"),
    ]  # fmt: skip
    assert not folded.finished
    assert fold([TextDelta("a"), Finish("stop")]).finished


def test_a_refusal_is_text_that_says_so():
    folded = fold([RefusalDelta("I can"), RefusalDelta("not"), Finish("refusal")])
    assert folded.choices[0].message.parts == (Text("I cannot", refusal=True),)
    assert folded.choices[0].text == ""


def test_usage_is_running_totals_and_nothing_is_unsaid():
    folded = fold(
        [UsageUpdate(Usage(10, 1, cached_input_tokens=4), raw={"a": 1}), UsageUpdate(Usage(None, 7))]
    )
    assert folded.usage == Usage(10, 7, cached_input_tokens=4)
    assert folded.raw_usage == {"a": 1}
    assert fold([]).usage == Usage()


def test_what_started_says_may_come_bit_by_bit():
    folded = fold(
        [Started("a1"), Started(None, "m"), Started(service_tier="flex", region="eu"), Started("a2")]
    )
    assert (folded.id, folded.model, folded.service_tier, folded.region) == ("a2", "m", "flex", "eu")


def test_the_rest_is_kept_where_it_belongs():
    logprob = TokenLogprob("a", -0.1)
    citation = Citation("words")
    raw = RawPart("p", {"type": "code"})
    folded = fold(
        [
            TextDelta("a"),
            LogprobsDelta([logprob]),
            LogprobsDelta([logprob]),
            CitationDelta(citation),
            PartAdded(raw),
            RawEvent("ping", {}),
            EmbeddingData(1, array("f", [2])),
            EmbeddingData(0, array("f", [1])),
            RerankScore(3, 0.5),
            TokensCounted(7),
            Finish("stop", detail={"stop_sequence": "x"}),
        ]
    )
    [choice] = folded.choices
    assert choice.logprobs == (logprob, logprob)
    assert choice.citations == (citation,)
    assert choice.message.parts == (Text("a"), raw)
    assert choice.finish_detail == {"stop_sequence": "x"}
    assert folded.raw == (RawEvent("ping", {}),)
    assert sorted(folded.vectors) == [0, 1]
    assert (folded.scores, folded.counted) == (((3, 0.5),), 7)


def test_what_the_end_of_a_call_brings_replaces_what_its_start_said():
    start = ToolCallStart(0, "a", "f", 0, {"acme": {"x": 1}, "other": {"y": 2}})
    for end, expected in (
        (ToolCallEnd(0), {"acme": {"x": 1}, "other": {"y": 2}}),
        (ToolCallEnd(0, 0, {"acme": {"z": 3}}), {"acme": {"z": 3}, "other": {"y": 2}}),
    ):
        (call,) = fold([start, end, Finish("tool_calls")]).choices[0].message.tool_calls
        assert call.provider_data == expected


def test_every_event_has_a_place():
    assert set(_HANDLERS) == set(Event.__args__)


@given(st.lists(st.text(max_size=5), max_size=8), st.integers(0, 40))
def test_where_a_text_is_cut_makes_no_difference(pieces, at):
    whole = "".join(pieces)
    cut = [TextDelta(whole[:at]), TextDelta(whole[at:])]
    assert fold([TextDelta(piece) for piece in ["", *pieces]]).choices == fold(cut).choices
    assert fold(cut).choices[0].message == Message("assistant", (Text(whole),))


def test_log_probabilities_of_a_long_stream_are_folded_in_linear_time():
    """Copying what came before for each event would copy some five thousand million entries."""
    logprob = TokenLogprob("a", -0.1)
    began = time.process_time()
    folded = fold([LogprobsDelta([logprob])] * 100_000)
    assert len(folded.choices[0].logprobs) == 100_000
    assert time.process_time() - began < 2


STREAM = [
    Started("a", "m"), ThinkingDelta("Hm"), ThinkingDelta("m", data={"s": 1}), TextDelta("Hel"), UsageUpdate(Usage(3, 1), {"n": 1}),
    TextDelta("lo \ud83d"), RefusalDelta("no"), TextDelta("other", 1), ToolCallStart(0, "c", "f"), ToolCallDelta(0, '{"a":'),
    ToolCallStart(1, "d", "g"), ToolCallDelta(1, "{}"), ToolCallDelta(0, "1}"), ToolCallEnd(0), ToolCallEnd(1),
    CitationDelta(Citation(url="u")), LogprobsDelta([TokenLogprob("a", -1.0)]), PartAdded(RawPart("p", {"x": 1})),
    RawEvent("k", 1), Finish("stop"), UsageUpdate(Usage(None, 7)), Finish("stop", 1),
]  # fmt: skip


@given(st.lists(st.integers(0, len(STREAM)), max_size=8).map(sorted))
def test_a_growing_fold_is_at_each_point_what_a_new_one_is(points):
    growing = GrowingFold("p", "m0")
    for point in [*points, len(STREAM)]:
        later = [event for event in STREAM[point:] if isinstance(event, UsageUpdate)]
        wanted = fold([*STREAM[:point], *later], provider="p", model="m0")
        for _ in range(2):
            found = growing.up_to(STREAM, point)
            for name in ("id", "model", "choices", "usage", "raw_usage", "raw", "finished"):
                assert getattr(found, name) == getattr(wanted, name)


def test_a_growing_fold_raises_again_where_the_events_do_not_fit():
    growing = GrowingFold("p", "m")
    events = [TextDelta("a"), ToolCallDelta(0, "{}")]
    assert growing.up_to(events, 1).choices[0].text == "a"
    for _ in range(2):
        with pytest.raises(KeyError):
            growing.up_to(events, 2)
    assert growing.up_to(events, 1).choices[0].text == "a"


def test_a_growing_fold_takes_each_event_once():
    events = [TextDelta(str(number)) for number in range(300)]
    taken = []

    class Counting(list):
        def __getitem__(self, places):
            found = super().__getitem__(places)
            taken.append(len(found) if places.stop is not None else 0)
            return found

    growing, events = GrowingFold("p", "m"), Counting(events)
    for end in range(301):
        growing.up_to(events, end)
    assert sum(taken) == 300


SOME_EVENTS = st.one_of(
    st.builds(Started, st.none(), st.sampled_from([None, "m", "n"])),
    st.builds(TextDelta, st.sampled_from(["a", "b", "\ud83d", "\ude00"]), st.integers(0, 1), st.sampled_from([None, 0, 1])),
    st.builds(ThinkingDelta, st.just("x"), st.integers(0, 1), st.none(), st.sampled_from([None, {"s": 1}, {"t": 2}])),
    st.builds(RefusalDelta, st.just("no"), st.integers(0, 1)),
    st.builds(ToolCallStart, st.integers(0, 1), st.just("i"), st.just("f"), st.just(0), st.sampled_from([None, {"p": 1}])),
    st.builds(PartAdded, st.just(RawPart("p", {})), st.integers(0, 1)),
    st.builds(LogprobsDelta, st.just([TokenLogprob("a", 0.0)]), st.integers(0, 1)),
    st.builds(CitationDelta, st.just(Citation("c"))),
    st.builds(RawEvent, st.just("k"), st.just(1)),
    st.builds(UsageUpdate, st.builds(Usage, st.integers(0, 9))),
    st.builds(Finish, st.just("stop"), st.integers(0, 1)),
    st.builds(EmbeddingData, st.integers(0, 3), st.just([0.0])),
    st.builds(RerankScore, st.integers(0, 3), st.just(0.5)),
)  # fmt: skip
CALL = [ToolCallStart(0, "i", "f"), ToolCallStart(1, "j", "g")]
LATER = st.sampled_from(
    [ToolCallDelta(0, "{"), ToolCallDelta(1, "}"), ToolCallEnd(0, 0, {"p": 2}), ToolCallEnd(1, 0, {"q": 3})]
)


def contents(folded):
    names = ("id", "model", "choices", "usage", "finished", "raw", "vectors", "scores", "service_tier")
    return {name: getattr(folded, name) for name in names}


@given(st.lists(st.one_of(SOME_EVENTS, LATER), max_size=12), st.sets(st.integers(0, 14)))
def test_events_folded_bit_by_bit_amount_to_the_same(events, looks):
    events = [*CALL, *events]
    folding = GrowingFold("p", "asked")
    ends = [*sorted(look for look in looks if look < len(events)), len(events)]
    seen = [(end, contents(folding.up_to(events, end))) for end in ends]
    # Compared at the end: what was read before does not change any more, but for lists that grow.
    for end, found in seen:
        later = [event for event in events[end:] if isinstance(event, UsageUpdate)]
        wanted = contents(fold([*events[:end], *later], provider="p", model="asked"))
        assert found | {"vectors": {}} == wanted | {"vectors": {}}


def test_each_event_is_folded_once_however_often_one_looks(monkeypatch):
    count = 0
    add_text = Folded.add_text

    def counting(folded, event):
        nonlocal count
        count += 1
        add_text(folded, event)

    monkeypatch.setitem(_HANDLERS, TextDelta, counting)
    events = [TextDelta("a") for _ in range(100)]
    folding = GrowingFold(None, None)
    texts = [folding.up_to(events, end + 1).choices[0].text for end in range(100)]
    assert texts[-1] == "a" * 100
    assert count == 100


async def test_many_events_are_folded_in_turns_with_other_tasks():
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    events = [TextDelta("a", block=number) for number in range(5 * MANY_EVENTS + 1)]
    folding = GrowingFold(None, None)
    assert not folding.lags(MANY_EVENTS - 1)
    await folding.keep_up(events, len(events))
    task.cancel()
    assert turns >= 5
    assert not folding.lags(len(events))
    assert len(folding.up_to(events, len(events)).choices[0].message.parts) == len(events)


async def test_events_that_do_not_fit_together_are_an_error_when_somebody_looks():
    events = [ToolCallDelta(0, "{}") for _ in range(MANY_EVENTS)]
    folding = GrowingFold(None, None)
    await folding.keep_up(events, len(events))
    with pytest.raises(KeyError):
        folding.up_to(events, len(events))


def test_data_of_many_keys_takes_linear_time():
    events = [ThinkingDelta("x", data={str(number): number}) for number in range(20_000)]
    began = time.process_time()
    (thinking,) = parts(*events)
    assert len(thinking.data) == 20_000
    assert time.process_time() - began < 2


@given(st.lists(st.integers(0, 20)), st.sets(st.integers(0, 20)))
def test_choices_are_in_the_order_of_their_numbers(indexes, looks):
    events = [TextDelta("a", index) for index in indexes]
    folding = GrowingFold(None, None)
    for end in sorted({*(look for look in looks if look < len(events)), len(events)}):
        assert [choice.index for choice in folding.up_to(events, end).choices] == sorted(set(indexes[:end]))
