"""Whatever JSON a client sends, the answer is a call or an error that names a place; never a fault of ours."""

import copy
import json

import pytest
from captured_requests import requests
from hypothesis import given, settings, strategies as st
from meshes_of_fakes import mesh_of
from reading_back import whole_bytes

from jackfield import Choice, Message, Reply, Thinking, UnsupportedError
from jackfield_surfaces import SURFACES, SurfaceError

MESH = mesh_of()

POSTED = [
    "openai.chat", "openai.responses", "openai.input_tokens", "openai.completions", "openai.embeddings", "anthropic.messages",
    "anthropic.count_tokens", "cohere.rerank",
]  # fmt: skip
ODD = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "data:,x",
    [],
    [None],
    [[]],
    ["x"],
    {},
    {"type": "x"},
    {"type": None},
    {"x": {"y": []}},
]


def places(value, path=()):
    """List the places in JSON, outermost first."""
    yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from places(item, (*path, name))
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from places(item, (*path, number))


def changed(body, path, odd):
    """Return JSON with something odd in one place."""
    if not path:
        return odd
    body = copy.deepcopy(body)
    inner = body
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = odd
    return body


def short(body):
    """Return a body with at most three entries of each list, which are all alike beyond."""
    if isinstance(body, dict):
        return {name: short(item) for name, item in body.items()}
    return [short(item) for item in body[:3]] if isinstance(body, list) else body


def taken(surface, headers, body, policy):
    """Read a request and make a call of it, without sending one; what is refused is refused by the surface."""
    try:
        asked = SURFACES[surface].read(headers, body, unsupported=policy)
    except SurfaceError as error:
        return error.message
    kind = asked.kind if asked.kind != "count" else "chat"
    arguments = asked.arguments if kind != "rerank" else asked.arguments[1:]
    more = {"query": asked.arguments[0]} if kind == "rerank" else {}
    try:
        return MESH.explain("c:echo", *arguments, kind=kind, **asked.options, **more)
    except UnsupportedError as error:  # of the model
        return error.message


@pytest.mark.parametrize("policy", ["error", "drop"])
def test_captured_requests_with_something_odd_in_one_place_are_read_or_refused(policy):
    seen = set()
    for _, _, surface, headers, whole in requests():
        body = short({name: value for name, value in whole.items() if name not in ("type", "generate")})
        for path in places(body):
            shape = (surface, tuple("*" if isinstance(step, int) else step for step in path))
            if shape in seen or "parameters" in path[:-1] or "input_schema" in path[:-1]:
                continue
            seen.add(shape)
            for odd in ODD:
                assert taken(surface, headers, json.dumps(changed(body, path, odd)).encode(), policy)
    assert len(seen) > 200


JSON = st.recursive(
    st.sampled_from(ODD[:9]) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(POSTED), st.data())
@settings(max_examples=300)
def test_any_json_in_any_field_is_read_or_refused(surface, data):
    names = ["model", "messages", "input", "tools", "tool_choice", "stream", "system", "thinking", "text", "reasoning", "stop", "include",
             "response_format", "max_tokens", "documents", "query", "prompt", "metadata", "output_config", "stream_options"]  # fmt: skip
    body = data.draw(st.dictionaries(st.sampled_from(names), JSON, max_size=6))
    for policy in ("error", "drop"):
        assert taken(surface, {}, body, policy)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["text_length", "data", "type"])
def test_an_envelope_with_something_odd_beside_it_is_read(name, odd):
    choice = Choice(
        index=0, message=Message("assistant", (Thinking("Hm.", "x", "m", {"s": 1}),)), finish_reason="stop"
    )
    reply = Reply(provider="x", model="m", choices=(choice,))
    message = json.loads(whole_bytes("openai.chat", reply))["choices"][0]["message"]
    message["reasoning_details"][0][name] = odd
    body = {"model": "c:echo", "messages": [{"role": "user", "content": "Hi"}, message]}
    assert taken("openai.chat", {}, json.dumps(body).encode(), "drop")
