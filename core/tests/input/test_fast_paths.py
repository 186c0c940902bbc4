"""The fast paths from a caller's arguments to a request give what the general paths give."""

import copy
import pickle

import attrs
import pytest
from hypothesis import given, strategies as st

from jackfield import Message, Text, Thinking, Tool
from jackfield._input.arguments import chat_request
from jackfield._input.messages import message_from_dict
from jackfield.plugin import Options

ADD = Tool("add", "Add.", {"type": "object"})
# Values that are the same before and after they are checked.
GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "system": st.sampled_from(["", "Be brief."]),
        "max_tokens": st.integers(1, 9),
        "temperature": st.sampled_from([0, 0.5]),
        "stop": st.sampled_from([(), ("a", "b")]),
        "logprobs": st.booleans(),
        "n": st.just(1),
        "tools": st.just((ADD,)),
        "response_format": st.sampled_from(["json", {"type": "object"}]),
        "user": st.just("u"),
        "extra": st.just({"openai": {"x": 1}}),
        "emulate": st.booleans(),
    },
)


@given(GIVEN, st.sampled_from(["error", "drop"]))
def test_options_are_those_that_their_class_makes(given, policy):
    made = chat_request("Hi", given, policy, stream=False).options
    wanted = Options(**given, unsupported=policy)
    assert made == wanted
    assert type(made) is Options
    assert list(made.given().items()) == list(wanted.given().items())
    assert attrs.asdict(made, recurse=False) == attrs.asdict(wanted, recurse=False)
    for other in (copy.copy(made), pickle.loads(pickle.dumps(made)), attrs.evolve(made)):
        assert other == made
        assert other.given() == made.given()


def test_options_have_every_field_that_their_class_has():
    made = chat_request("Hi", {"max_tokens": 1}, "error", stream=False).options
    assert attrs.asdict(made).keys() == {field.name for field in attrs.fields(Options)}


def test_options_are_given_in_the_order_of_their_fields():
    made = chat_request("Hi", {"user": "u", "n": 1, "system": "s"}, "error", stream=False).options
    assert list(made.given()) == ["system", "n", "user"]


@given(st.sampled_from(["system", "developer", "user", "assistant"]), st.text())
def test_a_dict_of_role_and_text_is_read_as_one_with_more_keys(role, text):
    usual = {"role": role, "content": text}
    fuller = {**usual, "name": None}  # which says nothing, and keeps a dict from the fast path
    assert message_from_dict(usual, where="m") == message_from_dict(fuller, where="m")


def test_a_dict_with_a_name_does_not_take_the_fast_path():
    named = {"role": "user", "content": "Hi", "name": "bob"}
    assert message_from_dict(named, where="m") == Message("user", "Hi", name="bob")


@pytest.mark.parametrize(
    "entry",
    [
        {"role": "tool", "content": "3"},
        {"role": "stranger", "content": "Hi"},
        {"content": "Hi", "rule": "user"},
        {"role": "user", "contents": "Hi"},
    ],
)
def test_dicts_that_the_fast_path_may_not_take_are_checked(entry):
    with pytest.raises(ValueError, match="m"):
        message_from_dict(entry, where="m")


@given(st.sampled_from([Text("Hi"), Text(""), Thinking("Hm"), "Hi"]))
def test_one_part_is_held_as_it_is_among_several(part):
    assert Message("assistant", (part,)) == Message("assistant", [part])


@given(
    st.lists(st.sampled_from([Text("Hi"), Text(""), Text("No", refusal=True), Thinking("Hm")]), max_size=3)
)
def test_the_text_of_a_message_is_that_of_its_parts(parts):
    wanted = "".join(part.text for part in parts if isinstance(part, Text) and not part.refusal)
    assert Message("assistant", tuple(parts)).text == wanted
