"""The fast path of a chat's stream gives what the general path gives."""

import orjson
from hypothesis import example, given, strategies as st

from jackfield.plugin import Frame
from jackfield_cohere._chat_decoder import ChatDecoder

CONTENT = st.one_of(
    st.none(),
    st.text(),
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.just("text"),
            "text": st.text() | st.none(),
            "thinking": st.text() | st.none(),
            "new": st.just({"a": 1}),
        },
    ),
)
EVENTS = st.fixed_dictionaries(
    {"type": st.just("content-delta")},
    optional={
        "index": st.none() | st.integers(0, 2),
        "delta": st.none()
        | st.fixed_dictionaries(
            {}, optional={"message": st.none() | st.fixed_dictionaries({}, optional={"content": CONTENT})}
        ),
        "logprobs": st.sampled_from([None, {}, {"text": "a", "logprobs": [-0.5]}]),
    },
)


@given(EVENTS)
@example({"type": "content-delta", "delta": {"message": {"content": {"text": "a", "new": 1}}}})
@example({"type": "content-delta", "index": 1, "delta": {"message": {"content": {"text": "a"}}}})
def test_the_fast_path_reads_a_delta_as_the_general_one_does(event):
    fast = ChatDecoder("cohere", stream=True).feed(Frame(orjson.dumps(event)))
    assert fast == list(ChatDecoder("cohere", stream=True)._content(event))
