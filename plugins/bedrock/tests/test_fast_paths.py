"""The fast paths of a request to Converse give what the general path gives."""

import pytest
from hypothesis import given, strategies as st

from jackfield import Message, RawPart, Text
from jackfield.plugin import Capabilities, ParameterWriter
from jackfield_bedrock._messages import CachePoints, Conversation

TEXTS = st.builds(
    Text,
    st.sampled_from(["", " ", "\n", "Hi", "é"]),
    provider_data=st.sampled_from(
        [None, {}, {"openai": {}}, {"bedrock": {"citationsContent": [{"title": "t"}]}}]
    ),
    cache=st.sampled_from([None, "5m", "1h"]),
)


def conversation():
    writer = ParameterWriter({}, Capabilities(), "drop", {})
    cache = CachePoints(writer, {}, supported=True)
    name = "anthropic.claude-3-haiku-20240307-v1:0"
    return Conversation(name, writer, cache, emulate=True, system=True), writer


@given(TEXTS)
def test_the_fast_path_writes_one_text_as_the_general_one_does(text):
    fast, fast_notes = conversation()
    general, notes = conversation()
    nothing = RawPart("openai", {})
    assert fast._blocks((text,), "m") == general._blocks((text, nothing), "m")
    general_report = list(notes.finish())[:-1]  # the last note is about the part that is nothing
    assert list(fast_notes.finish()) == general_report


def test_one_text_takes_the_fast_path(monkeypatch):
    writing, _ = conversation()
    monkeypatch.setattr(Conversation, "_part", None)
    assert writing._blocks(Message("user", "Hi").parts, "m") == [{"text": "Hi"}]
    with pytest.raises(TypeError):
        writing._blocks((Text("Hi", cache="5m"),), "m")
