"""What a guardrail did: stopped an answer, or only masked words in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

import orjson

from jackfield.plugin import Failure, FailureInStream

__all__ = ["INTERVENED", "fail_blocked", "is_blocked"]

INTERVENED: Final = "guardrail_intervened"


def is_blocked(trace: Any) -> bool:
    """Say whether a guardrail stopped an answer, by its trace; without one it is taken for stopped.

    A guardrail that masked words says that it intervened, too, and its answer is good. Source: Bedrock user guide,
    guardrails (2024-2026); recorded 2025-2026: actions BLOCKED, ANONYMIZED, NONE.
    """
    actions = set(_actions(trace))
    if "BLOCKED" in actions:
        return True
    return "ANONYMIZED" not in actions


def _actions(value: Any) -> Iterator[str]:
    """Find every `action` in a trace, wherever an assessment has it."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "action" and isinstance(inner, str):
                yield inner
            elif name != "modelOutput":
                yield from _actions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _actions(inner)


def fail_blocked(said: str, trace: Any) -> NoReturn:
    """Raise the failure of an answer that a guardrail stopped; its body has the trace."""
    told = {"message": said, "stopReason": INTERVENED, "trace": trace}
    raise FailureInStream(
        Failure(status=200, body=orjson.dumps(told), in_stream=True, data=told, event=INTERVENED)
    )
