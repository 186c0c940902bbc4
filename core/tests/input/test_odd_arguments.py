"""Odd forms of arguments: read where they can be, refused in clear words where not, before anything is sent."""

import json

import pytest
from plain_provider import PlainProvider

from jackfield import ConfigurationError, Mesh, Message, Registry, Text, Tool, ToolCall
from jackfield._input.messages import normalise_messages
from jackfield.plugin import write_json

BIG = 2**70


@pytest.fixture
def mesh():
    config = {"connections": {"c": {"provider": "plain", "base_url": "http://127.0.0.1:1"}}}
    return Mesh.from_config(config, registry=Registry.of(PlainProvider()))


def refusal(mesh, messages="hi", **options):
    with pytest.raises(ConfigurationError) as caught:
        mesh.explain("c:m", messages, **options)
    return caught.value.message


def test_an_answer_of_openais_library_is_read_with_all_its_nothings():
    dumped = {
        "role": "assistant", "content": "hi", "refusal": None, "annotations": [], "audio": None, "function_call": None,
        "tool_calls": None, "reasoning_content": None,
    }  # fmt: skip
    (message,) = normalise_messages([dumped])
    assert message == Message("assistant", (Text("hi"),))


def test_what_is_not_nothing_is_not_passed_over(mesh):
    said = refusal(mesh, [{"role": "assistant", "content": "hi", "audio": {"id": "a1"}}])
    assert "messages[0] has the unknown key 'audio'" in said


class Dumps:
    """A message as pydantic has it."""

    def __init__(self, value):
        self.value = value

    def model_dump(self, *, exclude_none=False):
        assert exclude_none
        return self.value


def test_objects_of_pydantic_are_read():
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    entry = Dumps({"role": "assistant", "content": None, "tool_calls": [call]})
    (message,) = normalise_messages([entry])
    assert message.parts == (ToolCall("a", "f", {"x": 1}),)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (Dumps([1]), "whose model_dump gives a list"),
        (("user", "hi"), 'write a pair as {"role": ..., "content": ...}'),
        (object(), "want Message, ToolResult or a dict"),
        ({"role": "user", "content": None}, "has no 'content'"),
        (
            Message("assistant", (ToolCall("a", "f", '{"x": 1}'),)),
            "the arguments of the ToolCall 'f' are a str",
        ),
        (
            Message("assistant", (ToolCall("a", "f", None),)),
            "the arguments of the ToolCall 'f' are a NoneType",
        ),
    ],
)
def test_what_is_no_message_is_named(mesh, entry, words):
    assert words in refusal(mesh, [entry])


@pytest.mark.parametrize("messages", [({"role": "user", "content": "hi"},), iter([Message("user", "hi")])])
def test_any_several_will_do(messages):
    assert normalise_messages(messages) == (Message("user", (Text("hi"),)),)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_tokens": -1}, "max_tokens must be 0 or more, got -1"),
        ({"n": 0}, "n must be 1 or more, got 0"),
        ({"n": -2}, "n must be 1 or more, got -2"),
        ({"top_logprobs": -1}, "top_logprobs must be 0 or more"),
        ({"temperature": True}, "temperature must be a number, got True"),
        ({"temperature": "0.5"}, "temperature must be a number, got '0.5'"),
        ({"temperature": float("nan")}, "finite"),
        ({"max_tokens": "5"}, "max_tokens must be a whole number"),
        ({"tools": [Tool("f", "d", ["x"])]}, "tools[0].parameters is a list; want a JSON schema"),
        ({"tools": [{"name": "f", "parameters": "{}"}]}, "tools[0].parameters is a str"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": True}}]},
            "parameters is a bool",
        ),
        ({"response_format": ["x"]}, "response_format must be"),
        ({"response_format": {"type": "json_object"}}, "pass its schema alone"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
            "pass its schema alone",
        ),
    ],
)
def test_what_no_service_could_take_is_refused_before_anything_is_sent(mesh, options, words):
    assert words in refusal(mesh, **options)


@pytest.mark.parametrize(
    ("options", "words"), [({"dimensions": -1}, "dimensions"), ({"dimensions": True}, "dimensions")]
)
def test_the_same_for_embeddings(mesh, options, words):
    assert words in refusal(mesh, ["hi"], kind="embedding", **options)


def test_none_is_not_given(mesh):
    names = (
        "system", "max_tokens", "temperature", "top_p", "top_k", "stop", "seed", "logit_bias", "logprobs", "n", "tools",
        "tool_choice", "response_format", "reasoning", "user", "extra", "unsupported", "emulate", "parallel_tool_calls",
    )  # fmt: skip
    plain = mesh.explain("c:m", "hi")
    assert mesh.explain("c:m", "hi", **dict.fromkeys(names)).body == plain.body
    assert (
        mesh.explain("c:m", ["hi"], kind="embedding", dimensions=None).body
        == mesh.explain("c:m", ["hi"], kind="embedding").body
    )


def test_numbers_of_any_size_are_read_exactly():
    call = {"id": "a", "function": {"name": "f", "arguments": json.dumps({"x": BIG, "y": [-BIG]})}}
    (message,) = normalise_messages([{"role": "assistant", "tool_calls": [call]}])
    assert message.parts[0].arguments == {"x": BIG, "y": [-BIG]}
    assert str(BIG).encode() in write_json(message.parts[0].arguments)
