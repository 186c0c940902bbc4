"""What plugins need to hand a client's request on as it came."""

import json

import pytest
from hypothesis import given, strategies as st

from jackfield import ConfigurationError
from jackfield.plugin import pass_headers, replace_model, swap_model

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.just("model"), inner, max_size=4),
    max_leaves=12,
)
NESTED = (
    '{"tools":[{"properties":{"model":{"type":"string","model":"x"}}}],"model":"a","m":"\\"model\\":\\"b\\""}'
)


@given(
    before=st.dictionaries(TEXTS, VALUES, max_size=3),
    after=st.dictionaries(TEXTS, VALUES, max_size=3),
    name=TEXTS,
)
def test_only_the_models_name_is_another(before, after, name):
    before.pop("model", None)
    after.pop("model", None)
    left = json.dumps(before, ensure_ascii=False)[1:-1]
    right = json.dumps(after, ensure_ascii=False)[1:-1]
    head = "{" + (left + ", " if left else "")
    tail = (", " + right if right else "") + "}"
    sent = (head + '"model" : "alias"' + tail).encode()
    changed = replace_model(sent, name)
    assert json.loads(changed)["model"] == name
    assert changed.startswith(head.encode())
    assert changed.endswith(tail.encode())
    swapped = swap_model(sent, "version", name)
    assert swapped == (head + f'"version":{json.dumps(name, ensure_ascii=False)}' + tail).encode()


def test_a_model_deeper_inside_is_not_the_model():
    assert replace_model(NESTED.encode(), "real").decode() == NESTED.replace('"model":"a"', '"model":"real"')


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"model": 5}',
        b'{"model": null}',
        b'{"model":"a","model":"b"}',
        b'{"x":{"model":"a"}}',
        rb'{"mod\u0065l":"b","model":"a"}',
        rb'{"model":"a","\u006Dodel":"b"}',
        rb'{"model":"a","\u004dodel":"b"}',
        b'{"model":"a","Model":"b"}',
        b'{"MODEL" :"b","model":"a"}',
        b'{"Model":"a"}',
    ],
)
def test_a_body_whose_model_is_not_plain_is_refused(body):
    with pytest.raises(ConfigurationError):
        replace_model(body, "real")


def test_a_clients_key_is_never_passed_on():
    headers = {
        "Authorization": "Bearer key",
        "X-Api-Key": "key",
        "api-key": "key",
        "Cookie": "a=b",
        "Host": "gateway",
        "Anthropic-Beta": "x",
        "OpenAI-Organization": "y",
        "X-Other": "z",
    }
    assert pass_headers(headers, ("*",)) == {
        "Anthropic-Beta": "x",
        "OpenAI-Organization": "y",
        "X-Other": "z",
    }
    assert pass_headers(headers, ("anthropic-beta", "openai-*", "authorization")) == {
        "Anthropic-Beta": "x",
        "OpenAI-Organization": "y",
    }
