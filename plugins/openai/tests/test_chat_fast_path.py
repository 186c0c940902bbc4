"""The fast path yields what the decoder's general way yields, for each shape that it handles."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, strategies as st

from jackfield import JackfieldError, Started, TextDelta
from jackfield.http import SSEFramer
from jackfield.plugin import Frame, Wire
from jackfield_openai import OPENAI, Dialect
from jackfield_openai._chat_decoder import ChatDecoder
from jackfield_openai._chat_fast_path import PieceReader, read_simple_answer

SAMPLES = Path(__file__).with_name("wire")
LOCAL = Dialect(id="local")
WHOLE = Wire("/chat/completions", {}, meta={"api": "chat"})
STREAM = Wire("/chat/completions", {}, stream=True, meta={"api": "chat"})
SOMETIMES = st.sampled_from([None, "", "stop", "x", 0, 1, [], {}, ["x"], {"a": 1}])


class NeverSimple(PieceReader):
    """Leaves every event to the general way."""

    __slots__ = ()

    def read(self, event):
        return None


def decode(events, *, pieces):
    return decode_bytes([json.dumps(event).encode() for event in events], pieces=pieces)


def decode_bytes(chunks, *, pieces):
    decoder = ChatDecoder(LOCAL, STREAM)
    decoder._pieces = pieces
    found = []
    for chunk in chunks:
        try:
            found.append(decoder.feed(Frame(chunk)))
        except JackfieldError as error:
            return [*found, error.message]
        except Exception as error:  # what the core takes for an answer that is not what the service documents
            return [*found, type(error)]
    return found


@given(
    st.dictionaries(
        st.sampled_from(["system_fingerprint", "service_tier", "new", "citations", "error"]), SOMETIMES
    ),
    st.dictionaries(
        st.sampled_from(["logprobs", "stop_reason", "index"]), st.sampled_from([None, 0, 1, [], {}])
    ),
    st.dictionaries(
        st.sampled_from(["refusal", "annotations", "tool_calls", "audio", "reasoning"]),
        st.sampled_from([None, "", []]),
    ),
    st.sampled_from(["stop", "length", "STOP", "never heard of", None]),
    st.sampled_from([None, {}, {"prompt_tokens": 3, "completion_tokens": 4}]),
)
def test_both_ways_read_a_whole_answer_alike(more, choice, message, finish, usage):
    message = {"role": "assistant", "content": "Hi", **message}
    answer = {
        "id": "a",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish, **choice}],
        "usage": usage,
        **more,
    }
    fast = read_simple_answer(answer, LOCAL)
    if fast is not None:
        assert list(fast) == list(ChatDecoder(LOCAL, WHOLE)._read(answer))


FILTERED = {"hate": {"filtered": False, "severity": "safe"}}
SUSPECT = {"hate": {"filtered": False, "severity": "medium"}}
CHUNKS = st.builds(
    lambda more, choice, delta: {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": "Hi", **delta}, "finish_reason": None, **choice}],
        **more,
    },
    st.dictionaries(
        st.sampled_from(
            ["id", "usage", "obfuscation", "p", "system_fingerprint", "service_tier", "citations", "new"]
        ),
        st.sampled_from([None, "x", {"prompt_tokens": 3, "completion_tokens": 4}]),
        max_size=2,
    ).filter(lambda more: not isinstance(more.get("usage"), str)),
    st.one_of(
        st.just({}),
        st.fixed_dictionaries({"index": st.sampled_from([0, 1])}),
        st.fixed_dictionaries({"content_filter_results": st.sampled_from([{}, FILTERED, SUSPECT])}),
        st.fixed_dictionaries({"logprobs": st.sampled_from([None, {"content": []}])}),
        st.fixed_dictionaries({"finish_reason": st.sampled_from(["stop", ""])}),
        st.fixed_dictionaries({"stop_reason": st.sampled_from([None, "word"])}),
    ),
    st.one_of(
        st.just({}),
        st.fixed_dictionaries({"content": st.sampled_from(["", None, "x", ["x"]])}).filter(
            lambda delta: not isinstance(delta["content"], list)
        ),
        st.fixed_dictionaries({"reasoning": st.sampled_from([None, "Hm"])}),
        st.fixed_dictionaries({"role": st.just("assistant"), "refusal": st.sampled_from([None, "No"])}),
    ),
)


@given(st.lists(CHUNKS, max_size=6))
def test_both_ways_read_a_stream_alike(chunks):
    assert decode(chunks, pieces=PieceReader()) == decode(chunks, pieces=NeverSimple())


# What may stand where the text is, and where the padding is; most is not what it looks like.
TEXTS = st.one_of(
    st.text().map(lambda text: json.dumps(text).encode()),
    st.text().map(lambda text: json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")),
    st.sampled_from(
        [
            b'"a"', b'"b"', b'""', b"null", b"1", b' "a" ', b'"a', b'a"', b'"a\\"', b'"a\\\\"', b'["a"]', b'"a","x":1',
            b'"a","content":"b"', b'"a"}},{"delta":{"content":"b"', b'"}}],"p":"x"}', b'"\xff"', b'"\\ud83d"', b'"\n"',
        ]
    ),
)  # fmt: skip
PADDINGS = st.sampled_from(
    [b"x", b"xyz9", b"", b"x y", b'x","p":"y', b'x","model":"n', b"\\", b"\xff", b"\n"]
)
SHAPES = st.sampled_from(
    [
        b'{"id":"c","choices":[{"index":0,"delta":{"content":%b}}],"p":"%b"}',
        b'{"id":"c","choices":[{"index":0,"delta":{"content":%b},"finish_reason":null}],"obfuscation":"%b"}',
        b'{"id": "c", "choices": [{"index": 0, "delta": {"content": %b}}], "usage": null, "p": "%b"}',
        b'{"p":"%b","id":"c","choices":[{"index":0,"delta":{"content":%b}}]}',
        b'{"id":"c","choices":[{"index":0,"delta":{"content":%b}}],"model":"%b"}',
        b'{"id":"c","choices":[{"index":0,"delta":{"content":%b}}],"p":"x"} %b',
        b'{"id":"c","choices":[{"index":0,"delta":{"content":%b}}]}%b',
        b'{"id":"c","x":{"content":"a"},"choices":[{"index":0,"delta":{"content":%b}}],"p":"%b"}',
        b'{"id":"c","choices":[{"index":0,"delta":{"content":%b,"content":"z"}}],"p":"%b"}',
        b'{"id":"c","choices":[{"index":0,"delta":{"content":%b,"p":"x"}}],"q":"%b"}',
    ]
)


@given(SHAPES, st.lists(st.tuples(TEXTS, PADDINGS), max_size=6))
def test_both_ways_read_the_same_bytes_alike(shape, filled):
    start = shape % ((b'"Hi"', b"x") if shape.index(b"content") < shape.rindex(b"%b") else (b"x", b'"Hi"'))
    chunks = [start, start, *(shape % pair for pair in filled)]
    assert decode_bytes(chunks, pieces=PieceReader()) == decode_bytes(chunks, pieces=NeverSimple())


def test_a_piece_in_learnt_bytes_is_not_parsed():
    shape = b'{"id":"c","choices":[{"index":0,"delta":{"content":"%b"}}],"p":"%b"}'
    reader = PieceReader()
    decode_bytes([shape % (b"Hi", b"abc"), shape % (b"you", b"a")], pieces=reader)
    assert reader.read_same(shape % (rb"\u00e9\"}}],", b"abcd")) == TextDelta('é"}}],', 0)
    assert reader.read_same(shape.replace(b'"c"', b'"d"') % (b"x", b"x")) is None


def test_an_answer_without_steady_bytes_is_not_learnt_again_and_again():
    reader = PieceReader()
    shape = '{"id":"c","choices":[{"index":%d,"delta":{"content":"Hi"}}]}'
    decode_bytes([(shape % (number % 2)).encode() for number in range(20)], pieces=reader)
    before = reader._shape
    decode_bytes([(shape % 0).encode(), (shape % 1).encode()], pieces=reader)
    assert reader._shape in (before, None)
    assert reader._lessons == 4


def test_a_usual_answer_is_read_by_the_fast_path():
    answer = json.loads((SAMPLES / "chat.json").read_bytes())
    assert read_simple_answer(answer, OPENAI) is not None


def test_pieces_after_the_first_are_read_by_the_fast_path():
    chunk = {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}],
    }
    reader = PieceReader()
    assert reader.read(chunk) is None
    reader.remember(chunk)
    reader.choices.add(0)
    assert reader.read(chunk) == TextDelta("Hi", 0)


def test_a_piece_with_a_new_field_is_read_in_full():
    first, second = (
        {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hi"}}], **more}
        for more in ({"usage": None}, {"service_tier": "flex"})
    )
    events = decode([first, second], pieces=PieceReader())
    assert events[1] == [Started("c", "m", "flex"), TextDelta("Hi", 0)]


def chunk(text, padding, **more):
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None, **more}
    event = {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice], "usage": None}
    return event if padding is None else {**event, "obfuscation": padding}


def read_stream(events, dialect=OPENAI):
    """Feed a decoder with events until it has learnt their shape, and return it."""
    decoder = ChatDecoder(dialect, STREAM)
    for event in events:
        decoder.feed(Frame(json.dumps(event, separators=(",", ":")).encode()))
    return decoder


TEXTS = st.text(min_size=1) | st.sampled_from(
    ['"', "\\", '","', 'x"},"y":[', "\n\ndata: ", "é", "😀", "},", "data: "]
)
ODD = [
    {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [{"index": 1, "delta": {"content": "x"}, "finish_reason": None}]},
    {"error": {"message": "no"}},
    chunk("x", "a1", finish_reason="stop"),
    {**chunk("x", "a1"), "usage": {"prompt_tokens": 1}},
    chunk("", "a1"),
    chunk("x", ""),
    chunk("x", "-"),
]
EXTRA = [b": ping\n\n", b"event: x\ndata: {}\n\n", b"data: [DONE]\n\n", b"id: 1\n", b"\n", b'data: "x"\n\n']


@given(
    st.booleans(),
    st.lists(st.tuples(TEXTS, st.text("ab1", min_size=1)), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(ODD) | st.sampled_from(EXTRA)), max_size=1),
)
def test_a_block_is_read_as_its_events_are(padded, pieces, odd):
    events = [chunk(text, padding if padded else None) for text, padding in pieces]
    parts = [b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n" for event in events]
    for place, other in odd:
        written = (
            other
            if isinstance(other, bytes)
            else b"data: " + json.dumps(other, separators=(",", ":")).encode() + b"\n\n"
        )
        parts.insert(place, written)
    begin = [
        {**chunk("a", "z" if padded else None), "choices": [{"index": 0, "delta": {"role": "assistant"}}]}
    ]
    begin += [chunk("a", "z1" if padded else None), chunk("b", "z2" if padded else None)]
    block = b"".join(parts)
    got = read_stream(begin).read_block(block)
    if not odd:
        assert got == [TextDelta("".join(text for text, _ in pieces), 0)] or "\\ud" in repr(block)
    if got is not None:
        decoder, one_by_one = read_stream(begin), []
        for frame in SSEFramer().feed(block):
            one_by_one += decoder.feed(frame)
        assert {type(event) for event in one_by_one} == {TextDelta}
        assert got == [TextDelta("".join(event.text for event in one_by_one), 0)]


def test_an_event_that_only_begins_and_ends_like_the_others_is_not_read_with_them():
    begins = {**chunk("a", "z"), "choices": [{"index": 0, "delta": {"role": "assistant"}}]}
    decoder = read_stream([begins, chunk("a", "z1"), chunk("b", "z2")])
    plain = b"data: " + json.dumps(chunk("x", "z"), separators=(",", ":")).encode() + b"\n\n"
    for hidden in (
        b'"x","tool_calls":[1]',
        b'"x","y"',
        b"[]",
        b"1",
        b'"x"},"delta":{"content":"y"',
        b'"x',
        b"null",
        b"",
    ):
        odd = plain.replace(b'"x"', hidden)
        assert decoder.read_block(plain + odd + plain) is None, hidden
    assert decoder.read_block(plain + plain) == [TextDelta("xx", 0)]
