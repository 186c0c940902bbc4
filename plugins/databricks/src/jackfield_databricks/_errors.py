"""Map failures to errors, and reject web pages in place of answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield import AuthenticationError, JackfieldError, MalformedResponseError
from jackfield.plugin import Failure, Head
from jackfield_anthropic import error as claude_error
from jackfield_openai import error as openai_error

__all__ = ["error", "reject_page"]

# Source: Databricks SDK for Python 0.162.0, `errors`; the status decides if the code is unknown.
_STATUS_BY_CODE: Final[Mapping[str, int]] = {
    "BAD_REQUEST": 400,
    "INVALID_PARAMETER_VALUE": 400,
    "INVALID_STATE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "ENDPOINT_NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_ALREADY_EXISTS": 409,
    "RESOURCE_CONFLICT": 409,
    "RESOURCE_EXHAUSTED": 429,
    "REQUEST_LIMIT_EXCEEDED": 429,
    "TOO_MANY_REQUESTS": 429,
    "TOOMANYREQUESTS": 429,
    "CANCELLED": 499,
    "INTERNAL_ERROR": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
# What only the text says, for the service's own models and for the providers behind it.
_TOO_LONG: Final = re.compile(
    r"prompt is too long|input is too long|too many (input )?tokens|maximum (context|sequence|input)"
    r"|exceeds? (the )?(model'?s? )?(maximum|max) (allowed )?(context|sequence|input|number of tokens|length)"
    r"|context (length|window)",
    re.IGNORECASE,
)
_FILTERED: Final = re.compile(r"guardrail|content[_ ]filter|content management policy", re.IGNORECASE)
_BAD_TOKEN: Final = re.compile(
    r"(invalid|expired) (access )?token|token (is|has) (invalid|expired)", re.IGNORECASE
)
_TOKEN: Final = re.compile(r"\bdapi[0-9a-zA-Z_-]{4,}|\bdose[0-9a-f]{8,}|\beyJ[\w-]{10,}(\.[\w-]+)*")


def error(failure: Failure) -> JackfieldError | None:
    """Map a failure to an error.

    Databricks sends `{"error_code", "message", "details"}`, on the compatible routes also `{"error": {…}}` or plain text,
    and on the route `messages` the envelope of Anthropic.
    """
    value = failure.json()
    if isinstance(value, Mapping) and value.get("type") == "error":
        return _mask(claude_error(failure))
    if not isinstance(value, Mapping) or not isinstance(value.get("error_code"), str | int):
        if value is None and failure.body and not failure.body.lstrip().startswith(b"<"):
            return _map(failure, None, failure.text().strip())
        return _mask(openai_error(failure))
    found = _map(
        failure, value.get("error_code"), str(value.get("message") or failure.explain().message or "")
    )
    if found is not None and found.retry_after is None:
        found.retry_after = _read_delay(value.get("details"))
    return found


def reject_page(head: Head) -> None:
    """Raise an error if a response is a web page: a login page, because `host` is not a workspace's.

    Raises:
        MalformedResponseError: The response is a web page.
    """
    if head.headers.get("content-type", "").lower().startswith("text/html"):
        raise MalformedResponseError(
            f"the service answered with a web page (status {head.status}), perhaps its login page; "
            "host must be the address of a workspace, https://dbc-….cloud.databricks.com",
            status=head.status,
        )


def _map(failure: Failure, code: Any, text: str) -> JackfieldError | None:
    word = None if code is None else str(code)
    status = _find_status(failure, word)
    kind = None
    if status in (400, 413, 422):
        kind = "context_length_exceeded" if _TOO_LONG.search(text) else None
        kind = "content_filter" if kind is None and _FILTERED.search(text) else kind
    data = {"error": {"message": text[:2000] or word or "", "code": word, "type": kind}}
    found = _mask(openai_error(attrs.evolve(failure, status=status, in_stream=False, data=data)))
    if found is not None and status == 403 and _BAD_TOKEN.search(text):
        # The service may report an invalid or expired token as a missing permission.
        found = AuthenticationError(
            found.message,
            status=status,
            code=word,
            body=failure.body,
            headers=failure.headers,
            refresh_credentials=True,
        )
    if found is not None:
        found.status = failure.status
    return found


def _find_status(failure: Failure, word: str | None) -> int | None:
    if word is not None and word.upper() in _STATUS_BY_CODE:
        return _STATUS_BY_CODE[word.upper()]
    if failure.status is not None and failure.status >= 400 and not failure.in_stream:
        return failure.status
    return int(word) if word is not None and re.fullmatch("[45][0-9][0-9]", word) else failure.status


def _mask(error: JackfieldError | None) -> JackfieldError | None:
    """Replace tokens in an error's message."""
    if error is not None and _TOKEN.search(error.message):
        error.message = _TOKEN.sub("***", error.message)
        error.args = (error.message,)
    return error


def _read_delay(details: Any) -> float | None:
    """Read `RetryInfo`, which replaces `Retry-After`. Source: the SDK's `errors.details`."""
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retry_delay") if isinstance(detail, Mapping) else None
        if isinstance(delay, Mapping):
            try:
                return float(delay.get("seconds", 0)) + float(delay.get("nanos", 0)) / 1e9
            except (TypeError, ValueError, OverflowError):
                return None
        match = re.fullmatch(r"(\d+(?:\.\d+)?)s?", str(delay)) if delay is not None else None
        if match is not None:
            return float(match[1])
    return None
