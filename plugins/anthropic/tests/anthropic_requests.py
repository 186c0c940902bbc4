"""Translate requests in tests."""

import jackfield_anthropic
from jackfield import Message, Secret, Tool
from jackfield.plugin import ChatRequest, ModelRef, Options
from jackfield.testing import translated
from jackfield_anthropic import AnthropicSettings

ASK = (Message("user", "Why?"),)
ADD = Tool("add", "Add.", {"type": "object", "properties": {}})
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
NEW = AnthropicSettings(api_key=Secret("x"), api_version="2026-10-21")
OLD = AnthropicSettings(api_key=Secret("x"))


def made(model="claude-haiku-4-5", messages=ASK, *, settings=OLD, declared=None, stream=False, **options):
    ref = ModelRef(model, settings=settings, declared=declared or {})
    request = ChatRequest(tuple(messages), Options(**options), stream)
    return translated(jackfield_anthropic, ref, request)


def body(*args, **kwargs):
    return made(*args, **kwargs).wire.body


def fates(translation):
    return {note.name: note.fate for note in translation.report}
