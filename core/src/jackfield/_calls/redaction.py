"""Remove secrets from errors, in every spelling that a service or a library may use."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote

from jackfield._contract.secrets import Secret
from jackfield._types.errors import JackfieldError
from jackfield._types.wire import Headers

__all__ = ["Redaction"]

_MASK: Final = "***"
_SHORTEST: Final = 4
_SHORTEST_BASE64: Final = 8
_DEEPEST: Final = 6
_MOST_VALUES: Final = 2000
_OPAQUE: Final = (
    type(None), bool, int, float, complex, type, Secret,
    FunctionType, BuiltinFunctionType, MethodType, ModuleType,
)  # fmt: skip


class Redaction:
    """Replace secrets by "***" in texts, bytes and errors.

    Args:
        secrets: The secrets; those shorter than four characters are left, for they stand in any text.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        spellings = {
            spelling for secret in secrets if len(secret) >= _SHORTEST for spelling in _spell(secret)
        }
        # The longest first: one may contain another.
        self._spellings = sorted(spellings, key=len, reverse=True)
        self._as_bytes = [spelling.encode("utf-8", "surrogatepass") for spelling in self._spellings]

    def redact_text(self, text: str) -> str:
        """Return a text without secrets."""
        for spelling in self._spellings:
            if spelling in text:
                text = text.replace(spelling, _MASK)
        return text

    def redact_bytes(self, data: bytes) -> bytes:
        """Return bytes without secrets."""
        for spelling in self._as_bytes:
            if spelling in data:
                data = data.replace(spelling, _MASK.encode())
        return data

    def redact_error(self, error: JackfieldError) -> None:
        """Remove secrets from an error and from its causes and contexts.

        An error of another library that holds a secret, however deep, is replaced by one of the same built-in kind
        that says its type and its redacted text.
        """
        if self._spellings:
            self._clean(error, set())

    def _clean(self, error: BaseException, seen: set[int]) -> None:
        if id(error) in seen:
            return
        seen.add(id(error))
        if isinstance(error, JackfieldError):
            self._clean_own(error)
        for name in ("__cause__", "__context__"):
            inner: BaseException | None = getattr(error, name)
            if inner is None:
                continue
            suppressed = error.__suppress_context__
            if not isinstance(inner, JackfieldError) and id(inner) not in seen and self._is_in_error(inner):
                inner = self._make_stand_in(inner)
                setattr(error, name, inner)
            error.__suppress_context__ = suppressed
            self._clean(inner, seen)

    def _clean_own(self, error: JackfieldError) -> None:
        error.message = self.redact_text(error.message)
        error.args = (error.message,)
        mistakes: Any = getattr(error, "mistakes", None)
        if mistakes:
            error.mistakes = type(mistakes)(map(self.redact_text, mistakes))  # type: ignore[attr-defined]
        if error.body:
            error.body = self.redact_bytes(error.body)
        if error.headers:
            cleaned = {name: self.redact_text(value) for name, value in error.headers.items()}
            if any(cleaned[name] != value for name, value in error.headers.items()):
                error.headers = Headers(cleaned)
        if error.code:
            error.code = self.redact_text(error.code)
        notes = getattr(error, "__notes__", None)
        if notes:
            error.__notes__ = [self.redact_text(str(note)) for note in notes]

    def _make_stand_in(self, error: BaseException) -> BaseException:
        said = type(error).__name__
        with contextlib.suppress(Exception):
            said = f"{type(error).__module__}.{type(error).__qualname__}: {self.redact_text(str(error))}"
        kinds = (kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
        made: BaseException = Exception(said)
        kind: Any = next(kinds)
        if issubclass(kind, Exception):
            with contextlib.suppress(Exception):  # some need more than a text
                made = kind(said)
        made.__cause__, made.__context__ = error.__cause__, error.__context__
        made.__suppress_context__ = error.__suppress_context__
        return made.with_traceback(error.__traceback__)

    def _is_in_error(self, error: BaseException) -> bool:
        try:
            said = [str(error), repr(error)]
        except Exception:
            return True  # what cannot even be shown is not passed on
        return any(self._is_in_text(text) for text in said) or self._is_in(error, 0, set())

    def _is_in_text(self, text: str) -> bool:
        return any(spelling in text for spelling in self._spellings)

    def _is_in(self, value: Any, depth: int, seen: set[int]) -> bool:
        """Return whether a secret stands in a value or in what it is made of."""
        if isinstance(value, str):
            return self._is_in_text(value)
        if isinstance(value, bytes | bytearray):
            return any(spelling in value for spelling in self._as_bytes)
        if isinstance(value, _OPAQUE) or depth > _DEEPEST or id(value) in seen:
            return False
        seen.add(id(value))
        if len(seen) > _MOST_VALUES:
            return True  # nobody can look through all of it
        try:
            parts = list(_list_parts(value))
        except Exception:
            return False
        return any(self._is_in(part, depth + 1, seen) for part in parts)


def _list_parts(value: Any) -> Iterator[Any]:
    """Yield what a value is made of; its repr where that cannot be looked into."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield item
        return
    if isinstance(value, list | tuple | set | frozenset):
        yield from value
        return
    seen_into = False
    if isinstance(value, BaseException):
        seen_into = True
        yield value.args
        for name in ("filename", "filename2", "object", "value", "exceptions", "__notes__"):
            yield getattr(value, name, None)
    for kind in type(value).__mro__:
        names = vars(kind).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            seen_into = True
            yield getattr(value, name, None)
    if hasattr(value, "__dict__"):
        seen_into = True
        yield from list(vars(value).values())
    if not seen_into:
        yield repr(value)


def _spell(secret: str) -> Iterator[str]:
    """Yield a secret as addresses, JSON, HTML, Python, hexadecimal numbers and base64 spell it."""
    for plain in {secret, unquote(secret)}:
        if len(plain) < _SHORTEST:
            continue
        raw = plain.encode("utf-8", "surrogatepass")
        in_json = [json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1]]
        quoted = [quote(raw, safe=""), quote(raw), quote_plus(raw)]
        yield plain
        yield from quoted
        yield from (re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), text) for text in quoted)
        yield from in_json
        yield from (text.replace("/", "\\/") for text in in_json)
        yield from (json.dumps(text)[1:-1] for text in in_json)
        yield from (html.escape(plain), html.escape(plain, quote=False))
        for text in (plain, *in_json):
            # Which of its quotes Python escapes is decided by all of what is shown.
            for shown in (repr(text)[1:-1], repr(text.encode("utf-8", "surrogatepass"))[2:-1]):
                yield from (shown, shown.replace("\\'", "'"), shown.replace("\\'", "'").replace("'", "\\'"))
        yield from (raw.hex(), raw.hex().upper())
        yield from _spell_in_base64(raw)


def _spell_in_base64(raw: bytes) -> Iterator[str]:
    """Yield what is the same in base64 wherever the bytes stand in what is encoded."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        same = encoded[first:last].decode()
        if len(same) >= _SHORTEST_BASE64:
            yield from (same, same.replace("+", "-").replace("/", "_"))
