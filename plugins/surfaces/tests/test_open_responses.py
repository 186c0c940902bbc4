"""Answers of Responses are valid by the schemas of Open Responses (April 2026)."""

import importlib
import inspect
import json
import pkgutil
import typing

import openresponses_types
import pydantic
import pytest
from reading_back import as_reply, ask, streamed_bytes, whole_bytes
from surface_recordings import answers

from jackfield import OverloadedError, Reply, TextDelta
from jackfield_surfaces import SURFACES

TOOLS = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
# Types of OpenAI's that Open Responses does not have: tools that OpenAI runs, and citations of files.
MORE = ("file_citation", "_call", "_output", "mcp_", "file_path", "container_file")


def classes():
    """Return the class of each event's type, and that of the whole answer as ""."""
    found = {}
    modules = [
        importlib.import_module(one.name)
        for one in pkgutil.walk_packages(openresponses_types.__path__, "openresponses_types.")
    ]
    for name, cls in (pair for module in modules for pair in inspect.getmembers(module, inspect.isclass)):
        if name == "ResponseResource":
            found[""] = cls
        elif (
            name.endswith("StreamingEvent")
            and issubclass(cls, pydantic.BaseModel)
            and "type" in cls.model_fields
        ):
            annotation = cls.model_fields["type"].annotation
            values = list(annotation) if inspect.isclass(annotation) else typing.get_args(annotation)
            found.update({getattr(value, "value", value): cls for value in values})
    return found


def objects(surface, events, reply):
    asked = ask(surface, stream=True, tools=TOOLS)
    yield "", json.loads(whole_bytes(surface, reply, asked))
    for line in streamed_bytes(surface, events, reply, asked).decode().split("\n"):
        if line.startswith("data: {"):
            data = json.loads(line[6:])
            yield data["type"], data


@pytest.mark.parametrize(
    "api",
    [
        "openai.chat",
        "openai.responses",
        "anthropic.messages",
        "vertex.streamGenerateContent",
        "cohere.chat_v2",
    ],
)
def test_recorded_answers_are_valid_in_this_form(api):
    known, wrong, count = classes(), [], 0
    for row, provider, events in answers(api)[:60]:
        reply = as_reply(events, provider, row["model"] or "m")
        for kind, value in objects("openai.responses", events, reply):
            count += 1
            try:
                known[kind].model_validate(value)
            except pydantic.ValidationError as error:
                if not any(
                    f'"{more}' in json.dumps(value) or f'{more}"' in json.dumps(value) for more in MORE
                ):
                    wrong.append((row["id"], kind, error.errors()[:1]))
    assert wrong == []
    assert count > 300


def test_errors_are_valid_in_this_form():
    encoder = SURFACES["openai.responses"].encoder(ask("openai.responses", stream=True))
    out = (
        encoder.start(Reply(provider="x", model="m"))
        + encoder.feed(TextDelta("Hi"))
        + encoder.fail(OverloadedError("busy"))
    )
    known = classes()
    for line in b"".join(out).decode().split("\n"):
        if line.startswith("data: {"):
            data = json.loads(line[6:])
            known[data["type"]].model_validate(data)
