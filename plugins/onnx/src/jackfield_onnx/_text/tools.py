"""Formats in which models write tool calls, and grammars for replies that must be a call.

In a model's folder only the chat template shows how calls are written, since it renders those of earlier turns; so the
format is detected from strings in the template.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

__all__ = [
    "FORMATS",
    "PLAIN_CALLS",
    "ToolFormat",
    "allows_text",
    "build_call_grammar",
    "build_json_grammar",
    "collect_parameter_types",
    "detect_format",
]


@attrs.frozen(kw_only=True)
class ToolFormat:
    """A format of tool calls: each is a JSON object with a name and arguments, unless stated otherwise.

    Attributes:
        begin: Marker before a call, or before a list of calls.
        end: Marker after it; empty if there is none.
        arguments: Key of the arguments in the object.
        listed: Whether the calls of a reply are in one JSON array.
        bare: Whether `begin` may be missing: a reply that begins with such an object is a call.
        separator: If not empty, a call is a name, this separator, and the object of arguments.
        tagged: Whether a call is a function and its parameters between tags instead of an object.
        gap: Characters that may occur between calls, besides spaces.
        layout: Text between `begin`, the object, and `end`.
        known_by: Strings that occur in the templates of such models.
    """

    begin: str
    end: str = ""
    arguments: str = "arguments"
    listed: bool = False
    bare: bool = False
    separator: str = ""
    tagged: bool = False
    gap: str = ""
    layout: str = ""
    known_by: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """Markers around calls, which may be control tokens."""
        return tuple(
            filter(None, (self.begin, self.end, self.separator, "[CALL_ID]" if self.separator else ""))
        )


# Order matters: the strings of several formats may occur in one template. From the models' chat templates, transformers'
# documentation of tool use, and existing parsers (read 2026-11-22 and 2026-11-23).
FORMATS: Final[Mapping[str, ToolFormat]] = {
    # Qwen3-Coder.
    "qwen-xml": ToolFormat(
        begin="<tool_call>", end="</tool_call>", tagged=True, layout="\n", known_by=("<parameter=",)
    ),
    # Qwen 2.5 and 3, Hermes, SmolLM3, Granite 4.
    "hermes": ToolFormat(begin="<tool_call>", end="</tool_call>", layout="\n", known_by=("<tool_call>",)),
    # Mistral since version 11 of its tokenizer: Small 3.2, Magistral, Devstral, Ministral 3.
    "mistral-args": ToolFormat(begin="[TOOL_CALLS]", separator="[ARGS]", known_by=("[ARGS]",)),
    "mistral": ToolFormat(begin="[TOOL_CALLS]", listed=True, gap=",[]", known_by=("[TOOL_CALLS]",)),
    "llama3": ToolFormat(
        begin="<|python_tag|>",
        arguments="parameters",
        bare=True,
        gap=";",
        known_by=("<|python_tag|>", '"parameters": '),
    ),
    # Phi-4-mini writes one object or a list of objects; Granite 3 always a list.
    "phi4": ToolFormat(begin="<|tool_call|>", end="<|/tool_call|>", gap=",[]", known_by=("<|/tool_call|>",)),
    "granite": ToolFormat(begin="<|tool_call|>", listed=True, gap=",[]", known_by=("<|tool_call|>",)),
    # No template shows this one: it is declared, or taken for models whose templates show nothing.
    "json": ToolFormat(begin="<tool_call>", end="</tool_call>", bare=True, known_by=()),
}
PLAIN_CALLS: Final = "json"

_COMPACT: Final = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


def detect_format(template: str | None) -> str | None:
    """Detect the format of tool calls from a chat template; None if the template does not support tools."""
    if template is None or "tools" not in template:
        return None
    found = (name for name, form in FORMATS.items() if any(word in template for word in form.known_by))
    return next(found, None)


def build_json_grammar(schema: Mapping[str, Any] | None) -> str:
    """Build the grammar of a JSON reply: any object, or what a schema describes."""
    return f"start: {_build_json({'type': 'object'} if schema is None else schema)}\n"


def build_call_grammar(
    form: ToolFormat,
    tools: Sequence[Mapping[str, Any]],
    *,
    several: bool,
    token: Callable[[str], int | None],
    otherwise: Mapping[str, Any] | None = None,
) -> str:
    """Build the grammar of a reply that must call one of the tools.

    Args:
        form: The format of tool calls.
        tools: The tools that may be called, in the shape for templates.
        several: Whether more than one call is allowed.
        token: Returns the id of a control token, None for ordinary text.
        otherwise: Schema of a reply that is allowed instead of a call.
    """
    calls = [_build_call(form, tool["function"], token) for tool in tools]
    begin, end = (_build_word(word, token) if word else "" for word in (form.begin, form.end))
    gap = json.dumps(form.layout) if form.layout else ""
    if form.listed:
        more = ' (", " call)*' if several else ""
        answer = f'{begin} "[" call{more} "]"'
    else:
        one = "call" if form.bare else f"{begin} {gap} call {gap} {end}"
        # A bare format has no separator between calls.
        answer = f"{one} ({gap} {one})*" if several and not form.bare else one
    start = f"answer | {_build_json(otherwise)}" if otherwise is not None else "answer"
    text = f"{_TEXT}\n" if form.tagged else ""
    return f"start: {start}\nanswer: {answer}\ncall: {' | '.join(calls)}\n{text}"


def collect_parameter_types(tools: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the schemas of parameters, by tool and parameter name."""
    functions = (tool["function"] for tool in tools)
    return {one["name"]: (one.get("parameters") or {}).get("properties") or {} for one in functions}


def _build_call(form: ToolFormat, function: Mapping[str, Any], token: Callable[[str], int | None]) -> str:
    name, schema = function["name"], function["parameters"]
    if form.tagged:
        return _build_tagged_call(name, schema)
    if form.separator:
        return f"({json.dumps(name)} {_build_word(form.separator, token)} {_build_json(schema)})"
    head = json.dumps(f'{{"name": {json.dumps(name)}, "{form.arguments}": ')
    return f'({head} {_build_json(schema)} "}}")'


_PARAMETER_ENDS: Final = "\n</parameter>\n"
# Any text up to and including the end tag: a lazy rule ends at its first possible end.
_TEXT: Final = r"text[lazy]: /(.|\n)*\n<\/parameter>\n/"


def _build_tagged_call(name: str, schema: Mapping[str, Any]) -> str:
    """Build the grammar of a function between tags, with its parameters in the schema's order."""
    required = schema.get("required", ())
    written = [json.dumps(f"<function={name}>\n")]
    for key, one in schema.get("properties", {}).items():
        begin = json.dumps(f"<parameter={key}>\n")
        written.append(f"({begin} {_build_tagged_value(one)}){'' if key in required else '?'}")
    return f"({' '.join(written)} {json.dumps('</function>')})"


def _build_tagged_value(schema: Mapping[str, Any]) -> str:
    """Build the grammar of a parameter's value and its end tag: plain text for a string, else JSON."""
    end = json.dumps(_PARAMETER_ENDS)
    chosen = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else [])]
    if chosen:
        words = (one if isinstance(one, str) else json.dumps(one) for one in chosen)
        return f"({' | '.join(map(json.dumps, words))}) {end}"
    return "text" if allows_text(schema) else f"{_build_json(schema)} {end}"


def _build_word(word: str, token: Callable[[str], int | None]) -> str:
    number = token(word)
    return json.dumps(word) if number is None else f"<[{number}]>"


def _build_json(schema: Mapping[str, Any]) -> str:
    # Spaces only where models usually write them: a small model might otherwise write spaces without end.
    return f"%json {json.dumps({**schema, 'x-guidance': _COMPACT})}"


def allows_text(schema: Any) -> bool:
    """Return whether a schema allows a string."""
    if not isinstance(schema, Mapping):
        return False
    kinds = schema.get("type", ())
    if "string" in ((kinds,) if isinstance(kinds, str) else kinds):
        return True
    if any(isinstance(one, str) for one in [*schema.get("enum", ()), schema.get("const")]):
        return True
    return any(allows_text(one) for way in ("anyOf", "oneOf") for one in schema.get(way, ()))
