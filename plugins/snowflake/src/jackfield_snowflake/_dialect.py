"""Differences of the dialects of OpenAI and Anthropic on Cortex."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from jackfield_openai import Dialect as OpenAIDialect

from ._names import claude_name

__all__ = ["claude", "openai"]

BASE: Final = "/api/v2/cortex"


@lru_cache(maxsize=8)
def openai(family: str) -> OpenAIDialect:
    """Return the dialect of OpenAI's API for a family of models.

    Sources: docs.snowflake.com, Cortex REST API (2026); recorded 2026: Claude accepts `reasoning.effort`, an answer has its
    thinking in `reasoning_details`, and a stream ends with `[DONE]` and without a finish reason.
    """
    return OpenAIDialect(
        id="snowflake",
        chat_path=f"{BASE}/v1/chat/completions",
        models_path=None,
        max_tokens="max_completion_tokens",
        cache_mark="cache_control",
        effort="reasoning.effort" if family == "claude" else "reasoning_effort",
        end="marker",
    )


@lru_cache(maxsize=1)
def claude() -> Any:
    """Return the dialect of Anthropic's API. Source: docs.snowflake.com, Cortex REST API, messages (2026)."""
    from jackfield_anthropic import Dialect

    return Dialect(
        id="snowflake",
        name=claude_name,
        messages_path=f"{BASE}/v1/messages",
        count_path=None,
        complete_path=None,
        models_path=None,
        api_version="2023-06-01",
    )
