"""How Azure OpenAI differs from OpenAI's dialect, as values."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import attrs

from jackfield.plugin import ModelRef
from jackfield_openai import Dialect

__all__ = ["V1", "dialect_of"]

V1: Final = Dialect(
    id="azure-openai",
    responses_path="/responses",
    models_path=None,
    max_tokens="max_completion_tokens",
    base64=True,
    renamed={"top_k": None},
    end="finish",
    narrow_strict=True,
    background=True,
)
"""The v1 API. Source: Microsoft's page on the API's lifecycle (2026-03) and OpenAI's Python SDK 3.54.0."""

_HAS_STREAM_OPTIONS: Final = "2024-09-01"
"""The first version with `stream_options` and `max_completion_tokens`; older ones reject them with
"Unrecognized request argument". Source: issues 1469 of openai-python and 29157, 30810 of azure-rest-api-specs.
"""


@lru_cache(maxsize=64)
def _make_classic(version: str) -> Dialect:
    recent = version >= _HAS_STREAM_OPTIONS
    return attrs.evolve(
        V1,
        chat_path="/deployments/{model}/chat/completions",
        completion_path="/deployments/{model}/completions",
        embedding_path="/deployments/{model}/embeddings",
        max_tokens="max_completion_tokens" if recent else "max_tokens",
        usage_option=recent,
    )


def dialect_of(model: ModelRef) -> Dialect:
    """Return the dialect of a model's connection."""
    settings: Any = model.settings
    version = None if settings is None else settings.version
    return V1 if version is None else _make_classic(version)
