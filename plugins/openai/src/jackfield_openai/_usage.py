"""Token counts of OpenAI's APIs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from jackfield import Usage, UsageUpdate
from jackfield.plugin import read_count

__all__ = ["read_usage", "usage_event"]

# Their names in the details of input and output, and ours. Text tokens are the remainder, so they are left out.
_INPUT_DETAILS: Final[Mapping[str, str]] = {
    "audio_tokens": "input_audio_tokens",
    "image_tokens": "input_image_tokens",
    "video_tokens": "input_video_tokens",
}
_OUTPUT_DETAILS: Final[Mapping[str, str]] = {
    "audio_tokens": "output_audio_tokens",
    "image_tokens": "output_image_tokens",
    "accepted_prediction_tokens": "accepted_prediction_tokens",
    "rejected_prediction_tokens": "rejected_prediction_tokens",
}
_NOTHING: Final[Mapping[str, Any]] = {}


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Read the usage of chat and text completions, embeddings and Responses.

    Sources: OpenAI's Python SDK 3.54.0 (`prompt_tokens` includes cached tokens, `completion_tokens`
    includes reasoning tokens). DeepSeek sends `prompt_cache_hit_tokens`, Together and Moonshot a plain
    `cached_tokens`. xAI leaves reasoning out of `completion_tokens`, as its `total_tokens` shows.
    """
    get = usage.get
    read = get("prompt_tokens", get("input_tokens"))
    written = get("completion_tokens", get("output_tokens"))
    into = _details(get("prompt_tokens_details") or get("input_tokens_details"))
    out = _details(get("completion_tokens_details") or get("output_tokens_details"))
    cached = into.get("cached_tokens")
    if cached is None:
        cached = get("prompt_cache_hit_tokens", get("cached_tokens"))
    reasoning = out.get("reasoning_tokens", get("reasoning_tokens"))
    if reasoning:
        written = _add_reasoning(read, written, reasoning, get("total_tokens"))
    # `Usage` reads the counts.
    details = {_INPUT_DETAILS[name]: into[name] for name in filter(into.__contains__, _INPUT_DETAILS)}
    for name in filter(out.__contains__, _OUTPUT_DETAILS):
        details[_OUTPUT_DETAILS[name]] = out[name]
    return Usage(read, written, cached, into.get("cache_write_tokens"), reasoning, details)


def _add_reasoning(read: Any, written: Any, reasoning: Any, total: Any) -> Any:
    """Return the output with its reasoning, which the total shows to be left out of it."""
    counts = [read_count(count) for count in (read, written, reasoning)]
    known = [count for count in counts if count is not None]
    if len(known) == len(counts) and read_count(total) == sum(known):
        return known[1] + known[2]
    return written


def usage_event(read: Callable[[Mapping[str, Any]], Usage], raw: Any) -> UsageUpdate:
    """Return the event of a service's usage, whatever that is.

    Args:
        read: Reads the counts of a mapping.
        raw: What the service sent as its usage.
    """
    return UsageUpdate(read(raw) if isinstance(raw, Mapping) else Usage(), raw)


def _details(value: Any) -> Mapping[str, Any]:
    return value if value.__class__ is dict or isinstance(value, Mapping) else _NOTHING
