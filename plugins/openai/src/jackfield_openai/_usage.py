"""Token counts of OpenAI's APIs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Usage

__all__ = ["read_usage"]

# Their names in the details of input and output, and ours. Text tokens are the remainder, so they are left out.
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

    Sources: OpenAI's Python SDK 3.54.0 (`prompt_tokens` includes cached tokens, `completion_tokens`
    includes reasoning tokens). DeepSeek sends `prompt_cache_hit_tokens`, Together and Moonshot a plain
    `cached_tokens`. xAI leaves reasoning out of `completion_tokens`, as its `total_tokens` shows.
    """
    get = usage.get
    read, written = get("prompt_tokens", get("input_tokens")), get("completion_tokens", get("output_tokens"))
    into = get("prompt_tokens_details") or get("input_tokens_details") or _NOTHING
    out = get("completion_tokens_details") or get("output_tokens_details") or _NOTHING
    cached = into.get("cached_tokens")
    if cached is None:
        cached = get("prompt_cache_hit_tokens", get("cached_tokens"))
    reasoning = out.get("reasoning_tokens", get("reasoning_tokens"))
    if (
        reasoning
        and read is not None
        and written is not None
        and get("total_tokens") == read + written + reasoning
    ):
        written += reasoning
    details = {}
    for counts, names in ((into, _INPUT_DETAILS), (out, _OUTPUT_DETAILS)):
        for theirs, ours in names if counts else ():
            if counts.get(theirs) is not None:
                details[ours] = counts[theirs]
    return Usage(read, written, cached, into.get("cache_write_tokens"), reasoning, details)
