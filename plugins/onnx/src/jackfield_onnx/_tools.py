"""How models write the calls of tools, as data; and the grammar of an answer that must be one.

Nothing in a model's folder says how its calls are written but the template, which writes those of earlier turns; so the
words that stand in it decide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

__all__ = ["FORMATS", "ToolFormat", "forced_grammar", "format_of_template", "json_grammar"]


@attrs.frozen(kw_only=True)
class ToolFormat:
    """One way of writing calls: each is a JSON object with a name and arguments.

    Attributes:
        begin: What stands before a call, or before a list of them.
        end: What stands behind it; empty where nothing does.
        arguments: Name of the object's field that holds the arguments.
        listed: The calls of an answer stand in one JSON array.
        bare: `begin` may be missing: an answer that begins with such an object is a call.
        layout: What stands between `begin`, the object, and `end`.
        known_by: Words of a template that writes calls like this.
    """

    begin: str
    end: str = ""
    arguments: str = "arguments"
    listed: bool = False
    bare: bool = False
    layout: str = ""
    known_by: tuple[str, ...]


# Read in this order. Hermes' form is also Qwen's. From the chat templates of the models themselves and transformers' documentation of
# tool use in them (read 2026-11-22).
FORMATS: Final[Mapping[str, ToolFormat]] = {
    "hermes": ToolFormat(begin="<tool_call>", end="</tool_call>", layout="\n", known_by=("<tool_call>",)),
    "mistral": ToolFormat(begin="[TOOL_CALLS]", listed=True, known_by=("[TOOL_CALLS]",)),
    "llama3": ToolFormat(
        begin="<|python_tag|>",
        arguments="parameters",
        bare=True,
        known_by=("<|python_tag|>", '"parameters": '),
    ),
}

_COMPACT: Final = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


def format_of_template(template: str | None) -> str | None:
    """Say how a model writes calls, from its chat template; None if the template knows no tools."""
    if template is None or "tools" not in template:
        return None
    found = (name for name, form in FORMATS.items() if any(word in template for word in form.known_by))
    return next(found, None)


def json_grammar(schema: Mapping[str, Any] | None) -> str:
    """Write the grammar of an answer that is JSON: any object, or what a schema says."""
    return f"start: {_json({'type': 'object'} if schema is None else schema)}\n"


def forced_grammar(
    form: ToolFormat,
    tools: Sequence[Mapping[str, Any]],
    *,
    several: bool,
    token: Callable[[str], int | None],
    otherwise: Mapping[str, Any] | None = None,
) -> str:
    """Write the grammar of an answer that must call one of some tools.

    Args:
        form: How the model writes calls.
        tools: The tools that may be called, as templates get them.
        several: More than one call may be written.
        token: Gives the number of a control token, None for what is ordinary text.
        otherwise: The schema of an answer that may stand in the place of a call.
    """
    calls = [_call(form, tool["function"]) for tool in tools]
    begin, end = (_word(word, token) if word else "" for word in (form.begin, form.end))
    gap = json.dumps(form.layout) if form.layout else ""
    if form.listed:
        more = ' (", " call)*' if several else ""
        answer = f'{begin} "[" call{more} "]"'
    else:
        one = "call" if form.bare else f"{begin} {gap} call {gap} {end}"
        # What is bare has nothing that parts one call from the next.
        answer = f"{one} ({gap} {one})*" if several and not form.bare else one
    start = f"answer | {_json(otherwise)}" if otherwise is not None else "answer"
    return f"start: {start}\nanswer: {answer}\ncall: {' | '.join(calls)}\n"


def _call(form: ToolFormat, function: Mapping[str, Any]) -> str:
    head = json.dumps(f'{{"name": {json.dumps(function["name"])}, "{form.arguments}": ')
    return f'({head} {_json(function["parameters"])} "}}")'


def _word(word: str, token: Callable[[str], int | None]) -> str:
    number = token(word)
    return json.dumps(word) if number is None else f"<[{number}]>"


def _json(schema: Mapping[str, Any]) -> str:
    # Spaces as models are used to write them and nowhere else: a small one would go on writing spaces for ever.
    return f"%json {json.dumps({**schema, 'x-guidance': _COMPACT})}"
