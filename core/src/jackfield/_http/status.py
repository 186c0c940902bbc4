"""Errors by HTTP status, for what a plugin leaves to the core."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from jackfield._types.errors import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    JackfieldError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    TimeoutError,
)
from jackfield._types.wire import Failure

__all__ = ["error_from_status", "failure_message", "retry_after_seconds"]

_CLASS_BY_STATUS: Mapping[int, type[ProviderError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    402: QuotaExceededError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: NotFoundError,
    409: InvalidRequestError,
    413: InvalidRequestError,
    422: InvalidRequestError,
    429: RateLimitError,
    498: AuthenticationError,
    503: OverloadedError,
    529: OverloadedError,
}
_SERVER_TIMEOUTS = frozenset({408, 504, 524})
_LONGEST_MESSAGE = 500


def error_from_status(
    failure: Failure, *, message: str | None = None, code: str | None = None, retryable: bool | None = None
) -> JackfieldError:
    """Make our error of a failure by its status alone.

    Args:
        failure: What came.
        message: What the service says, if the caller has read it; else it is taken from the body.
        code: The provider's own word for it.
        retryable: What the service says of trying again (`x-should-retry`); None leaves it to the status.
    """
    status = failure.status
    text = message or failure_message(failure)
    context: dict[str, Any] = {
        "status": status,
        "code": code,
        "body": failure.body,
        "headers": failure.headers,
        "retry_after": retry_after_seconds(failure.headers),
        "retryable": retryable,
    }
    if status in _SERVER_TIMEOUTS:
        return TimeoutError(text, phase="server", **context)
    if status == 499:
        return ConnectionFailedError(text, **{**context, "retryable": False})
    if status == 409:
        return InvalidRequestError(text, **{**context, "retryable": retryable is not False})
    if status is not None and 300 <= status < 400:
        where = failure.headers.get("location", "somewhere else")
        return InvalidRequestError(
            f"the service redirects to {where}; set base_url to the final address", **context
        )
    if status is not None and status in _CLASS_BY_STATUS:
        return _CLASS_BY_STATUS[status](text, **context)
    if status is not None and status >= 500:
        return ServerError(text, **context)
    return ProviderError(text, **context)


def failure_message(failure: Failure) -> str:
    """Find what a service says went wrong, in the usual places; else describe the body."""
    value = failure.json()
    for _ in range(3):
        if not isinstance(value, Mapping):
            break
        value = next((value[key] for key in _MESSAGE_KEYS if value.get(key)), None)
    if isinstance(value, str) and value:
        return value
    text = failure.text().strip()
    if text.startswith("<"):
        return (
            f"the service answered with a page instead of data (status {failure.status}); is base_url right?"
        )
    if text:
        return text[:_LONGEST_MESSAGE]
    if failure.exception is not None:
        return f"{type(failure.exception).__name__}: {failure.exception}"
    return f"the service answered with status {failure.status} and no explanation"


_MESSAGE_KEYS = ("error", "message", "Message", "detail", "error_message", "errorMessage")


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Read how long a service wants to be left alone.

    Reads `retry-after-ms` (milliseconds), then `Retry-After` (seconds or an HTTP date, RFC 9110 section 10.2.3).

    Returns:
        Seconds, not negative; None if it does not say.
    """
    milliseconds = headers.get("retry-after-ms")
    if milliseconds is not None and (number := _number(milliseconds)) is not None:
        return number / 1000
    value = headers.get("retry-after")
    if value is None:
        return None
    if (number := _number(value)) is not None:
        return number
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _number(text: str) -> float | None:
    """Read a number that is not negative; None for what is none ("nan" and "inf" are none either)."""
    try:
        number = float(text)
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None
