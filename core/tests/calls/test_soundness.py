"""What a service sends in place of a text is its fault: an error of ours, and no event with another type leaves."""

from array import array

import pytest
from plain_provider import hello, mesh_for, streamed

from jackfield import (
    Citation,
    CitationDelta,
    Finish,
    LogprobsDelta,
    MalformedResponseError,
    RawEvent,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)
from jackfield._calls.reading import FrameReader
from jackfield.plugin import EmbeddingData, Frame, Head, RerankScore, TokensCounted

WRONG = [None, 5, 1.5, True, ["a"], {"text": "a"}, b"a"]


class Decoder:
    """Returns the events that it was made with: one list for a frame, one for the end."""

    def __init__(self, events, ending=()):
        self.events = events
        self.ending = ending

    def start(self, head):
        return []

    def feed(self, frame):
        return list(self.events)

    def finish(self):
        return list(self.ending)


def read(*events, ending=()):
    found = []
    reader = FrameReader(Decoder(events, ending), found)
    reader.start(Head(200))
    reader.feed([Frame(b"the body")])
    reader.finish()
    return found


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize(
    "event",
    [
        TextDelta,
        RefusalDelta,
        ThinkingDelta,
        lambda value: ToolCallDelta(0, value),
        lambda value: LogprobsDelta([TokenLogprob(value, -0.5)]),
    ],
)
def test_a_text_of_another_type_is_an_error_and_only_what_came_before_leaves(event, value):
    found = []
    reader = FrameReader(Decoder([TextDelta("a"), event(value), TextDelta("b")]), found)
    with pytest.raises(MalformedResponseError, match="must be a text") as caught:
        reader.feed([Frame(b"the body")])
    assert found == [TextDelta("a")]
    assert caught.value.body == b"the body"
    with pytest.raises(MalformedResponseError, match="must be a text"):
        read(ending=[event(value)])


@pytest.mark.parametrize("value", [None, "x", True, [0.5]])
def test_a_log_probability_that_is_no_number_is_an_error(value):
    with pytest.raises(MalformedResponseError, match="must be a number"):
        read(LogprobsDelta([TokenLogprob("a", value)]))


@pytest.mark.parametrize("value", [None, "0.5", True, [0.5]])
def test_a_score_that_is_no_number_is_an_error(value):
    with pytest.raises(MalformedResponseError, match="must be a number"):
        read(RerankScore(0, value))


def test_vectors_and_scores_leave_as_they_came():
    events = [EmbeddingData(1, array("f", [0.5])), RerankScore(0, 0.5), RerankScore(1, 1)]
    assert read(*events) == events


@pytest.mark.parametrize("value", [None, "0", 1.5, True, [0]])
@pytest.mark.parametrize(
    "event",
    [
        lambda value: TextDelta("a", value),
        lambda value: TextDelta("a", 0, value or "0"),
        lambda value: ThinkingDelta("a", 0, value or "0"),
        lambda value: ToolCallStart(value, "a", "add"),
        lambda value: ToolCallDelta(value, "{}"),
        ToolCallEnd,
        lambda value: Finish("stop", value),
        lambda value: CitationDelta(Citation("a"), value),
        lambda value: EmbeddingData(value, [0.5]),
        lambda value: RerankScore(value, 0.5),
    ],
)
def test_a_number_of_another_type_is_an_error(event, value):
    with pytest.raises(MalformedResponseError, match="must be a whole number"):
        read(event(value))


@pytest.mark.parametrize(
    ("value", "wanted"), [(5, "5"), ("a", "a"), (None, None), ({"a": 1}, None), ([1], None), (True, None)]
)
def test_a_word_beside_the_answer_costs_no_answer(value, wanted):
    (started, text, cited, finish) = read(
        Started(value, value, value, value),
        TextDelta("a"),
        CitationDelta(Citation(value, value, value, None, None, value, {"a": value})),
        Finish("stop", 0, value),
    )
    assert started == Started(wanted, wanted, wanted, wanted)
    assert text == TextDelta("a")
    assert cited.citation == Citation(wanted, wanted, wanted, None, None, wanted, {"a": value})
    assert finish == Finish("stop", 0, wanted)


@pytest.mark.parametrize("value", [7, 7.0, "7", "7.0"])
def test_a_count_of_tokens_is_a_whole_number_however_it_is_written(value):
    assert read(TokensCounted(value)) == [TokensCounted(7)]


@pytest.mark.parametrize("value", [None, "x", -1, 1.5, True, [7], {"a": 7}])
def test_a_count_of_tokens_that_is_no_number_is_an_error(value):
    with pytest.raises(MalformedResponseError, match="must be a whole number"):
        read(TokensCounted(value))


def test_positions_of_citations_that_are_not_numbers_are_unknown():
    (event,) = read(CitationDelta(Citation("a", start="x", end=[1], data=["a"])))
    assert event.citation == Citation("a", data={"citation": ["a"]})


def test_a_kind_of_what_is_kept_raw_is_a_text():
    assert read(RawEvent(5, {}), RawEvent(None, {})) == [RawEvent("5", {}), RawEvent("None", {})]


@pytest.mark.parametrize("name", [None, "", 5, ["add"]])
def test_a_call_without_a_name_is_an_error(name):
    with pytest.raises(MalformedResponseError, match="name"):
        read(ToolCallStart(0, "a", name))


def test_every_call_of_a_choice_has_an_id_of_its_own():
    calls = [
        ToolCallStart(index, name, "add", choice)
        for index, name, choice in [
            (0, "a", 0),
            (1, "a", 0),
            (2, "a_1", 0),
            (3, None, 0),
            (4, "", 0),
            (5, 7, 0),
            (0, "a", 1),
        ]
    ]
    found = [(event.choice, event.id) for event in read(*calls)]
    assert found == [(0, "a"), (0, "a_1"), (0, "a_1_2"), (0, "call_3"), (0, "call_4"), (0, "7"), (1, "a")]


async def test_a_caller_gets_an_error_of_the_service_and_no_wrong_event(server):
    server.answer(streamed({"text": "a"}, {"text": 5}, {"text": "b"}, {"finish": "stop"}))
    server.answer(hello(5))
    found = []
    async with mesh_for(server.url) as mesh:
        with pytest.raises(MalformedResponseError, match="must be a text") as caught:
            async with mesh.stream_chat("c:m", "hi") as stream:
                async for event in stream:
                    found += [event]
        with pytest.raises(MalformedResponseError, match="must be a text"):
            await mesh.chat("c:m", "hi")
    assert found == [TextDelta("a")]
    assert caught.value.partial.text == "a"
