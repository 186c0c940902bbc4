"""Recorded requests, built again through our API: equal bodies, or a difference that is named and counted.

See `openai_recordings.py` for where the recordings are.
"""

from __future__ import annotations

import pytest
from openai_rebuilding import (
    as_we_write_it,
    chat_of,
    compare,
    completion_as_we_write_it,
    completion_of,
    embedding_as_we_write_it,
    embedding_of,
    response_as_we_write_it,
    response_of,
)
from recordings import bodies_of, counted, recorded

import jackfield_openai
from jackfield.plugin import ModelRef
from jackfield.testing import translated
from jackfield_openai import OPENAI, compatible

PLUGINS = {"openai": jackfield_openai, "local": compatible(id="local", base_url="http://127.0.0.1")}
LOCAL = PLUGINS["local"].dialect


def bodies(api):
    return bodies_of(recorded("openai", "compat", "hf"), api)


def rebuild(row, body, dialect, request):
    declared = {"route": "responses"} if row["api"] == "openai.responses" else {}
    model = ModelRef(body["model"], declared=declared)
    return translated(PLUGINS[dialect.id], model, request).wire.body


CASES = {
    "openai.chat": (OPENAI, chat_of, as_we_write_it),
    "openai.completions": (OPENAI, completion_of, completion_as_we_write_it),
    "openai.embeddings": (OPENAI, embedding_of, embedding_as_we_write_it),
    "openai.responses": (OPENAI, response_of, response_as_we_write_it),
    "compat.chat": (LOCAL, chat_of, as_we_write_it),
    "hf.chat": (LOCAL, chat_of, as_we_write_it),
    "hf.completions": (LOCAL, completion_of, completion_as_we_write_it),
    "hf.embeddings": (LOCAL, embedding_of, embedding_as_we_write_it),
}

# Requests whose bodies are equal, after how many requests differ in which documented way; and those that are
# not rebuilt, with the reason.
EXPECTED = {
    "openai.chat": {
        "equal": 585,
        "differences": {
            "a message's annotations is none of the request's documented fields": 27,
            "a message's reasoning_signature is none of the request's documented fields": 4,
            "a stream is asked for its usage": 25,
            "an assistant turn without text says content: null": 50,
            "arguments are written without spaces": 19,
            "content of one text part is sent as a string": 34,
            "developer and system are one role to the service": 18,
            "files of a tool's result are sent in a user's turn after it": 1,
            "max_tokens is deprecated for chats: max_completion_tokens": 71,
            "null is the same as not given, and is not sent": 17,
            "one stop sequence is sent as a list": 1,
            "stream: false is the default, and is not sent": 162,
            "strict is told for a JSON schema, true where the schema is closed": 2,
        },
        "not_rebuilt": {
            "content that is an object": 1,
            "a message that is none, or has the role function": 2,
            "a request without a model": 1,
            "refused: stop (the service said 400)": 1,
        },
    },
    "openai.completions": {
        "equal": 54,
        "differences": {
            "a list of one prompt is sent as the prompt": 27,
            "a stream is asked for its usage": 8,
            "null is the same as not given, and is not sent": 13,
            "one stop sequence is sent as a list": 2,
            "stream: false is the default, and is not sent": 6,
        },
        "not_rebuilt": {
            "a completion asked of a model that only chats": 1,
            "refused: prompt (the service said 403)": 1,
        },
    },
    "openai.embeddings": {
        "equal": 44,
        "differences": {"base64 is asked for": 21, "one input is sent as a list": 15},
        "not_rebuilt": {},
    },
    "openai.responses": {
        "equal": 80,
        "differences": {
            "a text alone is sent as a user turn": 11,
            "arguments are written without spaces": 1,
            "content of one text part is sent as a string": 20,
            "developer and system are one role to the service": 10,
            "null is the same as not given, and is not sent": 8,
            "stream: false is the default, and is not sent": 29,
            "strict is told; the service would take it as true": 7,
            "thinking that is not kept is asked for as it can be sent back": 2,
            "type: message is the default, and is not sent": 7,
        },
        "not_rebuilt": {"a request without a model": 3, "refused: temperature (the service said 400)": 1},
    },
    "compat.chat": {
        "equal": 176,
        "differences": {
            "a JSON schema has a name, which OpenAI requires": 1,
            "a file has a name, which OpenAI requires": 1,
            "a message's cache_control is none of the request's documented fields": 2,
            "a message's images is none of the request's documented fields": 1,
            "a stream is asked for its usage": 13,
            "a tool call's cache_control is none of the request's documented fields": 1,
            "a tool call's index is none of the request's documented fields": 2,
            "an assistant turn without text says content: null": 11,
            "arguments are written without spaces": 9,
            "content of one text part is sent as a string": 3,
            "developer and system are one role to the service": 3,
            "files of a tool's result are sent in a user's turn after it": 1,
            "stream: false is the default, and is not sent": 66,
            "strict is told for a JSON schema, true where the schema is closed": 1,
        },
        "not_rebuilt": {"content that is an object": 1},
    },
    "hf.chat": {
        "equal": 66,
        "differences": {
            "a stream is asked for its usage": 21,
            "an empty list of tools is not sent": 3,
            "an assistant turn without text says content: null": 2,
            "content of one text part is sent as a string": 6,
            "null is the same as not given, and is not sent": 4,
            "only an assistant calls tools": 3,
            "stream: false is the default, and is not sent": 20,
        },
        "not_rebuilt": {
            "a message that is none, or has the role function": 1,
            "a chat without messages": 4,
            "a request without a model": 3,
        },
    },
    "hf.completions": {
        "equal": 4,
        "differences": {
            "a stream is asked for its usage": 2,
            "stream: false is the default, and is not sent": 1,
        },
        "not_rebuilt": {},
    },
    "hf.embeddings": {"equal": 1, "differences": {"one input is sent as a list": 1}, "not_rebuilt": {}},
}


@pytest.mark.parametrize("api", CASES)
def test_recorded_requests_are_built_again(api):
    equal, differences, odd, refused, faults = compare(bodies(api), *CASES[api], rebuild)
    assert not faults
    not_rebuilt = {
        **odd,
        **{f"refused: {name} (the service said {status})": n for (status, name), n in refused.items()},
    }
    found = {"equal": equal, "differences": dict(sorted(differences.items())), "not_rebuilt": not_rebuilt}
    assert counted(found) == EXPECTED[api]
    assert equal + sum(not_rebuilt.values()) == sum(1 for _ in bodies(api))


def test_the_table_refuses_nothing_that_the_service_accepted():
    for api, case in CASES.items():
        _, _, _, refused, _ = compare(bodies(api), *case, rebuild)
        assert all(status >= 400 for status, _ in refused)
