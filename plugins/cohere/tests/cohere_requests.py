"""Translate requests in tests."""

import jackfield_cohere
from jackfield import Message, Tool
from jackfield.plugin import ChatRequest, ModelRef, Options
from jackfield.testing import translated

USER = (Message("user", "Why?"),)
ADD = Tool(
    "add",
    "Add.",
    {"type": "object", "properties": {"a": {"type": "integer", "minimum": 0}}, "required": ["a"]},
)


def made(request, model="command-a-03-2025", **declared):
    return translated(jackfield_cohere, ModelRef(model, declared=declared), request)


def chat(messages=USER, model="command-a-03-2025", route=None, **options):
    declared = {} if route is None else {"route": route}
    return made(ChatRequest(tuple(messages), Options(**options)), model, **declared)


def fates(translation):
    return {note.name: note.fate for note in translation.report}
