"""Calls of tools in texts, as families of models write them."""

import json

import pytest
from hypothesis import given, settings, strategies as st

from jackfield import RawEvent, TextDelta, ToolCallDelta, ToolCallEnd, ToolCallStart
from jackfield_onnx._text.calls import CallParser
from jackfield_onnx._text.tools import FORMATS, detect_format

ARGUMENTS = {"city": "Köln", "days": [1, 2]}
JSON = '{"city": "Köln", "days": [1, 2]}'
CALL = f'{{"name": "weather", "arguments": {JSON}}}'
XML = (
    "<tool_call>\n<function=weather>\n<parameter=city>\nKöln\n</parameter>\n<parameter=days>\n[1, 2]\n</parameter>\n"
    "</function>\n</tool_call>"
)
# What the tools take, by which answers that are not JSON are read.
TYPES = {"weather": {"city": {"type": "string"}, "days": {"type": "array"}}}
HERMES = '<tool_call>\n{"name": "weather", "arguments": {"city": "Köln", "days": [1, 2]}}\n</tool_call>'
TEXTS = {
    "hermes": f"I will look.\n{HERMES}\n{HERMES}",
    "mistral": '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Köln", "days": [1, 2]}}, '
    '{"name": "weather", "arguments": {"city": "Köln", "days": [1, 2]}}]',
    "llama3": '{"name": "weather", "parameters": {"city": "Köln", "days": [1, 2]}}',
    "mistral-args": f"I will look.[TOOL_CALLS]weather[ARGS]{JSON}[TOOL_CALLS]weather[CALL_ID]Ab3dE6gh9[ARGS]{JSON}",
    "qwen-xml": f"I will look.\n\n{XML}\n{XML}",
    "granite": f"<|tool_call|>[{CALL}, {CALL}]",
    "phi4": f"<|tool_call|>{CALL}<|/tool_call|><|tool_call|>[{CALL}]<|/tool_call|>",
}


MARKERS = (
    "[TOOL_CALLS]",
    "[ARGS]",
    "<tool_call>",
    "<function=",
    "<parameter=",
    "</parameter>",
    "</function>",
)


def read(form, pieces, **more):
    """Return the text, and each call's name, id and arguments; checks that they come in order."""
    parser = CallParser(FORMATS[form], "abcdefg", types=TYPES, **more)
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
    assert text == ("I will look." if TEXTS[form].startswith("I") else "")
    for cut in range(len(TEXTS[form])):
        assert read(form, [TEXTS[form][:cut], TEXTS[form][cut:]])[:2] == (text, calls)
    assert read(form, list(TEXTS[form]))[:2] == (text, calls)


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=40, deadline=None)
@given(
    text=st.lists(st.sampled_from([*'<tool_cal>[TOOL_CALLS]{}"name:x,\\ \n|py', *MARKERS]), max_size=60).map(
        "".join
    )
)
def test_a_text_without_calls_comes_out_as_it_is(form, text):
    shown, calls, _ = read(form, list(text))

    if not calls:
        # What stands between a marker and nothing is not kept to the space.
        assert "".join(shown.split()) == "".join(text.split())


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "text",
    [
        "Plain text.",
        "a < b\n\n",
        "{not json",
        '{"a": 1} is JSON',
        "<tool",
        "[TOOL",
        "",
        "<function=",
        "<function=a b",
        "[TOOL_CALLS]no name",
        "[TOOL_CALLS]name",
        "[TOOL_CALLS]name[ARGS]7",
        "<|tool_call|>none",
        "<tool_call><function=f",
    ],
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


def test_arguments_that_are_nested_without_end_or_wrongly_quoted_stay_text():
    deep = "[" * 100_000
    assert xml({"a": deep}, {"a": {"type": "array"}}) == {"a": deep}
    _, calls, _ = read("hermes", ['<tool_call>{"name": "f", "arguments": "{\\x"}</tool_call>'])
    assert calls[0][2].strip() == '"{\\x"'


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


@pytest.mark.parametrize("form", TEXTS)
@settings(max_examples=60, deadline=None)
@given(cuts=st.sets(st.integers(0, 200)), behind=st.text("a {<[\n", max_size=8))
def test_a_stream_says_what_the_whole_says(form, cuts, behind):
    text = TEXTS[form] + behind
    ends = [*sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    assert read(form, pieces)[:2] == read(form, [text])[:2]


def test_newer_mistral_models_may_write_the_older_list_too():
    _, calls, _ = read("mistral-args", list(TEXTS["mistral"]))

    assert [json.loads(raw) for _, _, raw in calls] == [ARGUMENTS] * 2


def test_arguments_of_a_named_call_come_while_they_are_written():
    parser = CallParser(FORMATS["mistral-args"], "s")
    events = parser.feed('[TOOL_CALLS]f[ARGS]{"a": "b')

    assert events == [ToolCallStart(0, "s00", "f"), ToolCallDelta(0, '{"a": "b')]


def xml(parameters, types=None, name="f"):
    """Return the arguments that are read of some parameters."""
    written = "".join(f"<parameter={key}>\n{value}\n</parameter>\n" for key, value in parameters.items())
    parser = CallParser(FORMATS["qwen-xml"], "s", types={"f": types or {}})
    events = (
        parser.feed(f"<tool_call>\n<function={name}>\n{written}</function>\n</tool_call>") + parser.finish()
    )
    return json.loads("".join(event.arguments for event in events if isinstance(event, ToolCallDelta)))


def test_parameters_are_read_as_the_tool_says():
    types = {
        "a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": "boolean"}, "d": {"type": ["string", "null"]},
        "e": {"enum": ["1", "2"]}, "f": {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "g": {"type": "object"},
    }  # fmt: skip
    given_ = {
        "a": "12",
        "b": "12",
        "c": "True",
        "d": "null",
        "e": "1",
        "f": "12",
        "g": '{"x": 1}',
        "h": "no\nschema",
    }

    assert xml(given_, types) == {
        "a": "12", "b": 12, "c": True, "d": "null", "e": "1", "f": "12", "g": {"x": 1}, "h": "no\nschema",
    }  # fmt: skip
    assert xml({"a": "not a number"}, {"a": {"type": "integer"}}) == {"a": "not a number"}
    assert xml({}) == {}
    assert xml({"text": " <b>\n</b> \n"}, {"text": {"type": "string"}}) == {"text": " <b>\n</b> \n"}


def test_a_function_without_its_wrapper_is_a_call():
    text, calls, _ = read("qwen-xml", list("Look.\n<function=f>\n</function>\n</tool_call>"))

    assert (text, calls) == ("Look.", [["f", "abcdefg00", "{}"]])


@pytest.mark.parametrize(
    ("template", "form"),
    [
        ("{% if tools %}<tool_call><function=x><parameter=y>{% endif %}", "qwen-xml"),
        ("{% if tools %}{{ '[TOOL_CALLS]' + name + '[ARGS]' }}{% endif %}", "mistral-args"),
        ("{% if tools %}<|tool_call|>{}<|/tool_call|>{% endif %}", "phi4"),
        ("{% if tools %}<|tool_call|>{% endif %}", "granite"),
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
    assert detect_format(template) == form
