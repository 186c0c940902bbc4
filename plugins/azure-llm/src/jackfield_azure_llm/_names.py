"""Names of models: which ones are Claude's."""

from __future__ import annotations

__all__ = ["is_claude"]


def is_claude(name: str | None) -> bool:
    """Return whether the name of a model, with or without its provider, is that of a Claude."""
    return name is not None and (name.partition(":")[2] or name).lower().startswith("claude-")
