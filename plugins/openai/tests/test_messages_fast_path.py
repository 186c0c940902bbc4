"""The fast path of a chat's messages writes what the general path writes."""

from hypothesis import given, strategies as st

from jackfield import Message, Text, Thinking
from jackfield.plugin import Capabilities, ParameterWriter
from jackfield_openai import Dialect
from jackfield_openai._messages import _ChatMessages, build_messages

LOCAL = Dialect(id="local", system_role="developer")
PARTS = st.one_of(
    st.builds(Text, st.text(), cache=st.sampled_from([None, "5m"]), refusal=st.booleans()),
    st.just(Thinking("Hm")),
)
MESSAGES = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant"]),
    st.lists(PARTS, max_size=2).map(tuple),
    name=st.sampled_from([None, "bob"]),
)


@given(MESSAGES)
def test_both_ways_write_a_message_alike(message):
    reports = [ParameterWriter({}, Capabilities(), "drop", {}) for _ in range(2)]
    fast = build_messages(LOCAL, (message,), reports[0], Capabilities())
    assert fast == [*_ChatMessages(LOCAL, reports[1], Capabilities()).message(0, message)]
    assert reports[0].finish() == reports[1].finish()


def test_one_text_takes_the_fast_path(monkeypatch):
    monkeypatch.setattr(_ChatMessages, "message", None)
    report = ParameterWriter({}, Capabilities(), "error", {})
    wires = build_messages(LOCAL, (Message("system", "Hi"),), report, Capabilities())
    assert wires == [{"role": "developer", "content": "Hi"}]
