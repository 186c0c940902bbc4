"""An option is declared once: what checks, writes or tries it follows from its field."""

import pytest

from jackfield import ChatOptions, EmbedOptions, RerankOptions
from jackfield._input.arguments import DECLARABLE, option_fault
from jackfield._types.option_rules import option_rules
from jackfield._types.options import PARAMETER_NAMES
from jackfield._types.requests import EMBED_OPTIONS, RERANK_OPTIONS
from jackfield.plugin import UNSET, EmbedRequest, Options, RerankRequest
from jackfield.testing import _checks_options as checks
from jackfield.testing._rich_requests import BATCH_VALUES, option_values

TYPED = [(ChatOptions, Options), (EmbedOptions, EmbedRequest), (RerankOptions, RerankRequest)]


@pytest.mark.parametrize(("typed", "cls"), TYPED, ids=lambda one: one.__name__)
def test_type_checkers_see_every_option(typed, cls):
    assert set(typed.__annotations__) == {*option_rules(cls), "timeout", "owner", "labels"}


def test_the_kit_has_a_value_for_every_option():
    assert set(option_values()) == set(PARAMETER_NAMES)
    assert set(BATCH_VALUES["embedding"]) == set(EMBED_OPTIONS)
    assert set(BATCH_VALUES["rerank"]) == set(RERANK_OPTIONS)


@pytest.mark.parametrize("name", PARAMETER_NAMES)
def test_the_kits_values_are_valid(name):
    assert option_fault(name, option_values()[name]) is None


def test_the_kit_tries_zero_of_each_number_and_emptiness_of_each_text_and_list():
    assert checks._ZEROS == {
        "max_tokens": 0, "temperature": 0, "top_p": 0, "top_k": 0, "seed": 0, "presence_penalty": 0,
        "frequency_penalty": 0, "logprobs": False, "top_logprobs": 0, "n": 1, "parallel_tool_calls": False,
        "store": False, "background": False,
    }  # fmt: skip
    assert checks._EMPTIES == {
        "system": "", "stop": (), "logit_bias": {}, "tools": (), "user": "", "suffix": "",
    }  # fmt: skip


@pytest.mark.parametrize("name", DECLARABLE)
def test_every_option_refuses_another_type_in_its_own_words(name):
    rule = DECLARABLE[name]
    wrong = 7 if int not in rule.types else "7"
    assert option_fault(name, wrong) == f"must be {rule.words}, got {wrong!r}"


@pytest.mark.parametrize(("name", "rule"), [(n, r) for n, r in DECLARABLE.items() if r.choices])
def test_a_word_is_one_of_the_choices(name, rule):
    assert [option_fault(name, choice) for choice in rule.choices] == [None] * len(rule.choices)
    assert option_fault(name, "other") == f"must be one of {', '.join(rule.choices)}, got 'other'"


def test_what_was_given_is_told_from_what_was_not():
    assert EmbedRequest(inputs=("x",), truncate="end", dimensions=0).given() == {
        "truncate": "end",
        "dimensions": 0,
    }
    assert RerankRequest(query="q", documents=("x",)).given() == {}
    assert Options(system="", extra={"a": {}}).given() == {"system": ""}
    assert Options().temperature is UNSET
