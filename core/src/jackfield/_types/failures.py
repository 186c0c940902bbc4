"""Errors by HTTP status, for what a plugin leaves to the core."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import attrs

from jackfield._faces import show_in
from jackfield._values import Value

from .errors import (
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
from .wire import Headers

__all__ = ["Failure", "error_from_status", "failure_message", "retry_after_seconds"]

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


@attrs.frozen(eq=False, repr=False)
class Failure(Value):
    """What went wrong, as data, for `jackfield_error`.

    Attributes:
        status: The HTTP status; None where there is none.
        headers: Case-insensitive.
        body: The answer's body as it came, b"" if there is none.
        exception: What an SDK or transport raised, where that is all there is.
        in_stream: The failure came inside an answer that had begun well.
        data: The failure's own JSON value where it came as a frame of a stream, else None.
        event: The name of the frame it came in, where the framing has names.
    """

    status: int | None = None
    headers: Mapping[str, str] = attrs.field(factory=Headers)
    body: bytes = b""
    exception: BaseException | None = None
    in_stream: bool = False
    data: Any = None
    event: str | None = None

    def error(
        self,
        kind: type[JackfieldError] | None = None,
        message: str | None = None,
        *,
        code: str | None = None,
        retryable: bool | None = None,
    ) -> JackfieldError:
        """Return the error of this failure, with its status, body, headers and `retry_after`.

            return failure.error(ContextLengthExceededError, said["message"], code=said["code"])

        Args:
            kind: Its class; None means the one that belongs to the status.
            message: The service's own words; None looks for them in the body, in the usual places.
            code: The service's own word for the failure.
            retryable: Whether the same request may succeed later; None leaves it to the class.
        """
        if kind is None:
            return error_from_status(self, message=message, code=code, retryable=retryable)
        return kind(message or failure_message(self), code=code, retryable=retryable, **_context(self))

    def json(self) -> Any:
        """Return the failure as JSON: `data` if set, else the parsed body; None if it is not JSON."""
        if self.data is not None:
            return self.data
        if not self.body:
            return None
        from jackfield._json import read_json

        try:
            return read_json(self.body)
        except ValueError:
            return None

    def text(self) -> str:
        """Return the body as text; undecodable bytes are replaced."""
        return self.body.decode("utf-8", "replace")


def error_from_status(
    failure: Failure, *, message: str | None = None, code: str | None = None, retryable: bool | None = None
) -> JackfieldError:
    """Return the error of a failure by its status alone.

    Args:
        failure: What came.
        message: The service's own words; None looks for them in the body, in the usual places.
        code: The service's own word for the failure.
        retryable: Whether the service says that the request may be sent again (`x-should-retry`); None leaves it to
            the status.
    """
    status = failure.status
    text = message or failure_message(failure)
    context = {**_context(failure), "code": code, "retryable": retryable}
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


def _context(failure: Failure) -> dict[str, Any]:
    return {
        "status": failure.status,
        "body": failure.body,
        "headers": failure.headers,
        "retry_after": retry_after_seconds(failure.headers),
    }


def failure_message(failure: Failure) -> str:
    """Return what a service says went wrong, from the usual places; else describe the body."""
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
    """Return how many seconds a service asks callers to wait.

    Reads `retry-after-ms` (milliseconds), then `Retry-After` (seconds or an HTTP date, RFC 9110 section 10.2.3).

    Returns:
        Seconds, not negative; None if the headers do not say.
    """
    milliseconds = headers.get("retry-after-ms")
    if milliseconds is not None and (number := _number(milliseconds)) is not None:
        return number / 1000
    value = headers.get("retry-after")
    if value is None:
        return None
    if (number := _number(value)) is not None:
        return number
    from email.utils import parsedate_to_datetime  # slow to import, and a date is rare

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):  # the last for a year that no date of ours has
        return None


def _number(text: str) -> float | None:
    """Parse a number and raise a negative one to 0; None if the text is not a finite number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


show_in("jackfield.plugin", Failure)
