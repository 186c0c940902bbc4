"""Options go on the wire by the model's rules, and the report says what became of each."""

import copy

import pytest

from jackfield import UnsupportedError
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ParameterRule,
    ParameterWriter,
    ReportBuilder,
)


def writer(given, policy="error", body=None, **rules):
    return ParameterWriter(
        given, Capabilities(parameters=rules), policy, {} if body is None else body, model="m"
    )


def fates(report):
    return {note.name: note.fate for note in report}


def test_sent_and_renamed():
    w = writer({"a": 1, "b": 2, "c": 3, "d": [4]}, b=ParameterRule(wire="config.b"))
    assert (w.put("a"), w.put("b", "ignored"), w.put("c", "see"), w.put("d", convert=tuple)) == (
        1,
        2,
        3,
        (4,),
    )
    assert w.body == {"a": 1, "config": {"b": 2}, "see": 3, "d": (4,)}
    assert fates(w.finish()) == {"a": "sent", "b": "renamed", "c": "renamed", "d": "sent"}


def test_what_was_not_given_is_not_written():
    w = writer({})
    assert w.put("a") is UNSET
    assert (w.body, len(w.finish())) == ({}, 0)


@pytest.mark.parametrize("value", [0, 0.0, False, "", [], (), None])
def test_what_is_empty_is_given(value):
    w = writer({"a": value})
    w.put("a")
    assert w.body == {"a": value}
    assert fates(w.finish()) == {"a": "sent"}


@pytest.mark.parametrize("read", ["put", "take"])
def test_a_list_of_no_tools_asks_for_nothing(read):
    w = writer({"tools": ()})
    assert getattr(w, read)("tools") is UNSET
    assert w.body == {}
    assert fates(w.finish()) == {"tools": "dropped"}


RULES = {
    "low": (ParameterRule(minimum=1), 0, 1),
    "high": (ParameterRule(maximum=2.0), 3, 2),
    "many": (ParameterRule(max_items=2), ["a", "b", "c"], ["a", "b"]),
    "renamed": (ParameterRule(maximum=1, wire="other"), 7, 1),
}


@pytest.mark.parametrize("name", RULES)
def test_out_of_range_is_refused_or_clamped(name):
    rule, value, nearest = RULES[name]
    with pytest.raises(UnsupportedError, match="out of range") as caught:
        writer({"x": value}, x=rule).put("x")
    assert caught.value.parameter == "x"
    w = writer({"x": value}, "drop", x=rule)
    w.put("x")
    assert w.body == {rule.wire or "x": nearest}
    assert type(next(iter(w.body.values()))) is type(nearest)
    [note] = w.finish()
    assert (note.fate, note.value, repr(value) in note.why) == ("clamped", nearest, True)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (ParameterRule(supported=False, why="it is old"), "it is old"),
        (ParameterRule(supported=False), "does not support"),
        (ParameterRule(choices=("a", "b")), "not one of 'a', 'b'"),
    ],
)
def test_what_is_not_honoured_is_refused_or_dropped(rule, words):
    with pytest.raises(UnsupportedError, match=words):
        writer({"x": "z"}, x=rule).put("x")
    w = writer({"x": "z"}, "drop", x=rule)
    assert w.put("x") is UNSET
    assert w.body == {}
    [note] = w.finish()
    assert (note.fate, note.value, words in note.why) == ("dropped", "z", True)


def test_the_edges_are_inside():
    w = writer({"a": 1, "b": 2}, a=ParameterRule(minimum=1), b=ParameterRule(maximum=2))
    w.put("a")
    w.put("b")
    assert fates(w.finish()) == {"a": "sent", "b": "sent"}


def test_what_nobody_asked_about_is_refused_at_the_end():
    with pytest.raises(UnsupportedError, match="no such parameter") as caught:
        writer({"seed": 1}).finish()
    assert caught.value.parameter == "seed"
    assert fates(writer({"seed": 1, "top_k": 2}, "drop").finish()) == {"seed": "dropped", "top_k": "dropped"}


def test_what_was_clamped_is_reported_under_the_name_that_was_sent():
    w = writer({"x": 7}, "drop", x=ParameterRule(maximum=1))
    w.put("x", "max_x")
    assert w.body == {"max_x": 1}
    assert [(note.fate, note.wire, note.value) for note in w.finish()] == [("clamped", "max_x", 1)]


def test_a_default_is_reported():
    w = writer({})
    w.default("max_tokens", "config.limit", 9, "the service wants one")
    assert w.body == {"config": {"limit": 9}}
    [note] = w.finish().changed()
    assert (note.fate, note.wire, note.value) == ("defaulted", "config.limit", 9)


def test_extra_is_merged_deeply_and_changes_nothing_that_was_given():
    schema = {"type": "object", "properties": {"a": {}}}
    extra = {"me": {"format": {"properties": {"b": {}}}, "list": [1]}, "other": {"x": 1}}
    before = copy.deepcopy((schema, extra))
    w = writer({"format": schema})
    w.put("format")
    w.merge_extra(extra, "me", "absent")
    assert w.body == {"format": {"type": "object", "properties": {"a": {}, "b": {}}}, "list": [1]}
    assert (schema, extra) == before
    assert fates(w.finish()) == {"format": "sent", "extra.me.format": "sent", "extra.me.list": "sent"}


def test_a_report_is_looked_up_by_name():
    w = writer({"a": 1})
    w.put("a")
    report = w.finish()
    assert report["a"].fate == "sent"
    with pytest.raises(KeyError):
        report["b"]


def test_the_choices_of_reasoning_are_its_words():
    from jackfield import Reasoning

    known = Capabilities(parameters={"reasoning": ParameterRule(choices=("low", "high"))})

    def put(value):
        writer = ParameterWriter({"reasoning": value}, known, "error", {})
        return writer.put("reasoning", "effort", lambda reasoning: reasoning.effort)

    assert put(Reasoning(effort="high")) == "high"
    assert put(Reasoning(budget_tokens=5)) is None
    with pytest.raises(UnsupportedError, match="'medium' is not one of 'low', 'high'"):
        put(Reasoning(effort="medium"))


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (ParameterRule(choices=("a", "b"), why="since March"), "c"),
        (ParameterRule(minimum=1, why="since March"), 0),
        (ParameterRule(maximum=1, why="since March"), 2),
        (ParameterRule(max_items=1, why="since March"), [1, 2]),
    ],
)
def test_a_rule_says_why_behind_what_it_says(rule, value):
    with pytest.raises(UnsupportedError, match=r"(not one of|at (least|most)) .+: since March; leave it out"):
        writer({"a": value}, a=rule).put("a")
    dropped = writer({"a": value}, "drop", a=rule)
    dropped.put("a")
    assert dropped.finish()["a"].why.endswith(": since March")


def test_a_callers_mapping_is_not_written_into():
    theirs = {"inner": {"deep": 1}}
    kept = copy.deepcopy(theirs)
    w = writer({"a": theirs, "b": 2, "c": 3, "d": 4}, b=ParameterRule(wire="a.b"))
    w.put("a")
    w.put("b")
    w.put("c", "a.inner.c")
    w.put("d", "own.d")
    w.put("nothing")
    own = w.body["own"]
    w.merge_extra({"x": {"more": theirs}}, "x")
    w.default("e", "more.e", 5, "it wants one")
    w.default("f", "own.f", 6, "it wants one")
    assert theirs == kept
    assert w.body["a"] == {"inner": {"deep": 1, "c": 3}, "b": 2}
    assert w.body["more"] == {"inner": {"deep": 1}, "e": 5}
    assert w.body["own"] is own, "what the writer made itself is not copied each time"


def test_extra_is_merged_into_another_mapping_where_the_service_wants_it():
    options = {"a": {"b": 1}}
    w = writer({}, body={"c": 1})
    inner = {"a": {"d": 2}}
    w.merge_extra({"x": options, "y": {"z": 1}}, "x", into=inner)
    assert inner == {"a": {"d": 2, "b": 1}}
    assert w.body == {"c": 1}
    assert options == {"a": {"b": 1}}
    assert w.finish()["extra.x.a"].wire == "a"


def test_within_writes_and_reports_at_a_place_of_the_body():
    w = writer({"a": 1, "b": 2, "c": 3}, b=ParameterRule(wire="deep.b"))
    with w.within("fields"):
        w.put("a")
        w.put("b")
        assert w.body == {"a": 1, "deep": {"b": 2}}
    w.put("c")
    assert w.body == {"fields": {"a": 1, "deep": {"b": 2}}, "c": 3}
    assert [note.wire for note in w.finish()] == ["fields.a", "fields.deep.b", "c"]


def test_within_leaves_no_empty_mapping_and_keeps_what_is_there():
    w = writer({}, body={"kept": {"a": 1}})
    with w.within("empty"):
        pass
    with w.within("kept"):
        w.write("b", "b", 2)
    assert w.body == {"kept": {"a": 1, "b": 2}}


def test_within_leaves_what_a_caller_gave_as_it_is():
    given = {"mine": {"a": {"b": 1}}}
    before = copy.deepcopy(given)
    w = writer(given)
    w.put("mine")
    with w.within("mine"):
        w.write("c", "a.c", 2)
        w.write("d", "new", {"x": given["mine"]})
        w.write("e", "new.y", 3)
    w.write("f", "mine.new.x.z", 4)
    w.write("g", "mine.a.h", 5)
    assert given == before
    assert w.body["mine"]["a"] == {"b": 1, "c": 2, "h": 5}


def test_a_report_is_built_without_a_writer():
    before = ReportBuilder("drop", model="m")
    before.refuse("a", "it cannot", 1)
    before.extend(put_all({"b": 2}))
    assert fates(before.finish()) == {"a": "dropped", "b": "sent"}
    with pytest.raises(UnsupportedError, match="^m cannot honour a: it cannot"):
        ReportBuilder("error", model="m").refuse("a", "it cannot")


def put_all(given):
    w = writer(given)
    for name in given:
        w.put(name)
    return w.finish()


def test_of_options_that_exclude_one_another_the_one_with_the_rule_is_refused_or_dropped():
    rules = {"top_p": ParameterRule(excludes=("temperature",)), "temperature": ParameterRule(maximum=1)}
    known = Capabilities(parameters=rules)

    def write(policy, **given):
        writer = ParameterWriter(given, known, policy, {})
        for name in ("top_p", "temperature"):
            writer.put(name)
        return writer.body, {note.name: note.fate for note in writer.finish()}

    assert write("error", top_p=0.5)[0] == {"top_p": 0.5}
    with pytest.raises(UnsupportedError, match="together with temperature"):
        write("error", top_p=0.5, temperature=0)
    body, fates = write("drop", top_p=0.5, temperature=0)
    assert (body, fates) == ({"temperature": 0}, {"top_p": "dropped", "temperature": "sent"})


def test_an_option_that_was_dropped_excludes_no_other():
    rules = {"top_p": ParameterRule(excludes=("temperature",)), "temperature": ParameterRule(supported=False)}
    writer = ParameterWriter({"temperature": 1, "top_p": 0.5}, Capabilities(parameters=rules), "drop", {})
    writer.put("temperature")
    writer.put("top_p")
    assert writer.body == {"top_p": 0.5}
