"""Read one call of a tool, character by character, in the ways in which models write one."""

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
# Templates write these through Jinja, which spells them as Python does.
_PYTHON: Final = {"True": True, "False": False, "None": None}


class CallReader(Protocol):
    """Reads one call.

    Attributes:
        before: What stood before the call and belongs to it if it is none.
        text: What was read.
        name: The tool's name, once it is known.
        told: Somebody was told of the call.
        whole: The call has ended.
        failed: This is no call.
    """

    before: str
    text: str
    name: str | None
    announced: bool
    complete: bool
    failed: bool

    def feed(self, text: str) -> int:
        """Read on; gives how much of the text was read, all of it unless the call ended."""

    def take(self) -> str:
        """Give what is known of the arguments and was not taken before."""


class _Nesting:
    """Follows braces and quotes of a JSON text."""

    def __init__(self) -> None:
        self.depth = 0
        self.quoted = False
        self._escaped = False

    def feed(self, character: str) -> int:
        """Read on; gives how many braces and brackets are open."""
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
    """Reads one JSON object with a name and arguments, and gives the arguments as they come.

    Args:
        before: What stood before the object and belongs to it if it is no call.
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
        """Read on; gives how much of the text was read, all of it unless the object ended."""
        for at, character in enumerate(text):
            self.text += character
            self._read(character)
            if self.complete or self.failed:
                return at + 1
        return len(text)

    def take(self) -> str:
        """Give what is known of the arguments and was not taken before."""
        if self._arguments is None:
            return "{}" if self.complete and not self._mark_taken() else ""
        start, end = self._arguments
        raw = self.text[start:end]
        if raw.lstrip().startswith('"'):  # an object that was written as a string
            return "" if end is None or self._mark_taken() else str(json.loads(raw))
        raw = raw.strip()  # spaces at the end may yet turn out to stand within
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
    """Reads a name, a separator, and a JSON object of arguments.

    Args:
        before: What stood before the call and belongs to it if it is none.
        separator: What parts the name from the arguments. Mistral's models of the eleventh tokenizer write an id between
            them, which says nothing here.
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
        """Read on; gives how much of the text was read, all of it unless the call ended."""
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
        """Give what is known of the arguments and was not taken before."""
        raw = self.text[self._start :].strip()  # spaces at the end may yet turn out to stand within
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
    """Reads a function and its parameters, each between tags of its own.

    What stands between a parameter's tags is no JSON: only the tool's schema tells the text "12" from the number.

    Args:
        before: What stood before the call and belongs to it if it is none.
        types: Schemas of parameters, by the names of tools and of parameters.
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
        """Read on; gives how much of the text was read, all of it unless the call ended."""
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
        """Give what is known of the arguments and was not taken before."""
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
        """Read what stands between two parameters, or behind the last."""
        part = self.text[self._from :].lstrip()
        if part == _FUNCTION_ENDS:
            self._known += "}" if self._known else "{}"
            self.name, self.complete = self._found, True
        elif part.startswith(_PARAMETER) and part.endswith(">"):
            self.name = self._found  # a call, now that a parameter begins
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
    """Read a value as its schema says: as text where text is allowed, else as JSON where it is any."""
    if allows_text(schema):
        return raw
    if raw in _PYTHON:
        return _PYTHON[raw]
    try:
        return json.loads(raw)
    except ValueError:
        return raw


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
