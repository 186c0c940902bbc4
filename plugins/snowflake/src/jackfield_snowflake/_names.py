"""From ids of models to rows of the table, families and Anthropic's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.plugin import ModelRef, load_table

__all__ = ["claude_name", "family_of", "row_of", "table"]


def table() -> Mapping[str, Any]:
    """Return the table of models."""
    return load_table(__file__, "models.json")


def row_of(model: str) -> Mapping[str, Any] | None:
    """Return the row of a model; upper and lower case make no difference."""
    row: Mapping[str, Any] | None = table()["models"].get(model.lower())
    return row


def family_of(model: str) -> str:
    """Return the family of a model: claude, openai or other."""
    name = model.lower()
    if name.startswith("claude"):
        return "claude"
    return "openai" if name.startswith(("openai", "gpt")) else "other"


def claude_name(model: ModelRef) -> str:
    """Return Anthropic's name of a model."""
    name = model.known_as
    return str((row_of(name) or {}).get("underlying", name))
