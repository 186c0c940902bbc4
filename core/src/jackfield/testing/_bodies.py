"""Look for things in a wire's body without knowing its shape."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import orjson

__all__ = [
    "holds_data",
    "holds_schema",
    "holds_text",
    "holds_value",
    "keys_of",
    "leaves",
    "opened",
    "pairs_of",
]


def opened(value: Any) -> Any:
    """Return the plain value of bytes, of JSON in a string, or of one of our own values."""
    if isinstance(value, bytes | str) and value[:1] in {b"{", b"[", "{", "["}:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    if attrs.has(type(value)):
        return {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
    return value


def leaves(value: Any) -> Iterator[Any]:
    """Yield every value in a body that is not a container."""
    value = opened(value)
    if isinstance(value, Mapping):
        for entry in value.values():
            yield from leaves(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from leaves(entry)
    else:
        yield value


def pairs_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key in a body with its value, at any depth."""
    value = opened(value)
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield str(key), entry
            yield from pairs_of(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from pairs_of(entry)


def keys_of(value: Any) -> Iterator[str]:
    """Yield every key in a body, at any depth."""
    return (key for key, _ in pairs_of(value))


def holds_value(body: Any, value: Any) -> bool:
    """Return whether a body contains a value; for a sequence, whether it contains each of its entries."""
    if isinstance(value, list | tuple):
        return all(holds_value(body, entry) for entry in value)
    if isinstance(value, str):
        return holds_text(body, value)
    return any(type(leaf) is not bool and leaf == value for leaf in leaves(body) if not isinstance(leaf, str))


def holds_text(body: Any, text: str) -> bool:
    """Return whether a body contains a text, as it is or as base64."""
    encoded = base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
    for leaf in leaves(body):
        if isinstance(leaf, bytes):
            leaf = leaf.decode("utf-8", "replace")  # noqa: PLW2901 -- the same, readable
        if isinstance(leaf, str) and (text in leaf or encoded in leaf):
            return True
    return False


def holds_data(body: Any, data: bytes | str) -> bool:
    """Return whether a body contains bytes, as they are or as base64, or a text."""
    if isinstance(data, str):
        return holds_text(body, data)
    encoded = [coder(data).decode().rstrip("=") for coder in (base64.b64encode, base64.urlsafe_b64encode)]
    return any(
        data in leaf if isinstance(leaf, bytes) else any(one in leaf for one in encoded)
        for leaf in leaves(body)
        if isinstance(leaf, bytes | str)
    )


def holds_schema(body: Any, schema: Mapping[str, Any]) -> bool:
    """Return whether a body contains a JSON schema; keys may have been added, and type names may be in capitals."""
    body = opened(body)
    if isinstance(body, Mapping):
        return _covers(body, schema) or any(holds_schema(entry, schema) for entry in body.values())
    return isinstance(body, list | tuple) and any(holds_schema(entry, schema) for entry in body)


def _covers(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and _covers(found[key], entry) for key, entry in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(found, list | tuple)
            and len(found) >= len(wanted)
            and all(_covers(one, other) for one, other in zip(found, wanted, strict=False))
        )
    if isinstance(found, str) and isinstance(wanted, str):
        return found.lower() == wanted.lower()
    if isinstance(wanted, int) and isinstance(found, str):
        return found == str(wanted)  # services that take enums of strings alone
    return bool(found == wanted)
