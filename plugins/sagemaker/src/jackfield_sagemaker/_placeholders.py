"""Find and fill placeholders in the body of a template, which is a tree as parsed from the configuration.

A string that consists of one placeholder is replaced by the value with its type; `{{prompt}}`, `{{system}}` and `{{text}}`
may also be inside longer strings. Values are put into the parsed tree, which is converted to JSON afterwards, and are
never searched for placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jackfield.plugin import Kind

__all__ = [
    "KIND_BY_PLACE",
    "OPTIONS",
    "fill",
    "is_json",
    "is_placeholder",
    "kinds_of",
    "place_faults",
    "places_in",
]

KIND_BY_PLACE: Final[Mapping[str, Kind]] = {
    "messages": "chat", "prompt": "completion", "text": "summarization", "texts": "embedding",
}  # fmt: skip
OPTIONS: Final = (
    "max_tokens", "temperature", "top_p", "top_k", "stop", "seed", "presence_penalty", "frequency_penalty", "n", "user",
    "dimensions", "input_type", "truncate",
)  # fmt: skip
_KNOWN: Final = (*KIND_BY_PLACE, "system", "stream", *OPTIONS)
_INSIDE_STRINGS: Final = frozenset({"prompt", "system", "text"})
_PLACE: Final = re.compile(r"\{\{ *([a-z_]+) *\}\}")
_ABSENT: Final = object()


def is_json(content_type: str) -> bool:
    """Return whether a media type is JSON, so that the body is a tree."""
    return content_type.partition(";")[0].strip().lower().endswith("json")


def is_placeholder(node: Any) -> bool:
    """Return whether a node is a string that consists of one placeholder."""
    return isinstance(node, str) and _PLACE.fullmatch(node) is not None


def place_faults(node: Any, where: str) -> Iterator[str]:
    """Return faults for placeholders of a tree that are unknown or not allowed where they are."""
    if isinstance(node, str):
        names = _PLACE.findall(node)
        if "{{" in _PLACE.sub("", node) or not set(names) <= set(_KNOWN):
            known = ", ".join(f"{{{{{name}}}}}" for name in _KNOWN)
            yield f"{where}: {node!r} is not a known placeholder; known: {known}"
        elif not _PLACE.fullmatch(node) and not set(names) <= _INSIDE_STRINGS:
            yield f"{where}: a longer string may contain only {{{{prompt}}}}, {{{{system}}}}, {{{{text}}}}"
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if "{{" in str(key):
                yield f"{where}: a key must not contain a placeholder: {key!r}"
            yield from place_faults(value, f"{where}.{key}")
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from place_faults(value, f"{where}[{index}]")


def places_in(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Return name and path of every placeholder of a tree."""
    if isinstance(node, str):
        yield from ((name, path) for name in _PLACE.findall(node))
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from places_in(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from places_in(value, f"{path}[{index}]")


def kinds_of(template: Mapping[str, Any]) -> frozenset[Kind]:
    """Return the kinds of request that a declared template supports, by its placeholders."""
    return frozenset(
        KIND_BY_PLACE[name] for name, _ in places_in(template.get("body")) if name in KIND_BY_PLACE
    )


def fill(node: Any, values: Mapping[str, Any]) -> Any:
    """Return a copy of a tree with its placeholders replaced; those without a value are left out."""
    if isinstance(node, str):
        alone = _PLACE.fullmatch(node)
        if alone is not None:
            return values.get(alone[1], _ABSENT)
        return _PLACE.sub(lambda found: str(values.get(found[1], "")), node)
    if isinstance(node, Mapping):
        filled = {str(key): fill(value, values) for key, value in node.items()}
        return {key: value for key, value in filled.items() if value is not _ABSENT}
    if isinstance(node, list | tuple):
        return [value for value in (fill(item, values) for item in node) if value is not _ABSENT]
    return node
