"""Test what the kit cannot know: the format of this service's requests."""

import pytest
from jackfield import UnsupportedError
from jackfield.plugin import CompletionRequest, Options
from jackfield.testing import translated

import jackfield_tgi as plugin


def translate(stream=False, **options):
    request = CompletionRequest("Once", Options(**options), stream)
    return translated(plugin, "tgi", request)


def test_options_have_the_names_of_the_service():
    made = translate(max_tokens=5, stop=("END",), top_k=0)
    assert made.wire.path == "/generate"
    assert made.wire.body == {
        "inputs": "Once",
        "parameters": {"max_new_tokens": 5, "top_k": 0, "stop": ["END"], "details": True},
    }
    assert translate(stream=True).wire.path == "/generate_stream"


def test_no_temperature_is_no_sampling():
    made = translate(temperature=0)
    assert made.wire.body["parameters"] == {"do_sample": False, "details": True}
    assert [note.fate for note in made.report if note.name == "temperature"] == ["renamed"]


def test_more_stop_sequences_than_a_server_accepts_are_refused():
    with pytest.raises(UnsupportedError, match="at most 4"):
        translate(stop=tuple("abcde"))
