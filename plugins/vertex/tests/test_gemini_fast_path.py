"""The fast path of Gemini's answers gives what the general path gives."""

import orjson
from hypothesis import given, strategies as st

from jackfield import TextDelta, ThinkingDelta
from jackfield.plugin import Frame
from jackfield_vertex._gemini_decoder import GeminiDecoder

PARTS = st.one_of(
    st.fixed_dictionaries({"text": st.text() | st.none()}),
    st.fixed_dictionaries({"text": st.text()}, optional={"thought": st.booleans(), "thoughtSignature": st.just("s")}),
    st.just({"functionCall": {"name": "add", "args": {"a": 1}}}),
    st.just({"inlineData": {"mimeType": "image/png", "data": ""}}),
)  # fmt: skip


def read(parts):
    decoder = GeminiDecoder(stream=True)
    answer = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}
    events = decoder.feed(Frame(orjson.dumps(answer))) + decoder.finish()
    return [event for event in events if not says_nothing(event)]


def says_nothing(event):
    return isinstance(event, TextDelta) and not event.text and event.provider_data is None


@given(st.lists(PARTS, max_size=4))
def test_the_fast_path_reads_parts_as_the_general_one_does(parts):
    # A null beside the text, as some clients write what is absent, keeps a part from the fast path.
    assert read(parts) == read([{**part, "absent": None} for part in parts])


def test_thinking_does_not_take_the_fast_path():
    assert ThinkingDelta("Hm", 0, 0) in read([{"text": "Hm", "thought": True}])
