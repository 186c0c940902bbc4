"""The fast path of a message's stream gives what the general path gives."""

import orjson
from hypothesis import given, strategies as st

from jackfield import TextDelta
from jackfield.plugin import Frame
from jackfield_anthropic._chat_decoder import MessageDecoder

DELTAS = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("text_delta"), "text": st.text() | st.none()}, optional={"new": st.just(1)}
    ),
    st.fixed_dictionaries({"type": st.just("thinking_delta"), "thinking": st.text() | st.none()}),
    st.just({"type": "input_json_delta", "partial_json": "{"}),
    st.just({"type": "of_tomorrow"}),
)
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}


def reading():
    decoder = MessageDecoder("anthropic")
    decoder.feed(Frame(orjson.dumps(BLOCK)))
    return decoder


@given(DELTAS, st.integers(0, 1))
def test_the_fast_path_reads_a_delta_as_the_general_one_does(delta, index):
    event = {"type": "content_block_delta", "index": index, "delta": delta}
    assert reading().feed(Frame(orjson.dumps(event))) == list(reading()._block_delta(event))


def test_a_piece_of_text_takes_the_fast_path(monkeypatch):
    monkeypatch.setattr(MessageDecoder, "_block_delta", None, raising=False)
    event = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
    assert reading().feed(Frame(orjson.dumps(event))) == [TextDelta("a", 0, 0)]
