"""Detect what a guardrail did: it blocked an answer, or only masked words in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from jackfield.plugin import Failure, FailureInStream, write_json

__all__ = ["INTERVENED", "fail_blocked", "is_blocked"]

INTERVENED: Final = "guardrail_intervened"


def is_blocked(trace: Any) -> bool:
    """Return whether a guardrail blocked an answer, by its trace; without a trace the answer counts as blocked.

    A guardrail that only masked words reports an intervention, too, and its answer is complete. Source: Bedrock user guide,
    guardrails (2024-2026); recorded 2025-2026: actions BLOCKED, ANONYMIZED, NONE.
    """
    actions = set(_actions(trace))
    if "BLOCKED" in actions:
        return True
    return "ANONYMIZED" not in actions


def _actions(value: Any) -> Iterator[str]:
    """Find every `action` in a trace, at any depth of an assessment."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "action" and isinstance(inner, str):
                yield inner
            elif name != "modelOutput":
                yield from _actions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _actions(inner)


def fail_blocked(message: str, trace: Any) -> NoReturn:
    """Raise the failure of an answer that a guardrail blocked; its body contains the trace."""
    answer = {"message": message, "stopReason": INTERVENED, "trace": trace}
    raise FailureInStream(
        Failure(status=200, body=write_json(answer), in_stream=True, data=answer, event=INTERVENED)
    )
