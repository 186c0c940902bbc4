"""Differences of Claude's dialect on Vertex AI."""

from __future__ import annotations

from functools import lru_cache

from jackfield_anthropic import Dialect

from ._names import claude_name

__all__ = ["claude"]


@lru_cache(maxsize=256)
def claude(raw: str, stream: str, count: str) -> Dialect:
    """Return the dialect of Claude for a model's paths. Source: Claude on Vertex AI (2026): the body has no model."""
    return Dialect(
        id="anthropic",
        name=lambda model: claude_name(model.known_as),
        messages_path=raw,
        stream_path=stream,
        count_path=count,
        complete_path=None,
        models_path=None,
        api_version="2023-06-01",
        body_version="vertex-2023-10-16",
        send_model=False,
    )
