"""What a failure of Databricks means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield import AuthenticationError, JackfieldError
from jackfield.plugin import Failure
from jackfield_openai import error as openai_error

__all__ = ["error"]

# Source: Databricks SDK for Python 0.162.0, `errors`; the status decides where the word is unknown.
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
# What is told in the text alone, of the service's own models and of the providers behind it.
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
    """Turn a failure into our error.

    Databricks says `{"error_code", "message", "details"}`, on the compatible routes also `{"error": {…}}`, or plain text.
    """
    value = failure.json()
    if not isinstance(value, Mapping) or not isinstance(value.get("error_code"), str | int):
        if value is None and failure.body and not failure.body.lstrip().startswith(b"<"):
            return _read(failure, None, failure.text().strip())
        return _masked(openai_error(failure))
    made = _read(failure, value.get("error_code"), str(value.get("message") or ""))
    if made is not None and made.retry_after is None:
        made.retry_after = _wanted_pause(value.get("details"))
    return made


def _read(failure: Failure, code: Any, text: str) -> JackfieldError | None:
    word = None if code is None else str(code)
    status = _status(failure, word)
    kind = None
    if status in (400, 413, 422):
        kind = "context_length_exceeded" if _TOO_LONG.search(text) else None
        kind = "content_filter" if kind is None and _FILTERED.search(text) else kind
    said = {"message": text[:2000] or word or "", "code": word, "type": kind}
    as_openai_says_it = attrs.evolve(failure, status=status, in_stream=False, data={"error": said})
    made = _masked(openai_error(as_openai_says_it))
    if made is not None and status == 403 and _BAD_TOKEN.search(text):
        # Wrong and expired tokens are told as a missing permission, too.
        made = AuthenticationError(
            made.message,
            status=status,
            code=word,
            body=failure.body,
            headers=failure.headers,
            refresh_credentials=True,
        )
    if made is not None:
        made.status = failure.status
    return made


def _status(failure: Failure, word: str | None) -> int | None:
    if word is not None and word.upper() in _STATUS_BY_CODE:
        return _STATUS_BY_CODE[word.upper()]
    if failure.status is not None and failure.status >= 400 and not failure.in_stream:
        return failure.status
    return int(word) if word is not None and re.fullmatch("[45][0-9][0-9]", word) else failure.status


def _masked(made: JackfieldError | None) -> JackfieldError | None:
    if made is not None and _TOKEN.search(made.message):
        made.message = _TOKEN.sub("***", made.message)
        made.args = (made.message,)
    return made


def _wanted_pause(details: Any) -> float | None:
    """Read `RetryInfo`, which stands in for `Retry-After`. Source: the SDK's `errors.details`."""
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retry_delay") if isinstance(detail, Mapping) else None
        if isinstance(delay, Mapping):
            return float(delay.get("seconds", 0)) + float(delay.get("nanos", 0)) / 1e9
        match = re.fullmatch(r"(\d+(?:\.\d+)?)s?", str(delay)) if delay is not None else None
        if match is not None:
            return float(match[1])
    return None
