"""Token counts of Databricks, in our meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from jackfield import Usage
from jackfield_openai import read_usage as read_openai

__all__ = ["read_usage"]


def read_usage(raw: Mapping[str, Any]) -> Usage:
    """Read a usage; Claude's endpoints name what was cached as Anthropic does.

    Sources: docs.databricks.com (2026): `prompt_tokens` counts also what the server adds;
    databricks-ai-bridge issue 446 (2026-06): cached tokens are a part of it. Should an endpoint count as
    Anthropic itself does, beside it, its own total or the counts show that, and they are added.
    """
    raw = {name: int(count) if isinstance(count, float) else count for name, count in raw.items()}
    usage = read_openai(raw)
    read, written = raw.get("cache_read_input_tokens"), raw.get("cache_creation_input_tokens")
    if read is None and written is None:
        return usage
    prompt, parts = usage.input_tokens, (read or 0) + (written or 0)
    total, out = raw.get("total_tokens"), usage.output_tokens
    if prompt is not None and parts:
        beside = total is not None and out is not None and total == prompt + parts + out
        if beside or parts > prompt:
            prompt += parts
    return attrs.evolve(
        usage,
        input_tokens=prompt,
        cached_input_tokens=read if usage.cached_input_tokens is None else usage.cached_input_tokens,
        cache_write_tokens=written if usage.cache_write_tokens is None else usage.cache_write_tokens,
    )
