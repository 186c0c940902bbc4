"""Requests of real clients are read without silent loss: each value is in the call, or named in the report."""

import base64
import json
import re
from collections import Counter

import attrs
import pytest
from captured_requests import of_file, requests
from recordings import counted

from jackfield import Image, ToolResult
from jackfield_surfaces import SURFACES, SurfaceError

# What a client cannot have meant otherwise, and what a service gives back: words of structure, ids and states of items.
STRUCTURE = {"type", "role", "status", "object", "annotations", "logprobs", "mode", "kind"}
FORGOTTEN = {
    # the id of an item, which nobody needs, and the form of an envelope that the client's program keeps beside it
    "id", "internal_chat_message_metadata_passthrough",
    # what an answer holds anyway
    "include", "stream_options", "store",
    # the name of a schema, and whether it is followed exactly, which a mesh always tries
    "strict",
}  # fmt: skip
# Requests that need what was stored: an answer, an item, a compaction. Whoever stores resolves them before.
STORED = {
    "previous_response_not_found",
    "item_not_found",
    "unsupported_parameter",
    "missing_required_parameter",
}


def read(surface, headers, body, **given):
    body = {name: value for name, value in body.items() if name not in ("type", "generate")}
    return SURFACES[surface].read(headers, body, **{"unsupported": "drop", **given})


def leaves(value, path=()):
    """List the values in JSON, with their places."""
    if isinstance(value, dict):
        return [leaf for name, item in value.items() for leaf in leaves(item, (*path, name))]
    if isinstance(value, list):
        return [leaf for number, item in enumerate(value) for leaf in leaves(item, (*path, str(number)))]
    return [(path, value)]


def values_of(thing):
    """List all values in a call."""
    if attrs.has(type(thing)):
        fields = [getattr(thing, field.name) for field in attrs.fields(type(thing))]
        return [value for field in fields for value in values_of(field)]
    if isinstance(thing, dict):
        return [value for name, item in thing.items() for value in [name, *values_of(item)]]
    if isinstance(thing, list | tuple):
        return [value for item in thing for value in values_of(item)]
    return [base64.b64encode(thing).decode()] if isinstance(thing, bytes) else [thing]


def lost(asked, body):
    """List the places whose values are neither in the call nor in the report."""
    known = values_of([asked.target, *asked.arguments, dict(asked.options), asked.stream])
    texts = "\n".join(value for value in known if isinstance(value, str))
    files = texts.replace("+", "-").replace("/", "_")
    named = [re.sub(r"\[(\d+)\]", r".\1", note.name) for note in [*asked.notes, *asked.own]]
    found = []
    for path, value in leaves(body):
        place = ".".join(path)
        told = any(
            place == name or place.startswith(f"{name}.") or name.startswith(f"{place}.") for name in named
        )
        there = value in texts if isinstance(value, str) else value in known
        if path[-2:] == ("source", "data"):  # base64 in either alphabet
            there = value.rstrip("=")[:-4] in files
        if not there and isinstance(value, str) and re.match(r"data:|\{", value):
            there = is_inside(value, known, texts)
        if (
            value in (None, "", {})
            or told
            or there
            or path[-1] in STRUCTURE | FORGOTTEN
            or set(path) & FORGOTTEN
        ):
            continue
        found.append(place)
    return found


def is_inside(text, known, texts):
    """Return whether what a `data:` address or a JSON text holds is in the call."""
    if text.startswith("data:"):
        return text.partition(",")[2].rstrip("=")[:20] in texts.replace("/", "_") + texts
    try:
        return all(value in known or str(value) in texts for _, value in leaves(json.loads(text)))
    except ValueError:
        return text in texts


def test_requests_of_real_clients_are_read_without_silent_loss():
    read_, refused = Counter(), Counter()
    for file, number, surface, headers, body in requests():
        try:
            asked = read(surface, headers, body)
        except SurfaceError as error:
            refused[error.kind] += 1
            continue
        read_[surface] += 1
        assert lost(asked, body) == [], (file, number)
    assert dict(read_) == {
        "openai.chat": counted(11), "openai.responses": counted(41), "anthropic.messages": counted(23),
        "anthropic.count_tokens": counted(2),
    }  # fmt: skip
    # They need what was stored: an answer, an item, a compaction. Whoever stores resolves them before.
    assert dict(refused) == {
        "previous_response_not_found": counted(11), "item_not_found": counted(1), "unsupported_parameter": counted(1),
        "missing_required_parameter": counted(1),
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["codex_http_plain", "claude_plain", "qwen_chat", "opencode_responses", "pi_chat"]
)
def test_a_loss_would_be_seen(name):
    """The check itself: a value that the reader forgot is found."""
    surface, headers, body = of_file(name)[-1]
    asked = read(surface, headers, body)
    assert lost(attrs.evolve(asked, arguments=([],)), body) != []
    assert lost(attrs.evolve(asked, options={}), body) != []


def test_pictures_that_a_tool_gave_arrive():
    for name in ("claude_image_result", "codex_view_image"):
        surface, headers, body = of_file(name)[-1]
        results = [
            p for m in read(surface, headers, body).arguments[0] for p in m.parts if isinstance(p, ToolResult)
        ]
        assert any(isinstance(part, Image) for result in results for part in result.content), name
