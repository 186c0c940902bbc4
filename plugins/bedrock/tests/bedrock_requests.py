"""Translate requests in tests."""

import jackfield_bedrock
from jackfield import Message, Tool
from jackfield.plugin import ChatRequest, ModelRef, Options
from jackfield.testing import translated

CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-2-lite-v1:0"
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
ADD = Tool("add", "Add.", SCHEMA)
HI = (Message("user", "Hi"),)


def made(model, request, **declared):
    return translated(jackfield_bedrock, ModelRef(model, declared=declared), request)


def chat(model, messages=HI, *, stream=False, declared=None, **options):
    return made(model, ChatRequest(messages, Options(**options), stream), **(declared or {}))


def fate(translation, name):
    note = translation.report[name]
    return note.fate, note.value
