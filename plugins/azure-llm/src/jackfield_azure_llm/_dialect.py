"""How endpoints of Azure differ from OpenAI's dialect, as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield_openai import Dialect

from ._target import Target

__all__ = ["DIALECT", "dialect_for"]

DIALECT: Final = Dialect(id="azure-llm", models_path=None, end="finish", narrow_strict=True)
"""OpenAI's v1, as models of the catalogue use it. Source: Microsoft's reference of chat completions, 2025-01."""

_INPUT_TYPES: Final = {"query": "query", "document": "document"}


def dialect_for(target: Target, declared: Mapping[str, Any], *, relative: bool) -> Dialect:
    """Return the dialect of an endpoint.

    Args:
        target: The endpoint.
        declared: The model's entry in `models`.
        relative: The paths are relative to the connection's `base_url`.
    """
    start = target.path if relative else target.origin + target.path
    return attrs.evolve(
        DIALECT,
        chat_path=f"{start}/chat/completions",
        embedding_path=f"{start}/embeddings",
        usage_option=declared.get("stream_usage", True),
        input_types=_INPUT_TYPES if target.inference else {},
    )
