"""Token counts of OpenAI's APIs, in our meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Usage

__all__ = ["read_usage"]

# The detail of each side, and our names for what it holds. Text tokens are the rest and are left out.
_INPUT_DETAILS: Final = (
    ("audio_tokens", "input_audio_tokens"),
    ("image_tokens", "input_image_tokens"),
    ("video_tokens", "input_video_tokens"),
)
_OUTPUT_DETAILS: Final = (
    ("audio_tokens", "output_audio_tokens"),
    ("image_tokens", "output_image_tokens"),
    ("accepted_prediction_tokens", "accepted_prediction_tokens"),
    ("rejected_prediction_tokens", "rejected_prediction_tokens"),
)
_NOTHING: Final[Mapping[str, Any]] = {}


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Read the usage of chat and text completions, embeddings and Responses.

    Sources: OpenAI's Python SDK 3.54.0 (`prompt_tokens` includes what was cached, `completion_tokens`
    what was thought); DeepSeek says `prompt_cache_hit_tokens`, Together and Moonshot a plain
    `cached_tokens`; xAI leaves thinking out of `completion_tokens`, which shows in its `total_tokens`.
    """
    get = usage.get
    read, written = get("prompt_tokens", get("input_tokens")), get("completion_tokens", get("output_tokens"))
    into = get("prompt_tokens_details") or get("input_tokens_details") or _NOTHING
    out = get("completion_tokens_details") or get("output_tokens_details") or _NOTHING
    cached = into.get("cached_tokens")
    if cached is None:
        cached = get("prompt_cache_hit_tokens", get("cached_tokens"))
    thought = out.get("reasoning_tokens", get("reasoning_tokens"))
    if (
        thought
        and read is not None
        and written is not None
        and get("total_tokens") == read + written + thought
    ):
        written += thought
    details = {}
    for told, names in ((into, _INPUT_DETAILS), (out, _OUTPUT_DETAILS)):
        for theirs, ours in names if told else ():
            if told.get(theirs) is not None:
                details[ours] = told[theirs]
    return Usage(read, written, cached, into.get("cache_write_tokens"), thought, details)
