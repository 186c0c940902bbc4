"""What plugins need to hand a client's request on as it came."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final

from jackfield._json import write_json
from jackfield._types.errors import ConfigurationError

__all__ = ["pass_headers", "replace_model", "swap_model"]

_MODEL: Final = re.compile(rb'"model"[ \t\r\n]*:[ \t\r\n]*')
_LIKE_MODEL: Final = re.compile(rb'"model"[ \t\r\n]*:', re.IGNORECASE)
"""Some readers, such as those of Go, take a key in capitals, too, and the last one counts."""
_SPELLED_OUT: Final = re.compile(rb"\\u00[46][45cdfCDF]")
"""A letter of "model" as an escape. No library writes one; somebody may, so that two readers see two models."""
_KEY: Final = b'"model"'
_BEGINNING: Final = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"model"[ \t\r\n]*:[ \t\r\n]*\Z')
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_NEVER_PASSED: Final = frozenset(
    {
        "accept-encoding", "api-key", "authorization", "connection", "content-encoding", "content-length", "cookie", "host",
        "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "x-api-key", "x-goog-api-key",
    }
)  # fmt: skip
"""The client's key, and what belongs to its own connection (RFC 9110, section 7.6.1)."""


def replace_model(body: bytes, model: str) -> bytes:
    """Return a JSON object with another name of the model; every other byte is as it was.

    Args:
        body: The object; its own key "model" is a string.
        model: The name.

    Raises:
        ConfigurationError: It is not a JSON object, or has no such key, or has it twice or in an odd spelling: then the
            service might read another model than the one that was asked for.
    """
    _, start, end = _find_model(body)
    return body[:start] + write_json(model) + body[end:]


def swap_model(body: bytes, name: str, value: str) -> bytes:
    """Return a JSON object with another member in the place of its model; every other byte is as it was.

    For a service that has the model in the path, and wants something else in the body.

    Args:
        body: The object; its own key "model" is a string.
        name: The key of the other member.
        value: Its value.

    Raises:
        ConfigurationError: As `replace_model`.
    """
    start, _, end = _find_model(body)
    return body[:start] + write_json(name) + b":" + write_json(value) + body[end:]


def _find_model(body: bytes) -> tuple[int, int, int]:
    """Return where the member "model" begins, and where its value begins and ends."""
    if _SPELLED_OUT.search(body) is not None:
        raise ConfigurationError(
            "the body spells plain letters as escapes, so its model cannot be replaced safely"
        )
    keys = list(_MODEL.finditer(body))
    if len(keys) != 1 or _has_capitals(body) or not _is_first_key(body, keys[0].end()):
        keys = _find_keys(body)
    key = _MODEL.match(body, keys[0].start()) if len(keys) == 1 else None
    value = None if key is None else _STRING.match(body, key.end())
    if value is None:
        raise ConfigurationError('the body must be a JSON object with one key "model", a string')
    return keys[0].start(), value.start(), value.end()


def _is_first_key(body: bytes, place: int) -> bool:
    """Return whether nothing but the opening brace stands before a key: so most clients write it."""
    return _BEGINNING.match(body, 0, place) is not None


def _has_capitals(body: bytes) -> bool:
    """Return whether a key "model" may be written with capitals somewhere."""
    return body.lower().count(_KEY) != body.count(_KEY)


def _find_keys(body: bytes) -> list[re.Match[bytes]]:
    """Return the outermost keys "model", however they are written."""
    keys, depth = [], 0
    for token in _TOKEN.finditer(body):
        first = body[token.start()]
        if first in b"{[":
            depth += 1
        elif first in b"}]":
            depth -= 1
        elif depth == 1:
            key = _LIKE_MODEL.match(body, token.start())
            if key is not None:
                keys.append(key)
    return keys


def pass_headers(headers: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return those of a client's headers that a service documents; never a key, nor what belongs to a connection.

    Args:
        headers: The client's.
        names: Names, in lower case; one that ends in "*" is a prefix.
    """
    exact, prefixes = _sort_names(tuple(names))
    return {
        name: value
        for name, value in headers.items()
        if (lower := name.lower()) not in _NEVER_PASSED
        and (lower in exact or (prefixes and lower.startswith(prefixes)))
    }


@lru_cache(maxsize=64)
def _sort_names(names: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return names apart from prefixes."""
    exact = frozenset(name for name in names if not name.endswith("*"))
    return exact, tuple(name[:-1] for name in names if name.endswith("*"))
