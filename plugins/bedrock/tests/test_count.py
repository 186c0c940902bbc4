"""Translate requests to count tokens."""

import pytest
from bedrock_requests import ADD, CLAUDE, HI, SCHEMA, fate, made

from jackfield import UnsupportedError
from jackfield.plugin import CountRequest, Options


def test_a_count_leaves_out_what_does_not_count():
    options = Options(system="s", max_tokens=5, temperature=0, tools=(ADD,), response_format=SCHEMA)
    translation = made(f"eu.{CLAUDE}", CountRequest(HI, options))
    inner = translation.wire.body["input"]["converse"]
    assert set(inner) == {"messages", "system", "toolConfig"}
    assert "eu." not in translation.wire.path
    assert fate(translation, "max_tokens")[0] == "dropped"
    with pytest.raises(UnsupportedError, match="does not count tokens"):
        made("cohere.command-r-v1:0", CountRequest(HI), route="invoke")
