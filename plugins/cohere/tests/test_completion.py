"""Translate text completions."""

import pytest
from cohere_requests import made

from jackfield import UnsupportedError
from jackfield.plugin import CompletionRequest, Options


def test_ranges_of_completion_are_its_own():
    body = made(CompletionRequest("a", Options(temperature=4.5, n=5, top_p=1)), "command").wire.body

    assert body == {"model": "command", "prompt": "a", "temperature": 4.5, "num_generations": 5, "p": 1}
    with pytest.raises(UnsupportedError):
        made(CompletionRequest("a", Options(n=6)), "command")
