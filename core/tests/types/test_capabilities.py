"""What a row of a table says of a model."""

import pytest

from jackfield.plugin import Capabilities, Capability, Limits, ParameterRule

SOURCE = "a page, 2026-11-01"


def test_a_row_becomes_capabilities():
    row = {
        "kinds": ["chat"],
        "features": {"tools": True, "images": False, "audio": None},
        "parameters": {
            "temperature": {"minimum": 0, "maximum": 1},
            "reasoning": {"choices": ["low", "high"], "source": "another page"},
        },
        "limits": {"context_window": 32000},
        "retired": "2027-01-31",
        "price": {"input": "1"},
    }
    assert Capabilities.from_row(row, source=SOURCE) == Capabilities(
        known=True,
        kinds=frozenset({"chat"}),
        features={
            "tools": Capability(True, SOURCE),
            "images": Capability(False, SOURCE),
            "audio": Capability(None, SOURCE),
        },
        parameters={
            "temperature": ParameterRule(minimum=0, maximum=1, source=SOURCE),
            "reasoning": ParameterRule(choices=("low", "high"), source="another page"),
        },
        limits=Limits(context_window=32000),
        retired="2027-01-31",
        source=SOURCE,
    )


def test_an_empty_row_says_that_the_model_is_known():
    assert Capabilities.from_row({}, source=SOURCE) == Capabilities(known=True, source=SOURCE)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"kinds": ["chats"]}, "no kind 'chats'; did you mean 'chat'"),
        ({"features": {"tool": True}}, "no feature 'tool'; did you mean 'tools'"),
        ({"limits": {"context": 1}}, "no limit 'context'; did you mean 'context_window'"),
    ],
)
def test_a_name_that_is_not_known_is_an_error(row, words):
    with pytest.raises(ValueError, match=words):
        Capabilities.from_row(row, source=SOURCE)
