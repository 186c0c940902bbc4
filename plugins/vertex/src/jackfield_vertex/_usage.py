"""Token counts of Gemini."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Usage

__all__ = ["read_usage"]

_KINDS: Final = {"AUDIO": "audio", "IMAGE": "image", "VIDEO": "video"}


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Convert `usageMetadata`.

    `promptTokenCount` does not include the input from the service's own tools, `candidatesTokenCount` does not include
    thinking, and a count of zero is left out. Source: google-genai 2.34 (2026); every recorded answer adds up this way.
    """
    get = usage.get
    prompt, served, cached = (
        get("promptTokenCount"),
        get("toolUsePromptTokenCount"),
        get("cachedContentTokenCount"),
    )
    said, thought = get("candidatesTokenCount"), get("thoughtsTokenCount")
    is_counted = (
        said is not None or thought is not None or (prompt is not None and get("totalTokenCount") is not None)
    )
    return Usage(
        None if prompt is None else prompt + (served or 0),
        (said or 0) + (thought or 0) if is_counted else None,
        cached,
        None,
        thought,
        _details(usage),
    )


def _details(usage: Mapping[str, Any]) -> dict[str, int]:
    """Return the counts of input and output that are not text, without cached input."""
    found: dict[str, int] = {}
    for field, prefix, sign in (
        ("promptTokensDetails", "input", 1),
        ("toolUsePromptTokensDetails", "input", 1),
        ("cacheTokensDetails", "input", -1),
        ("candidatesTokensDetails", "output", 1),
    ):
        for row in usage.get(field) or ():
            kind = _KINDS.get(row.get("modality")) if row else None
            if kind is not None:
                name = f"{prefix}_{kind}_tokens"
                found[name] = found.get(name, 0) + sign * (row.get("tokenCount") or 0)
    return {name: count for name, count in found.items() if count > 0}
