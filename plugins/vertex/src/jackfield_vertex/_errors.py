"""The meaning of failures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import attrs

from jackfield import (
    AuthenticationError,
    ContentFilteredError,
    ContextLengthExceededError,
    InvalidRequestError,
    JackfieldError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
)
from jackfield.plugin import Failure, FailureInStream, write_json

__all__ = ["error", "fail", "is_blocked"]

# Source: google.rpc.Code and its mapping to HTTP (googleapis, 2026).
_STATUS_BY_WORD: Final[Mapping[str, int]] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
# What the service says of an input that is too long. Sources: recorded answers 2024-2026; Vertex AI, API errors (2026).
_TOO_LONG: Final = re.compile(
    r"input token count( \(\d+\))? exceeds"  # Gemini
    r"|input token count is \d+ but"  # Gemini, embeddings
    r"|request because the input token count"  # Gemini
    r"|exceeds the (maximum number of|supported input) tokens?"  # Gemini, embeddings
    r"|exceeds the (maximum |supported )?(input )?token limit"  # embeddings
    r"|supports? (at most|up to) \d+ (input )?tokens"  # PaLM, embeddings
    r"|exceeds? (the )?(model'?s )?(maximum )?context"  # models of other makers
    r"|exceeds? the available context|too many (input )?tokens|too large for model with \d+ maximum"  # models of other makers
    r"|(prompt|input|context) (is|was) too long|maximum context length",  # models of other makers
    re.IGNORECASE,
)
_NOT_HERE: Final = re.compile(
    r"location is not supported|billing (account|is|has|to be)|enable billing", re.IGNORECASE
)
_PER_DAY: Final = re.compile(r"per[ _]?day|daily", re.IGNORECASE)
_SECRET: Final = re.compile(r"\b(AIza[A-Za-z0-9_-]{8,}|ya29\.[A-Za-z0-9._-]{8,})")
_BLOCKED: Final = "the prompt was blocked"


def error(failure: Failure) -> JackfieldError | None:
    """Convert a failure to an error; None leaves an exception without a response to the core.

    Source: Vertex AI, API errors (2026). Errors of Claude have Anthropic's envelope and are converted by its dialect.
    """
    if failure.exception is not None and failure.status is None and failure.data is None:
        return None
    value = failure.json()
    if isinstance(value, list):  # without alt=sse a stream's error comes in an array
        value = next((one for one in value if isinstance(one, Mapping)), None)
    if not isinstance(value, Mapping):
        return _of_others(failure)
    if value.get("type") == "error":
        from jackfield_anthropic import error as claude_error

        return claude_error(failure)
    if is_blocked(value):
        return _blocked_error(failure, value["promptFeedback"])
    inner = value.get("error")
    return _of_google(failure, inner) if isinstance(inner, Mapping) else _of_others(failure)


def _of_others(failure: Failure) -> JackfieldError | None:
    """Return the error of a gateway's form, or of a page; None leaves it to the status."""
    from jackfield.http import failure_message

    message = _SECRET.sub("***", failure_message(failure))
    kind = _class_of(failure.status, None, None, message, ())
    return failure.error(kind, message)


def _of_google(failure: Failure, inner: Mapping[str, Any]) -> JackfieldError:
    from jackfield.http import failure_message, retry_after_seconds

    message = _SECRET.sub("***", failure_message(failure))
    word = inner.get("status") if isinstance(inner.get("status"), str) else None
    details = [one for one in _list(inner.get("details")) if isinstance(one, Mapping)]
    reason = next((one["reason"] for one in details if isinstance(one.get("reason"), str)), None)
    status = _status(failure, inner, word)
    kind = _class_of(status, word, reason, message, details)
    wait = retry_after_seconds(failure.headers)
    wait = _delay(details) if wait is None else wait
    if kind is None:
        by_status = attrs.evolve(failure, status=status).error(message=message, code=reason or word)
        by_status.status, by_status.retry_after = failure.status, wait
        return by_status
    converted = failure.error(kind, message, code=reason or word)
    converted.retry_after = wait
    return converted


def _status(failure: Failure, inner: Mapping[str, Any], word: str | None) -> int | None:
    if failure.status is not None and failure.status >= 400:
        return failure.status
    code = inner.get("code")
    return _STATUS_BY_WORD.get(word or "") or (code if isinstance(code, int) and code >= 400 else None)


def _class_of(
    status: int | None,
    word: str | None,
    reason: str | None,
    message: str,
    details: Sequence[Mapping[str, Any]],
) -> type[ProviderError] | None:
    if status == 400:
        if _TOO_LONG.search(message):
            return ContextLengthExceededError
        if reason is not None and reason.startswith("API_KEY"):
            return AuthenticationError
        if word == "FAILED_PRECONDITION":
            # The message may be a template that was not filled in; the details then say what is meant.
            text = " ".join([message, *(str(one.get("detail", "")) for one in details)])
            return PermissionDeniedError if _NOT_HERE.search(text) else InvalidRequestError
    if status == 429:
        quotas = [violation for one in details for violation in _list(one.get("violations"))]
        text = " ".join(str(one) for one in quotas) if quotas else message
        return QuotaExceededError if _PER_DAY.search(text) else None
    return None


def _delay(details: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the seconds of `RetryInfo.retryDelay`: "23s", "0.5s"."""
    for one in details:
        delay = one.get("retryDelay")
        if isinstance(delay, str) and re.fullmatch(r"\d+(\.\d+)?s", delay):
            return float(delay[:-1])
    return None


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def is_blocked(value: Mapping[str, Any]) -> bool:
    """Return whether the prompt was blocked: the answer has status 200 and no candidates."""
    feedback = value.get("promptFeedback")
    return isinstance(feedback, Mapping) and bool(feedback.get("blockReason"))


def _blocked_error(failure: Failure, feedback: Mapping[str, Any]) -> JackfieldError:
    reason = feedback["blockReason"]
    more = feedback.get("blockReasonMessage")
    message = f"{_BLOCKED} ({reason})" + (f": {more}" if more else "")
    return failure.error(ContentFilteredError, message, code=str(reason))


def fail(value: Any) -> NoReturn:
    """Raise a failure that came inside a successful answer."""
    raise FailureInStream(Failure(status=200, body=write_json(value), in_stream=True, data=value))
