"""Adapt JSON schemas to the subset to which the service holds answers and arguments of tools.

Sources: structured outputs guide (2025-2026), JSON schema limitations; Anthropic's Python SDK 2.12.0, which adapts schemas
in the same way: every object is closed, and limits move into the description, where the model reads them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from jackfield.plugin import write_json

__all__ = ["SchemaAdapter"]

_KEPT: Final = frozenset(
    {
        *(
            "type",
            "title",
            "description",
            "enum",
            "const",
            "default",
            "properties",
            "required",
            "items",
            "anyOf",
            "allOf",
        ),
        *(
            "additionalProperties",
            "$ref",
            "$defs",
            "definitions",
            "$schema",
            "$id",
            "format",
            "pattern",
            "minItems",
        ),
    }
)
_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_MAPS: Final = ("properties", "$defs", "definitions")
_LISTS: Final = ("anyOf", "allOf")
_WORDS: Final = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "uniqueItems": "no item twice: {}",
    "minProperties": "at least {} keys",
    "maxProperties": "at most {} keys",
    "pattern": "matches the pattern {}",
    "format": "in the format {}",
}
_TOO_HARD: Final = re.compile(r"\(\?[=!<]|\\[1-9bB]")
"""Parts of regular expressions that the service does not have: lookaround, references back, borders of words."""


class SchemaAdapter:
    """Adapts one schema, which is not changed itself.

    Args:
        also: Words that a service of the dialect accepts beside those of Anthropic's own API.

    Attributes:
        closed: Objects that were open are closed.
        moved: The words that were moved into descriptions.
        maps: Objects with any keys are part of the schema; the subset cannot describe them.
    """

    def __init__(self, *also: str) -> None:
        self._also = also
        self.closed = False
        self.moved: set[str] = set()
        self.maps = False

    def adapt(self, schema: Any) -> Any:
        """Return the schema in the subset."""
        if not isinstance(schema, Mapping):
            return schema
        adapted: dict[str, Any] = {}
        limits: dict[str, Any] = {}
        for name, value in schema.items():
            if name == "oneOf" and isinstance(value, list | tuple):
                self.moved.add(name)
                adapted["anyOf"] = [*adapted.get("anyOf", ()), *map(self.adapt, value)]
            elif name in self._also or _is_kept(name, value):
                adapted[name] = self._inner(name, value)
            else:
                limits[name] = value
        if _is_object(adapted):
            self._close(adapted)
        if limits:
            self._move(limits, adapted)
        return adapted

    def changes(self) -> str | None:
        """Return what was changed, for the report; None if nothing was."""
        closed = ["objects are closed"] if self.closed else []
        moved = [f"{', '.join(sorted(self.moved))} moved into descriptions or anyOf"] if self.moved else []
        return "; ".join(closed + moved) or None

    def _inner(self, name: str, value: Any) -> Any:
        if name in _MAPS and isinstance(value, Mapping):
            return {key: self.adapt(inner) for key, inner in value.items()}
        if name in _LISTS and isinstance(value, list | tuple):
            return [self.adapt(inner) for inner in value]
        return self.adapt(value) if name == "items" else value

    def _close(self, schema: dict[str, Any]) -> None:
        others = schema.get("additionalProperties")
        if others is False:
            return
        if (isinstance(others, Mapping) and others) or "properties" not in schema:
            self.maps = True
        schema["additionalProperties"] = False
        self.closed = True

    def _move(self, limits: Mapping[str, Any], schema: dict[str, Any]) -> None:
        self.moved.update(limits)
        told = ", ".join(_describe(name, value) for name, value in limits.items())
        before = schema.get("description")
        schema["description"] = f"{before} ({told})" if before else told


def _describe(name: str, value: Any) -> str:
    """Return a limit in words, which the model reads better than the words of schemas."""
    written = write_json(value).decode()
    return _WORDS[name].format(written) if name in _WORDS else f"{name}: {written}"


def _is_kept(name: str, value: Any) -> bool:
    if name == "format":
        return value in _FORMATS
    if name == "minItems":
        return value in (0, 1)
    if name == "pattern":
        return isinstance(value, str) and _TOO_HARD.search(value) is None
    return name in _KEPT


def _is_object(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list | tuple) and "object" in kind) or "properties" in schema
