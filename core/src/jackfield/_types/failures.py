"""Errors by HTTP status, for what a plugin leaves to the core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield._faces import show_in
from jackfield._values import Value, field, frozen

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

if TYPE_CHECKING:
    from .error_bodies import ErrorBody

__all__ = ["Failure", "error_from_status", "failure_message"]

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
_NEVER_WORKS = frozenset({501, 505})
"""The service does not have what was asked for: to ask again is to be told again."""
_RATE_LIMITED = 429
_LONGEST_MESSAGE = 500
_LONGEST_WORDS = 4000
_GATEWAYS = range(500, 600)


@frozen
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
    headers: Mapping[str, str] = field(factory=Headers)
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

    def explain(self) -> ErrorBody:
        """Return what the body says, in whatever form: message, codes, status, and how long to wait.

        Services, gateways and web frameworks have many forms, and which one comes is not known in advance. Those that are
        documented are read here, so that a plugin looks for its service's own words in the message and the codes.
        """
        from .error_bodies import ErrorBody, read_error_body, read_page

        value = self.json()
        if value is not None:
            return read_error_body(value)
        text = self.text().strip()
        return read_page(text) if text.startswith("<") else ErrorBody()

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the service wants to be asked again: by a header, by the body, by the reset of a limit."""
        from .waits import delay_in, reset_seconds, retry_after_seconds

        wait = retry_after_seconds(self.headers)
        if wait is None:
            wait = self.explain().retry_after
        if wait is None and self.data is None and not self.text().lstrip().startswith(("<", "{", "[")):
            wait = delay_in(self.text()[:_LONGEST_WORDS])
        if wait is None and self.status == _RATE_LIMITED:
            wait = reset_seconds(self.headers)
        return wait


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
    if failure.in_stream and (status is None or status < 300):
        status = failure.explain().status  # the answer's own status was a good one
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
        if status in _NEVER_WORKS and retryable is None:
            context["retryable"] = False
        return ServerError(text, **context)
    return ProviderError(text, **context)


def _context(failure: Failure) -> dict[str, Any]:
    return {
        "status": failure.status,
        "body": failure.body,
        "headers": failure.headers,
        "retry_after": failure.retry_after,
    }


def failure_message(failure: Failure) -> str:
    """Return what a service says went wrong, in whatever form (`Failure.explain`); else describe the body."""
    said = failure.explain().message
    text = failure.text().strip()
    if text.startswith("<") and not text.startswith("<?xml") and failure.data is None:
        page = f"the service answered with a page instead of data (status {failure.status})"
        page = f"{page}: {said}" if said else page
        return page if failure.status in _GATEWAYS else f"{page}; is base_url right?"
    if said:
        return said[:_LONGEST_WORDS]
    if text:
        return text[:_LONGEST_MESSAGE]
    if failure.exception is not None:
        return f"{type(failure.exception).__name__}: {failure.exception}"
    return f"the service answered with status {failure.status} and no explanation"


show_in("jackfield.plugin", Failure)
