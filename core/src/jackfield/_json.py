"""Read JSON as services write it, and write JSON that every service can read.

orjson comes first, and nearly always last: it is strict, as the standard is. Only what it refuses is read or written again
here, by rules that every other part of the framework relies on. Services do send byte order marks, `NaN`, halves of a
surrogate pair (a text cut by a program that counts in UTF-16), bytes that are not UTF-8 and numbers beyond 64 bits; an
answer that holds one of them has been computed and billed.
"""

from __future__ import annotations

import enum
import json
import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

import orjson

__all__ = ["Halves", "exact_numbers", "exact_part", "read_exactly", "read_json", "whole_text", "write_json"]

Data: TypeAlias = bytes | bytearray | memoryview | str

_BYTE_ORDER_MARK: Final = "\ufeff"
_HIGH: Final = range(0xD800, 0xDC00)
_LOW: Final = range(0xDC00, 0xE000)
_UTF_16: Final = "utf-16-le"
_LONG_NUMBER: Final = rb"[0-9]{19}"
_OPTIONS: Final = orjson.OPT_NON_STR_KEYS
_MAY_BE_INEXACT: Final = r"[0-9]{19}|[0-9.][eE]\+?[0-9]{3}"
_MOST_DIGITS: Final = 4300
"""Digits up to which Python converts an integer."""
_BEYOND_64_BITS: Final = 2.0**63
_MAY_HOLD_HALVES: Final = "\\\\u[dD][89a-fA-F]|[\ud800-\udfff]"
# Strings, so as not to look into them, and what C's `printf` writes.
_STRING_OR_WORD: Final = r'(?is:"(?:[^"\\]|\\.)*+(?:"|\Z)|(?<![\w.])[+-]?(?:nan|inf(?:inity)?)(?![\w.]))'
_WORD_OF_C: Final = r"\b(?i:nan|inf|infinity)\b"


class Halves:
    """Count texts that may have to be joined with their neighbours.

    Attributes:
        kept: How many texts were read that begin or end with half of a surrogate pair, in this process.
    """

    kept = 0


def read_json(data: Data, *, halves: bool = False) -> Any:
    """Parse JSON, also with what strict parsers refuse and services send all the same.

    A byte order mark is passed over; `NaN`, `Infinity` (also as C writes them: `nan`, `-inf`) and numbers beyond the range
    of a float are floats; control characters may stand in strings; bytes that are not UTF-8, and halves of a surrogate pair without the other half,
    become U+FFFD.

    Args:
        data: The text, or its bytes.
        halves: Keep half of a pair at the beginning or the end of a string, for a text whose other half comes with the
            next piece. `Halves.kept` then counts.

    Raises:
        ValueError: It is not JSON; an `orjson.JSONDecodeError`.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        try:
            return _read(_decoded(data), halves=halves)
        except (ValueError, RecursionError):
            raise error from None


def read_exactly(data: Data) -> Any:
    """Parse JSON as `read_json` does, with whole numbers of any size exact: others make floats of those beyond 64 bits.

    For what goes back to a service, or to a function, as it came: arguments of tools, answers of a form that was asked for.

    Raises:
        ValueError: It is not JSON.
    """
    text = _decoded(data)
    if not re.search(_MAY_BE_INEXACT, text):
        return read_json(text)
    try:
        return _read(text, halves=False, parse_float=_whole_or_float)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def exact_numbers(value: Any, data: bytes | bytearray | memoryview) -> Any:
    """Return a value that was parsed quickly with its integers exact, for what a program computes with: a tool's arguments.

    orjson, and with it `read_json` and `read_frame`, makes floats of integers beyond 64 bits. The text is parsed again
    only if it has digits enough.

    Args:
        value: The value.
        data: The JSON that it was parsed from.
    """
    return read_exactly(data) if re.search(_LONG_NUMBER, data) else value


def exact_part(part: Any, whole: Any, data: Data) -> Any:
    """Return a part of parsed JSON with whole numbers of any size exact.

    Args:
        part: The part; the very object in `whole`, no copy.
        whole: What `data` was parsed to.
        data: The JSON.
    """
    if not _holds_large_float(part):
        return part
    path = _path_of(part, whole)
    if path is None:
        return part
    found = read_exactly(data)
    for step in path:
        found = found[step]
    return found


def _holds_large_float(value: Any) -> bool:
    if isinstance(value, float):
        return abs(value) >= _BEYOND_64_BITS
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_holds_large_float(one) for one in inner)


def _path_of(part: Any, whole: Any) -> list[Any] | None:
    if part is whole:
        return []
    steps = whole.items() if isinstance(whole, dict) else enumerate(whole) if isinstance(whole, list) else ()
    for step, inner in steps:
        rest = _path_of(part, inner)
        if rest is not None:
            return [step, *rest]
    return None


def write_json(value: Any, *, halves: bool = False) -> bytes:
    """Write a value as JSON in UTF-8, also with what orjson refuses: numbers beyond 64 bits and halves of a pair.

    Args:
        value: What orjson writes: mappings, lists, strings, numbers, dates and the like.
        halves: Keep halves of a surrogate pair, as escapes, for a reader that joins them; otherwise they become U+FFFD.

    Raises:
        TypeError: A part of it cannot be written; says which, by its path.
    """
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except TypeError:
        pass
    try:
        plain = _plain(value, "", halves=halves)
    except RecursionError:
        raise TypeError("it is nested too deeply to be written as JSON") from None
    return json.dumps(plain, ensure_ascii=halves, separators=(",", ":")).encode()


def whole_text(text: str) -> str:
    """Join the halves of surrogate pairs that stand side by side, and replace the others by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(_UTF_16, "surrogatepass").decode(_UTF_16, "replace")
    return text


def _decoded(data: Data) -> str:
    if isinstance(data, str):
        text = data
    else:
        data = bytes(data)
        encoding = json.detect_encoding(data)
        try:
            text = data.decode(encoding, "surrogatepass")
        except UnicodeDecodeError:
            text = data.decode(encoding, "replace")
    return text.removeprefix(_BYTE_ORDER_MARK)


def _read(text: str, *, halves: bool, parse_float: Callable[[str], float] | None = None) -> Any:
    parse = partial(json.loads, strict=False, parse_int=_integer, parse_float=parse_float)
    try:
        value = parse(text)
    except ValueError:
        if not re.search(_WORD_OF_C, text):
            raise
        value = parse(re.sub(_STRING_OR_WORD, _python_word, text))
    return _mended(value, halves=halves) if re.search(_MAY_HOLD_HALVES, text) else value


def _python_word(found: re.Match[str]) -> str:
    text = found[0]
    if text.startswith('"'):
        return text
    if text.lower().endswith("nan"):
        return "NaN"
    return "-Infinity" if text.startswith("-") else "Infinity"


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # more digits than Python converts
        return float(digits)


def _whole_or_float(digits: str) -> float:
    """Return a number with a fraction or an exponent; a whole one that is beyond floats, such as 1e400, is an integer."""
    number = float(digits)
    if math.isfinite(number):
        return number
    from decimal import Decimal

    exact = Decimal(digits)
    exponent = exact.as_tuple().exponent
    fits = isinstance(exponent, int) and exponent >= 0 and exact.adjusted() < _MOST_DIGITS
    return int(exact) if fits else number


def _mended(value: Any, *, halves: bool) -> Any:
    if isinstance(value, str):
        return _mended_text(value) if halves else whole_text(value)
    if isinstance(value, dict):
        return {whole_text(key): _mended(inner, halves=halves) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mended(inner, halves=halves) for inner in value]
    return value


def _mended_text(text: str) -> str:
    """Mend a text but for a half at its beginning and one at its end."""
    whole = whole_text(text)
    if whole == text:
        return text
    before = text[0] if ord(text[0]) in _LOW else ""
    after = text[-1] if len(text) > len(before) and ord(text[-1]) in _HIGH else ""
    if before or after:
        Halves.kept += 1
    return before + whole_text(text[len(before) : len(text) - len(after)]) + after


def _plain(value: Any, path: str, *, halves: bool) -> Any:
    """Return a value as the standard library can write it."""
    if isinstance(value, enum.Enum):
        return _plain(value.value, path, halves=halves)
    if isinstance(value, str):
        return value if halves else whole_text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None  # orjson, too, writes null for NaN and infinity
    if isinstance(value, dict):
        return {
            _key(key, path, halves=halves): _plain(
                inner, f"{path}.{key}" if path else str(key), halves=halves
            )
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(inner, f"{path}[{index}]", halves=halves) for index, inner in enumerate(value)]
    try:
        return orjson.loads(orjson.dumps(value, option=_OPTIONS))
    except TypeError as error:
        if isinstance(value, Mapping):
            return _plain(dict(value), path, halves=halves)
        where = path or "the value"
        raise TypeError(f"{where} cannot be written as JSON: {error}") from None


def _key(key: Any, path: str, *, halves: bool) -> str:
    if isinstance(key, str) and not isinstance(key, enum.Enum):
        return key if halves else whole_text(key)
    if isinstance(key, int) and not isinstance(key, bool | enum.Enum):
        return str(key)
    try:
        (written,) = orjson.loads(orjson.dumps({key: None}, option=_OPTIONS))
    except TypeError as error:
        raise TypeError(f"{path or 'the value'} has a key that cannot be written as JSON: {error}") from None
    return whole_text(written)
