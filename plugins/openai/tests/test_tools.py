"""Tools and schemas, as callers and servers of tools give them."""

from __future__ import annotations

import pytest

from jackfield import Message, Tool, UnsupportedError
from jackfield.plugin import ChatRequest, ModelRef, Options
from jackfield.testing import translated
from jackfield_openai import compatible

PLUGIN = compatible(id="acme", base_url="http://127.0.0.1:9/v1", responses_path="/responses")
NARROW = compatible(id="acme", base_url="http://127.0.0.1:9/v1", narrow_strict=True)
TEXT = {"type": "string"}


def build(plugin=PLUGIN, model="m", route="chat", **options):
    request = ChatRequest((Message("user", "hi"),), Options(**options), stream=False)
    return translated(plugin, ModelRef(model, declared={"route": route}), request)


def strict(schema, **how):
    body = build(response_format=schema, **how).wire.body
    form = body["text"]["format"] if "text" in body else body["response_format"]["json_schema"]
    assert form["schema"] == schema
    return form["strict"]


def closed(**properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def nested(levels):
    return closed(a=TEXT) if levels == 1 else closed(a=nested(levels - 1))


@pytest.mark.parametrize("route", ["chat", "responses"])
@pytest.mark.parametrize(
    "schema",
    [
        closed(a=TEXT),
        closed(properties=TEXT, required=TEXT, type=TEXT, additionalProperties=TEXT),
        closed(a={"type": ["string", "null"], "description": "x", "title": "A"}),
        closed(a={"type": "string", "enum": ["object", "properties"]}),
        closed(a={"type": "string", "const": {"type": "object"}}),
        closed(a={"anyOf": [closed(b=TEXT), {"type": "null"}]}),
        closed(a={"type": "array", "items": closed(b=TEXT)}),
        {**closed(a={"$ref": "#/$defs/A"}, b={"$ref": "#"}), "$defs": {"A": closed(b=TEXT)}},
        {**closed(), "$schema": "http://json-schema.org/draft-07/schema#", "title": "T"},
        nested(10),
    ],
)
def test_schemas_of_the_documented_subset_are_strict(schema, route):
    assert strict(schema, route=route) is True


LIMITED = [
    closed(a={"type": "string", "pattern": "^a$"}),
    closed(a={"type": "string", "format": "date-time"}),
    closed(a={"type": "integer", "minimum": 0, "exclusiveMaximum": 9}),
    closed(a={"type": "number", "multipleOf": 0.5}),
    closed(a={"type": "array", "items": TEXT, "minItems": 1, "maxItems": 2}),
    nested(6),
    closed(**{f"p{n}": TEXT for n in range(101)}),
]


@pytest.mark.parametrize("schema", LIMITED)
def test_limits_of_values_are_strict_where_the_service_has_them(schema):
    assert strict(schema) is True
    assert strict(schema, plugin=NARROW) is False
    assert strict(schema, model="ft:gpt-4o:acme::1") is False


@pytest.mark.parametrize("route", ["chat", "responses"])
@pytest.mark.parametrize(
    "schema",
    [
        closed(a={"oneOf": [TEXT]}),
        closed(a={"allOf": [TEXT]}),
        closed(a={"type": "string", "not": {"const": "x"}}),
        closed(a={"type": "string", "format": "uri"}),
        closed(a={"type": "string", "minLength": 1}),
        closed(a={"type": "string", "default": "x"}),
        closed(a={"description": "anything"}),
        closed(a={"enum": ["a"]}),
        closed(a={}),
        closed(a=True),
        closed(a={"type": "text"}),
        closed(a={"type": "array"}),
        closed(a={"type": "array", "items": TEXT, "uniqueItems": True}),
        closed(a={"type": "array", "items": {}, "prefixItems": [TEXT]}),
        closed(a={"type": "object"}),
        closed(a={"type": "object", "additionalProperties": False}),
        closed(a={"type": "object", "properties": {"b": TEXT}, "required": ["b"]}),
        closed(a={"type": ["object", "null"], "properties": {"b": TEXT}, "required": ["b"]}),
        closed(a={"$ref": "#/$defs/A", "description": "x"}),
        closed(a={"$ref": "https://schemas.example/a"}),
        closed(a={"anyOf": [TEXT, {"type": "object"}]}),
        {**closed(a=TEXT), "patternProperties": {"^x": TEXT}},
        {**closed(a=TEXT), "required": []},
        {**closed(a=TEXT), "required": ["a", "b"]},
        {**closed(a=TEXT), "required": None},
        {**closed(a=TEXT), "additionalProperties": TEXT},
        {**closed(a=TEXT), "if": {}, "then": {}},
        {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": {"type": "object"}}},
        {"type": "array", "items": TEXT},
        {"anyOf": [closed(a=TEXT), closed(b=TEXT)]},
        {"type": "object", "anyOf": [closed(a=TEXT)]},
        {"$ref": "#/$defs/A", "$defs": {"A": closed(a=TEXT)}},
        closed(a={"type": "string", "enum": [str(n) for n in range(1001)]}),
        nested(11),
    ],
)
def test_schemas_outside_the_documented_subset_are_not(schema, route):
    assert strict(schema, route=route) is False


def test_the_report_says_why_a_schema_is_not_strict():
    report = build(response_format=closed(a={"oneOf": [TEXT]})).report
    (entry,) = [entry for entry in report if entry.name == "response_format.strict"]
    assert (entry.value, entry.why) == (False, "strict mode does not accept 'oneOf'")


# -- tools ------------------------------------------------------------------------------------------------------------

EMPTY = {"type": "object", "properties": {}}


def function(parameters):
    return Tool.from_dict({"type": "function", "function": {"name": "now", "parameters": parameters}})


@pytest.mark.parametrize("route", ["chat", "responses"])
@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (None, EMPTY),
        ({}, EMPTY),
        ({"type": "object"}, EMPTY),
        ({"type": None, "properties": None, "required": None, "description": None}, EMPTY),
        ({"type": "object", "additionalProperties": False}, {**EMPTY, "additionalProperties": False}),
        ({"properties": {"a": TEXT}}, {"type": "object", "properties": {"a": TEXT}}),
        ({"type": "object", "properties": {"a": {"type": "object"}}}, {"type": "object", "properties": {"a": {"type": "object"}}}),
        ({"$ref": "#/$defs/A", "$defs": {"A": EMPTY}}, {"$ref": "#/$defs/A", "$defs": {"A": EMPTY}}),
    ],
)  # fmt: skip
def test_parameters_of_a_tool_are_an_object_with_properties(given, sent, route):
    for tool in (function(given), Tool("now", None, given)):
        (made,) = build(tools=(tool,), route=route).wire.body["tools"]
        assert made.get("function", made)["parameters"] == sent


@pytest.mark.parametrize("route", ["chat", "responses"])
def test_what_needs_tools_is_not_sent_without_them(route):
    made = build(tools=(), tool_choice="auto", parallel_tool_calls=False, route=route)
    assert not made.wire.body.keys() & {"tools", "tool_choice", "parallel_tool_calls"}
    for name in ("tools", "tool_choice", "parallel_tool_calls"):
        assert made.report[name].fate == "dropped"
    own = {"acme": {"tools": [{"type": "web_search"}]}}
    body = build(tool_choice="auto", parallel_tool_calls=False, extra=own, route=route).wire.body
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("auto", False)


def test_a_dialect_without_the_switch_refuses_it():
    plugin = compatible(id="acme", base_url="http://127.0.0.1:9/v1", renamed={"parallel_tool_calls": None})
    with pytest.raises(UnsupportedError, match="parallel_tool_calls"):
        build(plugin=plugin, tools=(Tool("now"),), parallel_tool_calls=False)
