"""Placeholders are replaced by values and nothing else, whatever texts contain."""

import json

import pytest
from hypothesis import given, strategies as st
from sagemaker_templates import body_of, prompt, read

from jackfield import ConfigurationError, MalformedResponseError
from jackfield_sagemaker._settings import Template

HOSTILE = [
    "{{prompt.__class__}}", "{{ prompt | upper }}", "{{''.__class__.__mro__}}", "{{config}}", "{{self}}", "{{prompt}} {{7*7}}",
    "{{ env.AWS_SECRET_ACCESS_KEY }}", "{{#each messages}}", "{{> file}}", "{{Prompt}}", "{{promt}}", "{{", "{{}}",
    "x {{max_tokens}}", "{{messages}} and more", "{{lookup('env', 'HOME')}}", "{{prompt\n}}",
]  # fmt: skip


NASTY = [
    '"}, "admin": true, {"',
    "{{system}}",
    "{{prompt}}",
    "{% raw %}",
    "\\u0000\x00\x1f",
    "${HOME}",
    "\u2028",
    "{{",
    "}}",
    "\ud7ff𝄞",
]


def test_values_keep_their_types_and_what_was_not_given_is_left_out():
    body = {
        "q": "{{prompt}}", "cfg": {"n": "{{max_tokens}}", "t": "{{temperature}}", "k": "{{top_k}}", "s": "{{stop}}"},
        "list": ["{{prompt}}", "{{seed}}", 1, None, True], "live": "{{stream}}", "fixed": {"a": [1.5, "x"]},
    }  # fmt: skip
    made = body_of(body, prompt("Hi", max_tokens=0, temperature=0.0, stop=("a", "b")))
    assert made == {
        "q": "Hi", "cfg": {"n": 0, "t": 0.0, "s": ["a", "b"]}, "list": ["Hi", 1, None, True], "live": False,
        "fixed": {"a": [1.5, "x"]},
    }  # fmt: skip


def test_texts_may_stand_inside_longer_strings():
    made = body_of(
        {"q": "### System: {{system}}\n### User: {{ prompt }}\n###"}, prompt("Hi", system="Be brief.")
    )
    assert made == {"q": "### System: Be brief.\n### User: Hi\n###"}
    assert body_of({"q": "{{system}}|{{prompt}}"}, prompt("Hi")) == {"q": "|Hi"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_template_that_wants_more_than_values_is_refused(text):
    with pytest.raises(ConfigurationError):
        Template(body={"a": "{{prompt}}", "b": [text]}, text="t")


def test_other_template_languages_are_plain_text():
    strings = [
        "{% include '/etc/passwd' %}",
        "${jndi:ldap://x}",
        "<%= 7 * 7 %>",
        "{0.__class__}",
        "%(prompt)s",
        "#{7*7}",
        "$HOME",
    ]
    assert body_of({"q": "{{prompt}}", "s": strings}, prompt())["s"] == strings


def test_paths_reach_data_alone():
    """A path names keys of the answer; it reaches no attribute of what holds them."""
    for path in ("__class__", "out.__class__", "keys", "out.upper", "@.__dict__"):
        with pytest.raises(MalformedResponseError):
            read({"text": path}, {"out": "x"})


@pytest.mark.parametrize("text", NASTY)
def test_a_prompt_stays_text(text):
    made = body_of(
        {"q": "{{prompt}}", "p": "<{{prompt}}|{{system}}>", "admin": False}, prompt(text, system="S")
    )
    assert made == {"q": text, "p": f"<{text}|S>", "admin": False}
    assert json.loads(json.dumps(made)) == made


@given(st.text(), st.text())
def test_any_prompt_stays_text(text, system):
    made = body_of(
        {"q": "{{prompt}}", "in": ["a {{prompt}} b {{system}} c"], "k": 1}, prompt(text, system=system)
    )
    assert made == {"q": text, "in": [f"a {text} b {system} c"], "k": 1}
