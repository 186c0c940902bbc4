"""Parse one tool call, character by character, in each of the formats that models write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from .tools import allows_text

__all__ = ["OPENS", "CallReader", "NamedReader", "ObjectReader", "TaggedReader"]

_CALL_ID: Final = "[CALL_ID]"
OPENS: Final = "<function="
_FUNCTION_ENDS: Final = "</function>"
_PARAMETER: Final = "<parameter="
_PARAMETER_ENDS: Final = "</parameter>"
# Templates write these through Jinja, which uses Python's spelling.
_PYTHON: Final = {"True": True, "False": False, "None": None}


class CallReader(Protocol):
    """Parses one call.

    Attributes:
        before: Text before the call, which is part of the reply if this is not a call after all.
        text: The text parsed so far.
        name: The tool's name, once it is known.
        announced: Whether the start of the call was emitted.
        complete: Whether the call has ended.
        failed: Whether this is not a call.
    """

    before: str
    text: str
    name: str | None
    announced: bool
    complete: bool
    failed: bool

    def feed(self, text: str) -> int:
        """Parse more text; return the number of characters consumed: all of them, unless the call ended."""

    def take(self) -> str:
        """Return the arguments parsed since the last call of this method."""


class _Nesting:
    """Tracks nesting and strings of a JSON text."""

    def __init__(self) -> None:
        self.depth = 0
        self.quoted = False
        self._escaped = False

    def feed(self, character: str) -> int:
        """Parse one character; return the number of open braces and brackets."""
        if self.quoted:
            if self._escaped:
                self._escaped = False
            elif character == "\\":
                self._escaped = True
            elif character == '"':
                self.quoted = False
        elif character == '"':
            self.quoted = True
        elif character in "{[":
            self.depth += 1
        elif character in "}]":
            self.depth -= 1
        return self.depth


class ObjectReader:
    """Parses one JSON object with a name and arguments, and returns the arguments as they arrive.

    Args:
        before: Text before the object, which is part of the reply if this is not a call.
    """

    def __init__(self, before: str) -> None:
        self.before = before
        self.text = ""
        self.name: str | None = None
        self.announced = False
        self.complete = False
        self.failed = False
        self._nesting = _Nesting()
        self._key: str | None = None
        self._start: int | None = None
        self._token = 0
        self._arguments: tuple[int, int | None] | None = None
        self._taken = 0

    def feed(self, text: str) -> int:
        """Parse more text; return the number of characters consumed: all of them, unless the object ended."""
        for at, character in enumerate(text):
            self.text += character
            self._read(character)
            if self.complete or self.failed:
                return at + 1
        return len(text)

    def take(self) -> str:
        """Return the arguments parsed since the last call of this method."""
        if self._arguments is None:
            return "{}" if self.complete and not self._mark_taken() else ""
        start, end = self._arguments
        raw = self.text[start:end]
        if raw.lstrip().startswith('"'):  # an object encoded as a string
            if end is None or self._mark_taken():
                return ""
            inside = _parse_json(raw)
            return inside if isinstance(inside, str) else raw.strip()
        raw = raw.strip()  # trailing spaces may turn out to be inside the arguments
        piece = raw[self._taken :]
        self._taken = len(raw)
        return piece

    def _mark_taken(self) -> bool:
        done, self._taken = self._taken > 0, 1
        return done

    def _read(self, character: str) -> None:
        here = len(self.text) - 1
        was_quoted = self._nesting.quoted
        depth = self._nesting.feed(character)
        if was_quoted:
            if not self._nesting.quoted and depth == 1 and self._key is None:
                self._key = _parse_json(self.text[self._token :])
        elif self._nesting.quoted:
            self._token = here
        elif character in "}]":
            if depth == 0:
                self._end_value(here)
                self.complete = not self.failed and isinstance(_parse_json(self.text), dict)
                self.failed = not self.complete
        elif depth == 1 and character not in "{[":
            self._read_separator(character, here)

    def _read_separator(self, character: str, here: int) -> None:
        if character == ":" and self._key is not None and self._start is None:
            self._start = here + 1
            if self._key in {"arguments", "parameters"}:
                self._arguments = (here + 1, None)
        elif character == ",":
            self._end_value(here)

    def _end_value(self, here: int) -> None:
        if self._start is None:
            return
        if self._key == "name":
            value: Any = _parse_json(self.text[self._start : here])
            if isinstance(value, str):
                self.name = value
            else:
                self.failed = True
        elif self._arguments is not None and self._arguments[1] is None:
            self._arguments = (self._arguments[0], here)
        self._key = self._start = None


class NamedReader:
    """Parses a name, a separator, and a JSON object of arguments.

    Args:
        before: Text before the call, which is part of the reply if this is not a call.
        separator: Separates the name from the arguments. Mistral's models with the eleventh tokenizer write an id
            between them, which is ignored.
    """

    def __init__(self, before: str, separator: str) -> None:
        self.before = before
        self.text = ""
        self.name: str | None = None
        self.announced = False
        self.complete = False
        self.failed = False
        self._separator = separator
        self._found = ""
        self._nesting = _Nesting()
        self._start = 0
        self._taken = 0

    def feed(self, text: str) -> int:
        """Parse more text; return the number of characters consumed: all of them, unless the call ended."""
        for at, character in enumerate(text):
            self.text += character
            if self._found:
                self._read_arguments(character)
            else:
                self._read_name(character)
            if self.complete or self.failed:
                return at + 1
        return len(text)

    def take(self) -> str:
        """Return the arguments parsed since the last call of this method."""
        raw = self.text[self._start :].strip()  # trailing spaces may turn out to be inside the arguments
        piece, self._taken = raw[self._taken :], len(raw)
        return piece

    def _read_name(self, character: str) -> None:
        if self.text.endswith(self._separator):
            self._found = self.text.removesuffix(self._separator).partition(_CALL_ID)[0]
            self.failed = not self._found
            self._start = len(self.text)
        else:
            self.failed = character.isspace() or character in '{}"<>'

    def _read_arguments(self, character: str) -> None:
        if self.name is None and not character.isspace():
            self.failed = character != "{"
            self.name = None if self.failed else self._found
        self.complete = self._nesting.feed(character) == 0 and character == "}"


class TaggedReader:
    """Parses a function and its parameters, each between tags.

    The text between a parameter's tags is not JSON: only the tool's schema distinguishes the string "12" from the number.

    Args:
        before: Text before the call, which is part of the reply if this is not a call.
        types: Schemas of parameters, by tool and parameter name.
    """

    def __init__(self, before: str, types: Mapping[str, Mapping[str, Any]]) -> None:
        self.before = before
        self.text = ""
        self.name: str | None = None
        self.announced = False
        self.complete = False
        self.failed = False
        self._types = types
        self._found = ""
        self._from = 0
        self._key: str | None = None
        self._known = ""
        self._taken = 0

    def feed(self, text: str) -> int:
        """Parse more text; return the number of characters consumed: all of them, unless the call ended."""
        for at, character in enumerate(text):
            self.text += character
            if not self._found:
                self._read_name(character)
            elif self._key is None:
                self._read_tag()
            else:
                self._read_value(self._key)
            if self.complete or self.failed:
                return at + 1
        return len(text)

    def take(self) -> str:
        """Return the arguments parsed since the last call of this method."""
        piece, self._taken = self._known[self._taken :], len(self._known)
        return piece

    def _read_name(self, character: str) -> None:
        if character == ">":
            self._found = self.text.removeprefix(OPENS)[:-1]
            self.failed = not self._found
            self._from = len(self.text)
        else:
            self.failed = character.isspace()

    def _read_tag(self) -> None:
        """Parse the text between two parameters, or after the last."""
        part = self.text[self._from :].lstrip()
        if part == _FUNCTION_ENDS:
            self._known += "}" if self._known else "{}"
            self.name, self.complete = self._found, True
        elif part.startswith(_PARAMETER) and part.endswith(">"):
            self.name = self._found  # the beginning of a parameter shows that this is a call
            self._key, self._from = part.removeprefix(_PARAMETER)[:-1], len(self.text)
        else:
            self.failed = not (
                _FUNCTION_ENDS.startswith(part) or _PARAMETER.startswith(part) or part.startswith(_PARAMETER)
            )

    def _read_value(self, key: str) -> None:
        if not self.text.endswith(_PARAMETER_ENDS):
            return
        raw = self.text[self._from :].removesuffix(_PARAMETER_ENDS).removeprefix("\n").removesuffix("\n")
        value = _convert(raw, self._types.get(self._found, {}).get(key))
        self._known += (
            ", " if self._known else "{"
        ) + f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        self._key, self._from = None, len(self.text)


def _convert(raw: str, schema: Any) -> Any:
    """Convert a value according to its schema: a string if the schema allows one, else JSON if it is valid."""
    if allows_text(schema):
        return raw
    if raw in _PYTHON:
        return _PYTHON[raw]
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
