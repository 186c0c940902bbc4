"""Schemas in the service's subset: objects are closed, limits are words, and nothing is lost in silence."""

import copy

import pytest
from anthropic_requests import body, made

from jackfield import Tool, UnsupportedError
from jackfield_anthropic.dialect import SchemaAdapter

PERSON = {
    "type": "object",
    "properties": {
        "age": {"type": "integer", "minimum": 0, "maximum": 150, "description": "In years."},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 9}, "minItems": 2},
        "home": {"$ref": "#/$defs/place"},
        "properties": {"type": "object", "properties": {"minimum": {"type": "number"}}},
        "either": {
            "oneOf": [{"type": "string", "format": "color"}, {"type": ["object", "null"], "properties": {}}]
        },
        "code": {"type": "string", "pattern": "^[a-z]+$", "format": "uuid"},
        "word": {"type": "string", "pattern": "\\bword\\b"},
    },
    "required": ["age"],
    "$defs": {"place": {"type": "object", "properties": {"x": {"type": "number", "multipleOf": 2}}}},
}


def test_objects_are_closed_and_limits_become_words():
    before = copy.deepcopy(PERSON)
    adapter = SchemaAdapter()
    assert adapter.adapt(PERSON) == {
        "type": "object",
        "properties": {
            "age": {"type": "integer", "description": "In years. (at least 0, at most 150)"},
            "tags": {
                "type": "array",
                "items": {"type": "string", "description": "at most 9 characters"},
                "description": "at least 2 items",
            },
            "home": {"$ref": "#/$defs/place"},
            "properties": {
                "type": "object",
                "properties": {"minimum": {"type": "number"}},
                "additionalProperties": False,
            },
            "either": {
                "anyOf": [
                    {"type": "string", "description": 'in the format "color"'},
                    {"type": ["object", "null"], "properties": {}, "additionalProperties": False},
                ]
            },
            "code": {"type": "string", "pattern": "^[a-z]+$", "format": "uuid"},
            "word": {"type": "string", "description": 'matches the pattern "\\\\bword\\\\b"'},
        },
        "required": ["age"],
        "$defs": {
            "place": {
                "type": "object",
                "properties": {"x": {"type": "number", "description": "a multiple of 2"}},
                "additionalProperties": False,
            }
        },
        "additionalProperties": False,
    }
    assert before == PERSON
    assert not adapter.maps


def test_an_adapted_schema_is_reported():
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
    translation = made("claude-sonnet-4-5", response_format=schema)
    sent = translation.wire.body["output_config"]["format"]["schema"]
    assert sent == {
        "type": "object",
        "properties": {"n": {"type": "integer", "description": "at least 1"}},
        "additionalProperties": False,
    }
    note = translation.report["response_format.schema"]
    assert (note.fate, note.value) == ("emulated", sent)
    assert "minimum" in note.why
    with pytest.raises(UnsupportedError, match="subset"):
        made("claude-sonnet-4-5", response_format=schema, emulate=False)
    closed = {"type": "object", "properties": {}, "additionalProperties": False}
    plain = made("claude-sonnet-4-5", response_format=closed, emulate=False)
    assert plain.wire.body["output_config"]["format"]["schema"] == closed


@pytest.mark.parametrize(
    "value", [{"type": "object"}, {"type": "object", "additionalProperties": {"type": "string"}}]
)
def test_objects_of_any_keys_come_through_a_tool(value):
    schema = {"type": "object", "properties": {"any": value}, "additionalProperties": False}
    sent = body("claude-sonnet-4-5", response_format=schema)
    assert "output_config" not in sent
    assert sent["tools"][0]["input_schema"] == schema
    with pytest.raises(UnsupportedError, match="forced"):
        made("claude-opus-5-5", response_format=schema)


def test_strict_tools_are_held_to_the_same_subset():
    loose = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 5}}}
    translation = made(tools=(Tool("a", None, loose, strict=True), Tool("b", None, loose)))
    first, second = translation.wire.body["tools"]
    assert first["input_schema"]["additionalProperties"] is False
    assert first["input_schema"]["properties"]["n"] == {"type": "integer", "description": "at most 5"}
    assert second["input_schema"] == loose
    assert translation.report["tools[0].parameters"].fate == "emulated"
    with pytest.raises(UnsupportedError, match="any keys"):
        made(tools=(Tool("a", None, {"type": "object", "additionalProperties": True}, strict=True),))
