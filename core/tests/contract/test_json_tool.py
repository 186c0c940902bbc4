"""An answer in JSON comes through a forced tool, or the refusal says why it cannot."""

import pytest

from jackfield import UnsupportedError
from jackfield.plugin import UNSET, ReportBuilder, json_tool

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def asked(wanted=SCHEMA, *, policy="error", names=(), choice=UNSET, emulate=True, obstacle=None):
    report = ReportBuilder(policy, model="m")
    made = json_tool(report, wanted, names=names, choice=choice, emulate=emulate, obstacle=obstacle)
    return made, report


def test_the_tool_takes_the_schema_and_is_forced_by_name():
    made, report = asked()
    assert made.tool.parameters == SCHEMA
    assert made.by_name
    made.note(report, tools="tools", choice="tool_choice", forced={"type": "tool"})
    notes = report.finish()
    assert [(note.name, note.fate, note.wire, note.value) for note in notes] == [
        ("response_format", "emulated", "tools", SCHEMA),
        ("tool_choice", "emulated", "tool_choice", {"type": "tool"}),
    ]
    assert notes["response_format"].why == (
        "the model follows no schema by itself: through the tool answer_in_json"
    )


def test_plain_json_is_any_object():
    made, _ = asked("json")
    assert made.tool.parameters == {"type": "object"}
    assert made.why == "the service has no plain JSON mode"


@pytest.mark.parametrize(
    ("names", "choice", "by_name"),
    [((), UNSET, True), (("add",), UNSET, False), (("add",), "auto", False), (("add",), "none", True)],
)
def test_beside_tools_that_may_be_called_any_is_forced(names, choice, by_name):
    made, _ = asked(names=names, choice=choice)
    assert made.by_name is by_name


def test_its_name_is_none_of_the_callers():
    made, _ = asked(names=("answer_in_json", "answer_in_json_"))
    assert made.tool.name == "answer_in_json__"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"emulate": False}, "emulate=False forbids to force a tool in its place"),
        ({"obstacle": "no tool call can be forced in its place"}, "no tool call can be forced in its place"),
        ({"choice": "required"}, "the tool that tool_choice forces stands in the way"),
        ({"choice": "add", "names": ("add",)}, "the tool that tool_choice forces stands in the way"),
        ({"wanted": {"type": "array"}}, "wants a schema of type object"),
    ],
)
def test_what_stands_in_the_way_is_named(given, why):
    with pytest.raises(UnsupportedError, match=why) as caught:
        asked(**given)
    assert caught.value.parameter == "response_format"
    made, report = asked(**given, policy="drop")
    assert made is None
    assert why in report.finish()["response_format"].why
