"""Write token counts as each API counts them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from jackfield import Usage

__all__ = ["chat_usage", "messages_usage", "responses_usage"]

# The names of details in OpenAI's usage, and ours.
_INPUT: Final = (
    ("audio_tokens", "input_audio_tokens"),
    ("image_tokens", "input_image_tokens"),
    ("video_tokens", "input_video_tokens"),
)
_OUTPUT: Final = (
    ("audio_tokens", "output_audio_tokens"),
    ("image_tokens", "output_image_tokens"),
    ("accepted_prediction_tokens", "accepted_prediction_tokens"),
    ("rejected_prediction_tokens", "rejected_prediction_tokens"),
)
_SERVER_TOOLS: Final = (
    ("web_search_requests", "web_search_request"),
    ("web_fetch_requests", "web_fetch_request"),
)


def chat_usage(usage: Usage) -> dict[str, Any] | None:
    """Return the usage of chat completions, text completions and embeddings; None if the total is unknown.

    Counts that the provider did not report are left out.
    """
    total = usage.total_tokens
    if total is None:
        return None
    into = _known(
        {"cached_tokens": usage.cached_input_tokens, "cache_write_tokens": usage.cache_write_tokens}
    )
    out = _known({"reasoning_tokens": usage.reasoning_tokens})
    into |= {theirs: usage.details[ours] for theirs, ours in _INPUT if ours in usage.details}
    out |= {theirs: usage.details[ours] for theirs, ours in _OUTPUT if ours in usage.details}
    written: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": total,
    }
    if into:
        written["prompt_tokens_details"] = into
    if out:
        written["completion_tokens_details"] = out
    return written


def responses_usage(usage: Usage) -> dict[str, Any] | None:
    """Return the usage of Responses; None if the total is unknown. All counts are required: unknown ones are 0."""
    total = usage.total_tokens
    if total is None:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens or 0,
            "cache_write_tokens": usage.cache_write_tokens or 0,
            **_details(usage, _INPUT),
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens or 0,
            **_details(usage, _OUTPUT),
        },
        "total_tokens": total,
    }


def messages_usage(usage: Usage) -> dict[str, Any]:
    """Return the usage of Messages, whose counts of input are disjoint; required counts that are unknown are 0."""
    cached, written = usage.cached_input_tokens, usage.cache_write_tokens
    plain = max((usage.input_tokens or 0) - (cached or 0) - (written or 0), 0)
    value: dict[str, Any] = {
        "input_tokens": plain,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "output_tokens": usage.output_tokens or 0,
    }
    short, long = usage.details.get("cache_write_5m_tokens"), usage.details.get("cache_write_1h_tokens")
    if short is not None or long is not None:
        split = {"ephemeral_5m_input_tokens": short or 0, "ephemeral_1h_input_tokens": long or 0}
        value["cache_creation"] = split
    if usage.reasoning_tokens is not None:
        value["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    tools = {theirs: int(usage.units[ours]) for theirs, ours in _SERVER_TOOLS if ours in usage.units}
    if tools:
        value["server_tool_use"] = {"web_search_requests": 0, "web_fetch_requests": 0, **tools}
    return value


def _known(counts: dict[str, int | None]) -> dict[str, Any]:
    return {name: count for name, count in counts.items() if count is not None}


def _details(usage: Usage, names: Iterable[tuple[str, str]]) -> dict[str, int]:
    return {theirs: usage.details[ours] for theirs, ours in names if ours in usage.details}
