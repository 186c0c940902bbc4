"""Change single values and tables of a TOML text, and leave everything else as it is, byte for byte."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from ._toml_scan import Path, ScanError, Statement, scan

__all__ = ["EditError", "add_element", "add_table", "remove", "set_value", "value_at", "write_value"]

_LINE: Final = 100
"""Longer lists are written over several lines."""
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_BY_HAND: Final = (
    "the file is written in a way that the console cannot change without risk; change it by hand"
)


class EditError(Exception):
    """A change cannot be made; the text says what to do."""


def value_at(content: Mapping[str, Any], path: Path) -> Any:
    """Return what stands at a path of a parsed document; None if there is nothing."""
    found: Any = content
    for key in path:
        if isinstance(key, int):
            found = found[key] if isinstance(found, list) and 0 <= key < len(found) else None
        else:
            found = found.get(key) if isinstance(found, Mapping) else None
        if found is None:
            return None
    return found


def set_value(text: str, path: Path, value: Any) -> str:
    """Return a text in which a path has a value; the tables above it are made if they are missing.

    Args:
        text: A TOML document.
        path: The place.
        value: Strings, numbers, booleans, dates, and lists and mappings of them.

    Raises:
        EditError: The change cannot be made.
    """
    _parse(text)
    plain = tomllib.loads(f"x = {_write_inline(value)}")["x"]
    return _checked(text, _Editor(text).set_value(path, plain), path, plain)


def remove(text: str, path: Path) -> str:
    """Return a text without what stands at a path; of a table, with the comment directly above it.

    Raises:
        EditError: The change cannot be made.
    """
    _parse(text)
    return _checked(text, _Editor(text).remove(path), path, None)


def add_table(text: str, path: Path, values: Mapping[str, Any]) -> str:
    """Return a text with a new table, behind the last one of its kind.

    Raises:
        EditError: There is such a table already, or the change cannot be made.
    """
    if value_at(_parse(text), path) is not None:
        raise EditError(f"{_shown(path)} is there already")
    return _checked(text, _Editor(text).add_table(path, values), path, values)


def add_element(text: str, path: Path, values: Mapping[str, Any]) -> str:
    """Return a text with one more element of an array of tables, `[[...]]`.

    Raises:
        EditError: The change cannot be made.
    """
    there = value_at(_parse(text), path)
    number = len(there) if isinstance(there, list) else 0
    return _checked(text, _Editor(text).add_element(path, number, values), (*path, number), values)


def write_value(value: Any) -> str:
    """Write a value as TOML; a long list over several lines."""
    line = _write_inline(value)
    if len(line) <= _LINE or not isinstance(value, Sequence) or isinstance(value, str):
        return line
    return "[\n" + "".join(f"  {_write_inline(item)},\n" for item in value) + "]"


def _write_inline(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_write_key(key)} = {_write_inline(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_write_inline, value))}]"
    written: str = tomlkit.item(value).as_string()
    return written


def _write_key(key: Any) -> str:
    text = str(key)
    return text if _BARE.fullmatch(text) else str(tomlkit.item(text).as_string())


def _write_path(path: Path) -> str:
    return ".".join(_write_key(key) for key in path if not isinstance(key, int))


def _shown(path: Path) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")


def _parse(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise EditError(f"the file is not valid TOML: {error}") from error


def _checked(old: str, new: str, path: Path, value: Any) -> str:
    """Return an edited text if it says exactly what it is meant to say."""
    wanted = _changed(_parse(old), path, value)
    try:
        found = tomllib.loads(new)
    except tomllib.TOMLDecodeError:
        raise EditError(_BY_HAND) from None
    if not _same(_without_empty(found), _without_empty(wanted)):
        raise EditError(_BY_HAND)
    return new


def _same(left: Any, right: Any) -> bool:
    """Return whether two documents are equal; types count, so that 1 is not true."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return type(left) is type(right) and (left == right or (left != left and right != right))  # noqa: PLR0124 -- nan


def _without_empty(value: Any) -> Any:
    """Leave out empty tables: whether the header of a table that has become empty stays makes no difference."""
    if not isinstance(value, dict):
        return value
    cleaned = {key: _without_empty(item) for key, item in value.items()}
    return {key: item for key, item in cleaned.items() if item != {}}


def _changed(content: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """Return a parsed document with one change; None removes."""
    here: Any = content
    for key, following in pairwise(path):
        if isinstance(here, list):
            if key == len(here):
                here.append({})
            here = here[int(key)]
        else:
            here = here.setdefault(key, [] if isinstance(following, int) else {})
    last = path[-1]
    if value is not None:
        plain = tomllib.loads(f"x = {_write_inline(value)}")["x"]
        if isinstance(here, list) and last == len(here):
            here.append(plain)
        else:
            here[last] = plain
    elif isinstance(here, list):
        del here[int(last)]
        if not here:
            _changed(content, path[:-1], None)
    else:
        here.pop(last, None)
    return content


class _Editor:
    def __init__(self, text: str) -> None:
        self._end_of_line = "\r\n" if "\r\n" in text else "\n"
        if text and not text.endswith("\n"):
            text += self._end_of_line
        self._text = text
        try:
            self._statements = scan(text)
        except ScanError as error:
            raise EditError(f"{_BY_HAND} ({error})") from error

    # Finding

    def _pairs_of(self, path: Path) -> list[Statement]:
        """Return the pairs at a path and below it."""
        return [one for one in self._statements if one.kind == "pair" and one.path[: len(path)] == path]

    def _headers_of(self, path: Path) -> list[Statement]:
        """Return the headers at a path and below it."""
        return [
            one
            for one in self._statements
            if one.kind in ("header", "array") and one.path[: len(path)] == path
        ]

    def _inline_around(self, path: Path) -> Statement | None:
        """Return the pair whose value, an inline table or an array, holds a path."""
        for one in self._statements:
            if one.kind == "pair" and len(one.path) < len(path) and path[: len(one.path)] == one.path:
                return one
        return None

    def _section(self, header: Statement) -> tuple[int, int]:
        """Return the numbers of the statements between a header and the next."""
        begin = self._statements.index(header) + 1
        end = begin
        while end < len(self._statements) and self._statements[end].kind not in ("header", "array"):
            end += 1
        return begin, end

    def _end_of_content(self, header: Statement | None) -> int:
        """Return where a line can be added to a section: behind its last pair, before what belongs to the next section."""
        if header is None:
            begin, end = (
                0,
                next(
                    (n for n, one in enumerate(self._statements) if one.kind in ("header", "array")),
                    len(self._statements),
                ),
            )
            place = 0
        else:
            begin, end = self._section(header)
            place = header.end
        for one in self._statements[begin:end]:
            if one.kind == "pair":
                place = one.end
        return place

    # Changing

    def set_value(self, path: Path, value: Any) -> str:
        exact = [one for one in self._pairs_of(path) if one.path == path]
        if exact:
            return self._replace(exact[0].value, self._rewritten(exact[0], value))
        around = self._inline_around(path)
        if around is not None:
            return self._inside(around, path[len(around.path) :], value)
        if isinstance(value, Mapping) and (self._pairs_of(path) or self._headers_of(path)):
            return self._merge(path, value)
        if self._headers_of(path) or self._pairs_of(path):
            return _Editor(self.remove(path)).set_value(path, value)
        return self._insert(path, value)

    def _merge(self, path: Path, values: Mapping[str, Any]) -> str:
        """Change a table that is written with a header or dotted keys, key by key."""
        text = self._text
        there = value_at(_parse(text), path)
        for key in there if isinstance(there, Mapping) else ():
            if key not in values:
                text = _Editor(text).remove((*path, key))
        for key, value in values.items():
            old = value_at(_parse(text), (*path, key))
            if old is None or not _same(old, tomllib.loads(f"x = {_write_inline(value)}")["x"]):
                text = _Editor(text).set_value((*path, key), value)
        return text

    def _insert(self, path: Path, value: Any) -> str:
        """Add a pair to the nearest table above that has a header; without one, as a new table."""
        table, key = path[:-1], path[-1]
        header = next((one for one in self._headers_of(table) if one.path == table), None)
        if header is not None:
            return self._add_line(self._end_of_content(header), f"{_write_key(key)} = {write_value(value)}")
        dotted = [one for one in self._pairs_of(table) if table]
        if dotted:
            last = dotted[-1]
            opened = [
                one for one in self._statements if one.kind in ("header", "array") and one.end <= last.start
            ]
            outer = opened[-1].path if opened else ()
            name = _write_path(path[len(outer) :])
            return self._add_line(last.end, f"{name} = {write_value(value)}")
        if not table:
            return self._add_line(self._end_of_content(None), f"{_write_key(key)} = {write_value(value)}")
        return self.add_table(table, {str(key): value})

    def add_table(self, path: Path, values: Mapping[str, Any]) -> str:
        around = self._inline_around(path)
        if around is not None:
            return self._inside(around, path[len(around.path) :], values)
        lines = [f"[{_write_path(path)}]", *self._lines(values)]
        return self._add_section(path, lines)

    def add_element(self, path: Path, number: int, values: Mapping[str, Any]) -> str:
        pairs = [one for one in self._pairs_of(path) if one.path == path]
        if pairs or self._inline_around(path) is not None:
            old = value_at(_parse(self._text), path)
            return self.set_value(path, [*(old or ()), dict(values)])
        return self._add_section(path, [f"[[{_write_path(path)}]]", *self._lines(values)])

    def _add_section(self, path: Path, lines: Sequence[str]) -> str:
        """Add a section behind the last one that is next to it: with the longest common beginning."""
        sections = [one for one in self._statements if one.kind in ("header", "array")]
        for length in range(len(path), 0, -1):
            alike = [one for one in sections if one.path[:length] == path[:length]]
            if alike:
                place = self._end_of_section(alike[-1])
                following = self._text[place:]
                tail = self._end_of_line if following.lstrip(" \t").startswith(("#", "[")) else ""
                return self._put(place, self._end_of_line + self._joined(lines) + tail)
        gap = self._end_of_line if self._text and not self._text.endswith(("\n\n", "\n\r\n")) else ""
        return self._put(len(self._text), gap + self._joined(lines))

    def remove(self, path: Path) -> str:
        around = self._inline_around(path)
        if around is not None:
            return self._inside(around, path[len(around.path) :], None)
        spans = [(one.start, one.end) for one in self._pairs_of(path)]
        headers = self._headers_of(path)
        spans += [(self._start_with_comment(header), self._end_of_removed(header)) for header in headers]
        text = self._text
        for start, stop in sorted(_joined_spans(spans), reverse=True):
            first = self._without_gap(start) if stop == len(self._text) else start
            text = text[:first] + text[stop:]
        return text

    def _without_gap(self, start: int) -> int:
        """Return where the blank lines begin that stand directly before a place."""
        for one in reversed([one for one in self._statements if one.end <= start]):
            if one.kind != "blank":
                break
            start = one.start
        return start

    def _start_with_comment(self, header: Statement) -> int:
        """Return where a table begins: with the comment directly above its header, unless that is the file's own."""
        number = self._statements.index(header)
        first = number
        while first and self._statements[first - 1].kind == "comment":
            first -= 1
        return header.start if first == 0 else self._statements[first].start

    def _end_of_removed(self, header: Statement) -> int:
        """Return where a removed section ends: behind the blank lines that follow it; other comments stay."""
        place = self._end_of_section(header)
        number = next(
            (n for n, one in enumerate(self._statements) if one.start >= place), len(self._statements)
        )
        while number < len(self._statements) and self._statements[number].kind == "blank":
            number += 1
        return self._statements[number].start if number < len(self._statements) else len(self._text)

    def _end_of_section(self, header: Statement) -> int:
        """Return where a section ends: its last pair, and comments directly below that are not those of the next header."""
        begin, end = self._section(header)
        last = begin - 1
        for number in range(begin, end):
            if self._statements[number].kind == "pair":
                last = number
        below = last + 1
        while below < end and self._statements[below].kind == "comment":
            below += 1
        if below == end < len(self._statements):
            below = last + 1  # without a blank line they stand above the next header
        return self._statements[below - 1].end

    def _inside(self, around: Statement, inner: Path, value: Any) -> str:
        """Change what stands inside the value of a pair, by tomlkit."""
        begin, end = around.value
        try:
            document = tomlkit.parse(f"x = {self._text[begin:end]}\n")
            here: Any = document
            for key in ("x", *inner[:-1]):
                if not isinstance(here, list) and key not in here:
                    here[key] = tomlkit.inline_table()
                here = here[key]
            if value is None:
                del here[inner[-1]]
            elif isinstance(here, list) and inner[-1] == len(here):
                here.append(_inline_item(value))
            else:
                here[inner[-1]] = _inline_item(value)
            written = tomlkit.dumps(document)
        except (TOMLKitError, LookupError, TypeError, ValueError) as error:
            raise EditError(_BY_HAND) from error
        return self._replace((begin, end), written.removeprefix("x = ").rstrip("\r\n"))

    def _rewritten(self, pair: Statement, value: Any) -> str:
        """Write the new value of a pair; what a list had before and still has keeps its place and its comments."""
        begin, end = pair.value
        old = self._text[begin:end]
        if isinstance(value, list) and old.startswith("["):
            kept = _rewritten_list(old, value)
            if kept is not None:
                return kept
        return write_value(value).replace("\n", self._end_of_line)

    # Text

    def _lines(self, values: Mapping[str, Any]) -> list[str]:
        return [f"{_write_key(key)} = {write_value(value)}" for key, value in values.items()]

    def _joined(self, lines: Sequence[str]) -> str:
        return "".join(f"{line}\n" for line in lines).replace("\n", self._end_of_line)

    def _add_line(self, place: int, line: str) -> str:
        return self._put(place, self._joined([line]))

    def _put(self, place: int, text: str) -> str:
        return self._text[:place] + text + self._text[place:]

    def _replace(self, span: tuple[int, int], text: str) -> str:
        return self._text[: span[0]] + text + self._text[span[1] :]


def _joined_spans(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that overlap or touch."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _inline_item(value: Any) -> Any:
    """Make a value as it stands inside an inline table."""
    return tomlkit.parse(f"x = {_write_inline(value)}\n")["x"]


def _rewritten_list(old: str, value: list[Any]) -> str | None:
    """Write a list by taking out and adding elements; None if that does not give it."""
    try:
        document = tomlkit.parse(f"x = {old}\n")
        array: Any = document["x"]
        for number in range(len(array) - 1, -1, -1):
            if not any(_same(_plain(array[number]), item) for item in value):
                del array[number]
        for item in value:
            if not any(_same(_plain(one), item) for one in array):
                array.append(_inline_item(item))
        written = tomlkit.dumps(document).removeprefix("x = ").rstrip("\r\n")
        return written if _same(tomllib.loads(f"x = {written}\n")["x"], value) else None
    except (TOMLKitError, tomllib.TOMLDecodeError, LookupError, TypeError, ValueError):
        return None


def _plain(item: Any) -> Any:
    return item.unwrap() if hasattr(item, "unwrap") else item
