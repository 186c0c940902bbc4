"""Find where the statements of a TOML text stand: headers, pairs, comments, blank lines.

Editing by places keeps everything else as it is, byte for byte. What is found here is never trusted alone: the editor
reads the edited text again, and compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import attrs

__all__ = ["Path", "ScanError", "Statement", "scan"]

Path: TypeAlias = tuple[str | int, ...]
"""The place of a value: keys, and numbers in arrays of tables."""

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_BASIC: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL: Final = re.compile(r"'[^'\n]*'")
_LONG_BASIC: Final = re.compile(r'"""(?:[^"\\]|\\.|"(?!"")|""(?!"))*"{3,5}', re.DOTALL)
_LONG_LITERAL: Final = re.compile(r"'''(?:[^']|'(?!'')|''(?!'))*'{3,5}", re.DOTALL)
_SPACES: Final = re.compile(r"[ \t]*")
_REST_OF_LINE: Final = re.compile(r"[^\n]*\n?")
_PLAIN: Final = re.compile(r"[^,\]}#\n]+")


class ScanError(Exception):
    """The text is not understood."""


@attrs.frozen
class Statement:
    """One statement, with the line ends behind it.

    Attributes:
        kind: What it is; "array" is the header of an element of an array of tables.
        path: What a header opens, or what a pair sets; empty for comments and blank lines.
        start: Where it begins.
        end: Where the next one begins.
        value: Where the value of a pair begins and ends.
    """

    kind: Literal["header", "array", "pair", "comment", "blank"]
    path: Path
    start: int
    end: int
    value: tuple[int, int] = (0, 0)


def scan(text: str) -> list[Statement]:
    """Return the statements of a text, one after the other, without gaps.

    Raises:
        ScanError: The text is not understood.
    """
    scanner = _Scanner(text)
    statements: list[Statement] = []
    while scanner.at < len(text):
        statements.append(scanner.statement())
    return statements


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._table: Path = ()
        self._counts: dict[Path, int] = {}

    def statement(self) -> Statement:
        start = self.at
        self._skip(_SPACES)
        here = self.text[self.at : self.at + 1]
        if here in ("", "\n", "\r"):
            self._skip(_REST_OF_LINE)
            return Statement("blank", (), start, self.at)
        if here == "#":
            self._skip(_REST_OF_LINE)
            return Statement("comment", (), start, self.at)
        if here == "[":
            return self._header(start)
        return self._pair(start)

    def _header(self, start: int) -> Statement:
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        keys = self._keys()
        closing = "]]" if is_array else "]"
        if not self.text.startswith(closing, self.at):
            raise ScanError(f"line {self._line()}: a header does not end")
        self.at += len(closing)
        self._skip(_REST_OF_LINE)
        path = (*self._resolve(keys[:-1]), keys[-1])
        if is_array:
            number = self._counts.get(path, 0)
            self._counts[path] = number + 1
            self._table = (*path, number)
            return Statement("array", self._table, start, self.at)
        self._table = path
        return Statement("header", path, start, self.at)

    def _resolve(self, keys: Sequence[str]) -> Path:
        """Return the path of keys: a header below an array of tables means the last of its elements."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        return path

    def _pair(self, start: int) -> Statement:
        keys = self._keys()
        if self.text[self.at : self.at + 1] != "=":
            raise ScanError(f"line {self._line()}: a key has no value")
        self.at += 1
        self._skip(_SPACES)
        begin = self.at
        self._value()
        end = begin + len(self.text[begin : self.at].rstrip(" \t\r"))
        self._skip(_REST_OF_LINE)
        return Statement("pair", (*self._table, *keys), start, self.at, (begin, end))

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACES)
            keys.append(self._key())
            self._skip(_SPACES)
            if self.text[self.at : self.at + 1] != ".":
                return keys
            self.at += 1

    def _key(self) -> str:
        for pattern in (_BASIC, _LITERAL, _BARE):
            found = pattern.match(self.text, self.at)
            if found is not None:
                self.at = found.end()
                return _read_key(found[0])
        raise ScanError(f"line {self._line()}: a key is not understood")

    def _value(self) -> None:
        """Go to the end of a value."""
        for pattern in (_LONG_BASIC, _LONG_LITERAL, _BASIC, _LITERAL):
            if self._skip(pattern):
                return
        if self.text[self.at : self.at + 1] not in ("[", "{"):
            if not self._skip(_PLAIN):
                raise ScanError(f"line {self._line()}: a value is not understood")
            return
        self._brackets()

    def _brackets(self) -> None:
        """Go behind the bracket that closes the one that stands here."""
        depth = 0
        while self.at < len(self.text):
            here = self.text[self.at]
            if here in "\"'":
                self._value()
                continue
            if here == "#":
                self._skip(_REST_OF_LINE)
                continue
            depth += (here in "[{") - (here in "]}")
            self.at += 1
            if not depth:
                return
        raise ScanError("a bracket is not closed")

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        found = pattern.match(self.text, self.at)
        if found is None:
            return False
        self.at = found.end()
        return bool(found[0])

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1


def _read_key(written: str) -> str:
    if written.startswith("'"):
        return written[1:-1]
    if not written.startswith('"'):
        return written
    try:
        key: str = json.loads(written)  # TOML's escapes of a key are JSON's, but for \U and \e
    except ValueError:
        raise ScanError("a key is written with escapes that are not understood") from None
    return key
