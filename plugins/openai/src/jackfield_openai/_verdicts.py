"""Verdicts of a content filter, in the form of Azure's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["FILTER_FIELDS", "worst_verdicts"]

FILTER_FIELDS: Final = frozenset(
    {"index", "finish_reason", "content_filter_results", "content_filter_result", "content_filter_offsets"}
)
"""What a note of the asynchronous filter holds. Source: Microsoft's page on content streaming, January 2026."""

_SEVERITIES: Final = ("safe", "very_low", "low", "medium", "high")


def worst_verdicts(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Mapping[str, Any]:
    """Join the verdicts on pieces of one answer: of each category the worst."""
    if not old:
        return new
    worse = {name: value for name, value in new.items() if _rank(value) >= _rank(old.get(name))}
    return {**old, **worse}


def _rank(verdict: Any) -> tuple[bool, bool, int]:
    if not isinstance(verdict, Mapping):
        return (False, False, -1)
    severity = verdict.get("severity")
    level = _SEVERITIES.index(severity) if severity in _SEVERITIES else 0
    return (bool(verdict.get("filtered")), bool(verdict.get("detected")), level)
