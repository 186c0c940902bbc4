"""Token counts of Gemini."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Usage
from jackfield.plugin import read_count

__all__ = ["read_usage"]

_PROMPT_CACHE_AND_SAID: Final = (
    ("promptTokenCount", "promptTokensDetails"),
    ("cachedContentTokenCount", "cacheTokensDetails"),
    ("candidatesTokenCount", "candidatesTokensDetails"),
)
_KINDS: Final = {"AUDIO": "audio", "IMAGE": "image", "VIDEO": "video"}


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Convert `usageMetadata`.

    `promptTokenCount` does not include the input from the service's own tools, `candidatesTokenCount` does not include
    thinking, and a count of zero is left out. Source: google-genai 2.34 (2026); every recorded answer adds up this way.
    """
    prompt, cached, said = (_count(usage, *names) for names in _PROMPT_CACHE_AND_SAID)
    served = _count(usage, "toolUsePromptTokenCount", "toolUsePromptTokensDetails")
    thought, total = (read_count(usage.get(name)) for name in ("thoughtsTokenCount", "totalTokenCount"))
    if served is None and usage.get("toolUsePromptTokenCount") is not None:
        prompt = None  # a count that cannot be read makes the sum unknown
    if said is None and usage.get("candidatesTokenCount") is not None:
        thought = total = None
    is_counted = said is not None or thought is not None or (prompt is not None and total is not None)
    read = None if prompt is None else prompt + (served or 0)
    written = (said or 0) + (thought or 0) if is_counted else None
    if thought is None and read is not None and written is not None and total is not None:
        written = max(written, total - read)  # the total also has the thinking that a gateway leaves out
    return Usage(read, written, cached, None, thought, _details(usage))


def _count(usage: Mapping[str, Any], name: str, rows: str) -> int | None:
    """Return a count; where there is none, the sum of its rows by modality."""
    if usage.get(name) is not None:
        return read_count(usage[name])
    counts = [read_count(row.get("tokenCount")) or 0 for row in _rows(usage, rows)]
    return sum(counts) if counts else None


def _rows(usage: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = usage.get(name)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _details(usage: Mapping[str, Any]) -> dict[str, int]:
    """Return the counts of input and output that are not text, without cached input."""
    found: dict[str, int] = {}
    for field, prefix, sign in (
        ("promptTokensDetails", "input", 1),
        ("toolUsePromptTokensDetails", "input", 1),
        ("cacheTokensDetails", "input", -1),
        ("candidatesTokensDetails", "output", 1),
    ):
        for row in _rows(usage, field):
            kind = _KINDS.get(str(row.get("modality")))
            if kind is not None:
                name = f"{prefix}_{kind}_tokens"
                found[name] = found.get(name, 0) + sign * (read_count(row.get("tokenCount")) or 0)
    return {name: count for name, count in found.items() if count > 0}
