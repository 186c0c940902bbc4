"""Tools that a mesh does not have as such, as function tools: custom tools and namespaces, both ways."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from jackfield import Tool, ToolCall
from jackfield.plugin import parse_arguments, write_json

from ._fields import Fields, Report

__all__ = ["ToolForm", "ToolForms", "custom_input", "custom_tool"]

INPUT: Final = "input"
_LONGEST: Final = 64
_NO_FORM: Final[Mapping[str, Any]] = {}


@attrs.frozen
class ToolForm:
    """How a client knows a tool.

    Attributes:
        name: Its name there.
        custom: It takes a text instead of a JSON object.
        namespace: The namespace that it belongs to.
    """

    name: str
    custom: bool = False
    namespace: str | None = None


class ToolForms:
    """The tools of a request by the names under which a mesh has them; the others have one form and one name."""

    def __init__(self, forms: Mapping[str, ToolForm] = _NO_FORM) -> None:
        self._forms = dict(forms)

    def add(self, form: ToolForm) -> str:
        """Add a tool, and return the name under which a mesh has it."""
        name = form.name if form.namespace is None else f"{form.namespace}__{form.name}"
        if len(name) > _LONGEST:
            name = f"{name[: _LONGEST - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        if name != form.name or form.custom:
            self._forms[name] = form
        return name

    def form_of(self, name: str) -> ToolForm:
        """Return how the client knows a tool."""
        return self._forms.get(name) or ToolForm(name)

    def name_of(self, name: str, namespace: str | None = None, *, custom: bool = False) -> str:
        """Return the name under which a mesh has a tool that a client names in its history."""
        if namespace is None:
            matching = [
                ours for ours, form in self._forms.items() if form.name == name and form.custom == custom
            ]
            return matching[0] if len(matching) == 1 else name
        return ToolForms().add(ToolForm(name, custom, namespace))

    def call_of(self, name: str, identity: str, text: str, namespace: str | None = None) -> ToolCall:
        """Return the call of a custom tool in a history."""
        return ToolCall(identity, self.name_of(name, namespace, custom=True), {INPUT: text})


def custom_tool(name: str, fields: Fields, report: Report) -> Tool:
    """Return a custom tool as a function tool with one text; a grammar becomes a part of the description."""
    description = fields.text("description") or ""
    form = fields.inner("format")
    told = "Free text."
    if form is not None:
        grammar = form.inner("grammar") or form  # nested in chat completions, flat in Responses
        if form.text("type") == "grammar" or grammar is not form:
            syntax, definition = grammar.text("syntax"), grammar.text("definition")
            told = f"Text that follows this grammar ({syntax}):\n{definition}"
        form.end()
    report.emulate(fields.where, "a custom tool was offered as a function with one text, `input`", name)
    schema = {
        "type": "object",
        "properties": {INPUT: {"type": "string", "description": told}},
        "required": [INPUT],
        "additionalProperties": False,
    }
    return Tool(name, description or None, schema)


def custom_input(pieces: Sequence[str]) -> str:
    """Return the text that a custom tool takes, out of the arguments of the function that stands for it."""
    text = "".join(pieces)
    arguments, raw = parse_arguments(text)
    if raw is not None:
        return raw
    value = arguments.get(INPUT)
    if isinstance(value, str):
        return value
    return write_json(arguments).decode() if arguments else ""
