"""Map failures to errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield import JackfieldError
from jackfield.plugin import Failure
from jackfield_openai import error as openai_error

__all__ = ["error"]

# Sources: error glossary of 2026-08-21; recorded answers of 2026 (`invalid_model` comes with 400). The numbers are
# less specific than the types: 3051 stands for prompts that are too long and for any other invalid argument.
_OPENAI_TYPE_BY_TYPE: Final[Mapping[str, str]] = {
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
    """Map a failure to an error.

    Mistral sends `{"object": "error", "message", "type", "param", "code"}`, `{"message", "request_id"}`,
    `{"detail": text}` or `{"detail": [{"loc", "msg"}]}`, and the last also as the value of `message`.
    """
    value = failure.json()
    if not isinstance(value, Mapping) or "error" in value:
        return openai_error(failure)
    message = _find_fields(value.get("message")) or _find_fields(value) or failure.explain().message
    if message is None:
        return openai_error(failure)
    status = failure.status
    if failure.in_stream:
        status = value.get("raw_status_code")
        status = status if isinstance(status, int) else None
    kind, code = value.get("type"), value.get("code")
    data = {"error": {"message": message[:2000], "code": code, "type": _find_type(kind, status, message)}}
    error = openai_error(attrs.evolve(failure, status=status, in_stream=False, data=data))
    if error is not None:
        error.status = failure.status
        error.code = next((str(word) for word in (code, kind) if word is not None), None)
    return error


def _find_type(kind: Any, status: int | None, message: str) -> str | None:
    """Return OpenAI's type of the failure; None leaves it to the status."""
    known = _OPENAI_TYPE_BY_TYPE.get(kind) if isinstance(kind, str) else None
    if known is not None:
        return known
    if status in (None, 400, 413, 422) and _TOO_LONG.search(message):
        return "context_length_exceeded"
    if status in (None, 400, 403, 422) and _FILTERED.search(message):
        return "content_filter"
    if status in (402, 403, 429) and _QUOTA.search(message):
        return "insufficient_quota"
    return None


def _find_fields(value: Any) -> str | None:
    """Return what `{"detail": [...]}` says of fields, each with its whole place, as Mistral documents them."""
    entries = value.get("detail") if isinstance(value, Mapping) else None
    return "; ".join(_describe(entry) for entry in entries) or None if isinstance(entries, list) else None


def _describe(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return str(entry)
    place = ".".join(str(step) for step in entry.get("loc") or ())
    text = str(entry.get("msg") or entry.get("type") or "invalid")
    return f"{place}: {text}" if place else text
