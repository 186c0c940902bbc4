"""Translate requests for summaries."""

import pytest
from cohere_requests import made

from jackfield import UnsupportedError
from jackfield.plugin import Options, SummarizeRequest


def test_summaries():
    sent = made(
        SummarizeRequest("a", Options(temperature=3, extra={"cohere": {"length": "long"}})), "command"
    )

    assert sent.wire.body == {"model": "command", "text": "a", "temperature": 3, "length": "long"}
    for request in (SummarizeRequest("a", Options(max_tokens=5)), SummarizeRequest("a", stream=True)):
        with pytest.raises(UnsupportedError):
            made(request, "command")
