"""The fast path of a chunk of text: it writes the bytes that the general path writes."""

import pytest
from hypothesis import given, strategies as st
from reading_back import ask

from jackfield import Finish, RefusalDelta, Reply, Started, TextDelta, ThinkingDelta
from jackfield_surfaces import SURFACES

EVENTS = st.sampled_from(
    [
        Started("a1", "m"),
        Started("a2", "n", service_tier="flex"),
        Started(service_tier='"odd"'),
        TextDelta("before"),
        TextDelta("before", 1),
        ThinkingDelta("hm"),
        RefusalDelta("no", 1),
        Finish("stop", 1),
    ]
)


@pytest.mark.parametrize("usage", [True, False])
@given(before=st.lists(EVENTS, max_size=6), text=st.text(min_size=1), choice=st.integers(0, 2))
def test_the_fast_path_writes_a_chunk_of_text_as_the_general_one_does(usage, before, text, choice):
    encoder = SURFACES["openai.chat"].encoder(
        ask("openai.chat", stream=True, stream_options={"include_usage": usage})
    )
    encoder.start(Reply(model="m"))
    for event in before:
        encoder.feed(event)
    assert encoder.feed(TextDelta(text, choice))[-1] == encoder._chunk(choice, {"content": text})
