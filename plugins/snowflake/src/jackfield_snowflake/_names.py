"""What an id means: the model's row in the table, its family, and Anthropic's name for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from jackfield.plugin import ModelRef

__all__ = ["claude_name", "family_of", "row_of", "table"]


@lru_cache(maxsize=1)
def table() -> Mapping[str, Any]:
    import orjson

    read: Mapping[str, Any] = orjson.loads(Path(__file__).with_name("models.json").read_bytes())
    return read


def row_of(model: str) -> Mapping[str, Any] | None:
    """Give a model's row; ids have no case."""
    row: Mapping[str, Any] | None = table()["models"].get(model.lower())
    return row


def family_of(model: str) -> str:
    """Say whose model it is, as far as it matters: claude, openai or other."""
    name = model.lower()
    if name.startswith("claude"):
        return "claude"
    return "openai" if name.startswith(("openai", "gpt")) else "other"


def claude_name(model: ModelRef) -> str:
    """Give Anthropic's name of a model."""
    name = model.known_as
    return str((row_of(name) or {}).get("underlying", name))
