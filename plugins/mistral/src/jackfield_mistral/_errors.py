"""What a failure of Mistral's means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield import JackfieldError
from jackfield.plugin import Failure
from jackfield_openai import error as openai_error

__all__ = ["error"]

# Sources: error glossary of 2026-08-21; recorded answers of 2026 (`invalid_model` comes with 400). The numbers say
# less than the types: 3051 is told of prompts that are too long and of any other wrong argument.
_WORD_BY_TYPE: Final[Mapping[str, str]] = {
    "invalid_model": "model_not_found",
    "rate_limited": "rate_limit_exceeded",
    "unauthorized": "authentication_error",
}
_TOO_LONG: Final = re.compile(
    r"too large for model|maximum context length|context (length|window)|exceeding max \d+ tokens",
    re.IGNORECASE,
)
_FILTERED: Final = re.compile(r"guardrail|content (policy|filter|moderation)", re.IGNORECASE)
_QUOTA: Final = re.compile(
    r"spend(ing)? limit|monthly (limit|quota|budget)|quota exceeded|insufficient (credit|balance|fund)|payment required",
    re.IGNORECASE,
)


def error(failure: Failure) -> JackfieldError | None:
    """Turn a failure into our error.

    Mistral says `{"object": "error", "message", "type", "param", "code"}`, `{"message", "request_id"}`,
    `{"detail": text}` or `{"detail": [{"loc", "msg"}]}`, and the last also as the value of `message`.
    """
    value = failure.json()
    if not isinstance(value, Mapping) or "error" in value:
        return openai_error(failure)
    message = _text(value.get("message")) or _text(value)
    if message is None:
        return openai_error(failure)
    status = failure.status
    if failure.in_stream:
        status = value.get("raw_status_code")
        status = status if isinstance(status, int) else None
    kind, code = value.get("type"), value.get("code")
    said = {"message": message[:2000], "code": code, "type": _word(kind, status, message)}
    made = openai_error(attrs.evolve(failure, status=status, in_stream=False, data={"error": said}))
    if made is not None:
        made.status = failure.status
        made.code = next((str(word) for word in (code, kind) if word is not None), None)
    return made


def _word(kind: Any, status: int | None, message: str) -> str | None:
    """Give OpenAI's word for the kind of failure; None leaves it to the status."""
    word = _WORD_BY_TYPE.get(kind) if isinstance(kind, str) else None
    if word is not None:
        return word
    if status in (None, 400, 413, 422) and _TOO_LONG.search(message):
        return "context_length_exceeded"
    if status in (None, 400, 403, 422) and _FILTERED.search(message):
        return "content_filter"
    if status in (402, 403, 429) and _QUOTA.search(message):
        return "insufficient_quota"
    return None


def _text(value: Any) -> str | None:
    """Find the words of an explanation: text, `{"detail": …}`, or a list of what is wrong with each field."""
    if isinstance(value, Mapping):
        value = value.get("detail")
    if isinstance(value, list):
        return "; ".join(_fault(entry) for entry in value) or None
    return value if isinstance(value, str) and value else None


def _fault(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return str(entry)
    place = ".".join(str(step) for step in entry.get("loc") or ())
    said = str(entry.get("msg") or entry.get("type") or "wrong")
    return f"{place}: {said}" if place else said
