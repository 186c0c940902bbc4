"""A fast path for the most frequent shape of a whole answer: one text and its usage.

`_converse_decoder` reads every shape; a property test compares its results with these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Event, Finish, FinishReason, TextDelta, UsageUpdate

from ._guardrails import INTERVENED
from ._usage import read_usage

__all__ = ["ANSWER", "STOPS", "read_text_answer"]

# Source: AWS's service model in botocore 1.44.5 (2026-11).
STOPS: Final[Mapping[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "content_filtered": "content_filter",
    INTERVENED: "content_filter",
}
ANSWER: Final = frozenset({"output", "stopReason", "usage", "metrics"})
_TEXT: Final = frozenset({"text"})


def read_text_answer(answer: dict[str, Any]) -> list[Event] | None:
    """Return the events of an answer of one text and its usage; None for all others."""
    content = answer["output"]["message"].get("content")
    if type(content) is not list or len(content) != 1 or content[0].keys() != _TEXT:
        return None
    stop, usage = answer.get("stopReason"), answer.get("usage")
    reason = STOPS.get(stop or "")
    if reason is None or stop == INTERVENED or not usage or type(usage) is not dict:
        return None
    if not answer.keys() <= ANSWER or type(content[0]["text"]) is not str:
        return None
    return [
        TextDelta(content[0]["text"], 0, 0),
        UsageUpdate(read_usage(usage), usage),
        Finish(reason, 0, stop, None),
    ]
