"""Token counts of Mistral."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from jackfield import Usage
from jackfield.plugin import read_count, read_quantity
from jackfield_openai import read_usage as read_openai

__all__ = ["read_usage"]


def read_usage(raw: Mapping[str, Any]) -> Usage:
    """Read Mistral's token counts.

    Sources: API description of 2026-08-21, which spells `prompt_token_details` in one place; recorded answers of
    2026: `num_cached_tokens` is a field of its own; `prompt_tokens` does not include `audio_tokens`, `total_tokens`
    does.
    """
    details = raw.get("prompt_tokens_details") or raw.get("prompt_token_details")
    details = details if isinstance(details, Mapping) else {}
    usage = read_openai(
        {**raw, "prompt_tokens_details": details, "cached_tokens": raw.get("num_cached_tokens")}
    )
    audio, total = read_count(details.get("audio_tokens")) or 0, usage.total_tokens
    if audio and total is not None and read_count(raw.get("total_tokens")) == total + audio:
        usage = attrs.evolve(usage, input_tokens=total + audio - (usage.output_tokens or 0))
    seconds = read_quantity(raw.get("prompt_audio_seconds"))
    if seconds:
        usage = attrs.evolve(usage, units={"input_audio_second": seconds})
    return usage
