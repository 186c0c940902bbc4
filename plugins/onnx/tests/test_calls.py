"""Calls of tools in texts, as three families of models write them."""

import json

import pytest
from hypothesis import given, settings, strategies as st

from jackfield import RawEvent, TextDelta, ToolCallDelta, ToolCallEnd, ToolCallStart
from jackfield_onnx._calls import CallParser
from jackfield_onnx._tools import FORMATS, format_of_template

HERMES = '<tool_call>\n{"name": "weather", "arguments": {"city": "Köln", "days": [1, 2]}}\n</tool_call>'
TEXTS = {
    "hermes": f"I will look.\n{HERMES}\n{HERMES}",
    "mistral": '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Köln", "days": [1, 2]}}, '
    '{"name": "weather", "arguments": {"city": "Köln", "days": [1, 2]}}]',
    "llama3": '{"name": "weather", "parameters": {"city": "Köln", "days": [1, 2]}}',
}
ARGUMENTS = {"city": "Köln", "days": [1, 2]}


def read(form, pieces, **more):
    """Give the text, and each call's name, id and arguments; checks that they come in order."""
    parser = CallParser(FORMATS[form], "abcdefg", **more)
    events = [event for piece in pieces for event in parser.feed(piece)] + parser.finish()
    text, calls, is_open = "", [], False
    for event in events:
        if isinstance(event, TextDelta):
            text += event.text
        elif isinstance(event, ToolCallStart):
            assert not is_open
            is_open = True
            calls.append([event.name, event.id, ""])
            assert event.index == len(calls) - 1
        elif isinstance(event, ToolCallDelta):
            assert is_open
            calls[event.index][2] += event.arguments
        elif isinstance(event, ToolCallEnd):
            assert is_open
            is_open = False
    assert not is_open
    return text, calls, events


@pytest.mark.parametrize("form", TEXTS)
def test_calls_are_read_at_any_cut(form):
    text, calls, _ = read(form, [TEXTS[form]])

    assert [(name, json.loads(raw)) for name, _, raw in calls] == [("weather", ARGUMENTS)] * len(calls)
    assert len(calls) == (1 if form == "llama3" else 2)
    assert len({number for _, number, _ in calls}) == len(calls)
    assert text == ("I will look." if form == "hermes" else "")
    for cut in range(len(TEXTS[form])):
        assert read(form, [TEXTS[form][:cut], TEXTS[form][cut:]])[:2] == (text, calls)
    assert read(form, list(TEXTS[form]))[:2] == (text, calls)


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=40, deadline=None)
@given(text=st.text(st.sampled_from(list('<tool_cal>[TOOL_CALLS]{}"name:x,\\ \n|py')), max_size=60))
def test_a_text_without_calls_comes_out_as_it_is(form, text):
    shown, calls, _ = read(form, list(text))

    if not calls:
        # What stands between a marker and nothing is not kept to the space.
        assert "".join(shown.split()) == "".join(text.split())


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "text", ["Plain text.", "a < b\n\n", "{not json", '{"a": 1} is JSON', "<tool", "[TOOL", ""]
)
def test_plain_answers_are_whole(form, text):
    assert read(form, list(text))[0] == text


def test_arguments_come_while_they_are_written():
    parser = CallParser(FORMATS["hermes"], "s")
    events = parser.feed('<tool_call>{"name": "f", "arguments": {"a": "b')

    assert events == [ToolCallStart(0, "s00", "f"), ToolCallDelta(0, '{"a": "b')]


def test_arguments_before_the_name_wait_for_it():
    _, calls, _ = read("hermes", list('<tool_call>{"arguments": {"a": 1}, "name": "f"}</tool_call>'))

    assert calls == [["f", "abcdefg00", '{"a": 1}']]


def test_arguments_written_as_a_string_are_unpacked_and_missing_ones_are_empty():
    _, calls, _ = read("hermes", ['<tool_call>{"name": "f", "arguments": "{\\"a\\": 1}"}</tool_call>'])
    assert calls[0][2] == '{"a": 1}'

    _, calls, _ = read("hermes", ['<tool_call>{"name": "f"}</tool_call>'])
    assert calls[0][2] == "{}"


def test_a_call_that_is_cut_off_keeps_what_came():
    _, calls, _ = read("hermes", ['<tool_call>{"name": "f", "arguments": {"a": '])
    assert calls[0][2] == '{"a":'

    text, calls, _ = read("hermes", ['<tool_call>{"na'])
    assert (text, calls) == ('<tool_call>{"na', [])


def test_text_behind_a_call_is_text():
    text, calls, _ = read("hermes", list(f"{HERMES}\nDone. [1]"))

    assert (text, len(calls)) == ("Done. [1]", 1)


def test_one_call_alone_where_one_is_wanted():
    _, calls, events = read("hermes", [TEXTS["hermes"]], single=True)

    assert len(calls) == 1
    assert [event.kind for event in events if isinstance(event, RawEvent)] == ["tool_call_left_out"]


@pytest.mark.parametrize(
    ("template", "form"),
    [
        ("{% if tools %}<tool_call>{% endif %}", "hermes"),
        ("{% if tools %}[AVAILABLE_TOOLS]{% endif %}[TOOL_CALLS]", "mistral"),
        (
            '{% if tools %}{"name": function name, "parameters": dictionary}<|python_tag|>{% endif %}',
            "llama3",
        ),
        ("{{ messages }}", None),
        ("{% if tools %}<function=x>{% endif %}", None),
        (None, None),
    ],
)
def test_the_template_tells_the_form(template, form):
    assert format_of_template(template) == form
