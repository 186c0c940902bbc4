"""How endpoints of Azure differ from OpenAI's dialect, as values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal

import attrs

from jackfield.plugin import ModelRef
from jackfield_anthropic import Dialect as Claude
from jackfield_azure_openai.dialect import name_of
from jackfield_openai import Dialect

from ._target import Target

__all__ = ["CLAUDE", "DIALECT", "claude_for", "claude_name", "dialect_for"]

DIALECT: Final = Dialect(id="azure-llm", models_path=None, end="finish", narrow_strict=True)
"""OpenAI's v1, as models of the catalogue use it. Source: Microsoft's reference of chat completions, 2025-01."""


def claude_name(model: ModelRef) -> str:
    """Return Anthropic's name of the model of a deployment; "" if it is not declared."""
    return (name_of(model) or "").lower()


CLAUDE: Final = Claude(
    id="azure-llm", also=("anthropic",), name=claude_name, complete_path=None, models_path=None
)
"""Anthropic's Messages API, as a Foundry resource has it: messages and token counts, no list of models.

Source: Claude in Microsoft Foundry (platform.claude.com, 2026); Anthropic's Python SDK 2.12.0.
"""

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


@lru_cache(maxsize=256)
def claude_for(start: str, version: Literal["2023-06-01", "2026-10-21"]) -> Claude:
    """Return the dialect of Claude under an address.

    Args:
        start: The prefix of the paths.
        version: The version of Anthropic's API.
    """
    return attrs.evolve(
        CLAUDE,
        messages_path=f"{start}/v1/messages",
        count_path=f"{start}/v1/messages/count_tokens",
        api_version=version,
    )
