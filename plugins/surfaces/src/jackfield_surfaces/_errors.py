"""Jackfield's errors in the envelopes of OpenAI and Anthropic, in the words that their clients act upon."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

import jackfield as jf
from jackfield.plugin import write_json

from ._failures import SurfaceError

__all__ = ["Envelope", "ErrorWords", "describe_error", "error_answer", "error_object"]

Envelope: TypeAlias = Literal["openai", "anthropic"]


@attrs.frozen
class ErrorWords:
    """What a client is told of an error.

    Attributes:
        status: The HTTP status.
        type: The API's class of errors.
        message: The sentence.
        code: OpenAI's code.
        param: The client's name of the field that is wrong.
        retry_after: Seconds.
        retry: Whether the client may send the request again.
    """

    status: int
    type: str
    message: str
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None
    retry: bool = False


@attrs.frozen
class _Row:
    status: int
    type: str
    code: str | None
    anthropic_status: int
    anthropic_type: str
    hidden: str | None = None  # said instead of the message, which names what is ours


_INVALID: Final = "invalid_request_error"
# The first class that fits counts.
_ROWS: Final[tuple[tuple[type[Exception], _Row], ...]] = (
    (jf.ContextLengthExceededError, _Row(400, _INVALID, "context_length_exceeded", 400, _INVALID)),
    (jf.ContentFilteredError, _Row(400, _INVALID, "content_filter", 400, _INVALID)),
    (jf.InvalidRequestError, _Row(400, _INVALID, None, 400, _INVALID)),
    (jf.UnsupportedError, _Row(400, _INVALID, "unsupported_parameter", 400, _INVALID)),
    (jf.UnknownTargetError, _Row(404, _INVALID, "model_not_found", 404, "not_found_error")),
    (jf.ModelNotAllowedError, _Row(404, _INVALID, "model_not_found", 403, "permission_error")),
    (jf.NotFoundError, _Row(404, _INVALID, "model_not_found", 404, "not_found_error")),
    (
        jf.AuthenticationError,
        _Row(
            502,
            "server_error",
            "upstream_credentials",
            502,
            "api_error",
            "the service does not accept the declared credentials",
        ),
    ),
    (
        jf.PermissionDeniedError,
        _Row(
            502,
            "server_error",
            "upstream_credentials",
            502,
            "api_error",
            "the service does not allow this to the declared credentials",
        ),
    ),
    (
        jf.MissingCredentialError,
        _Row(
            502,
            "server_error",
            "upstream_credentials",
            502,
            "api_error",
            "the credentials of the service are missing",
        ),
    ),
    (
        jf.ConfigurationError,
        _Row(500, "server_error", None, 500, "api_error", "the connection is not configured correctly"),
    ),
    (jf.QuotaExceededError, _Row(429, "insufficient_quota", "insufficient_quota", 429, "rate_limit_error")),
    (jf.RateLimitError, _Row(429, "requests", "rate_limit_exceeded", 429, "rate_limit_error")),
    (jf.OverloadedError, _Row(503, "server_error", "server_is_overloaded", 529, "overloaded_error")),
    (
        jf.ConnectionFailedError,
        _Row(502, "server_error", None, 502, "api_error", "the service cannot be reached"),
    ),
    (jf.TimeoutError, _Row(504, "server_error", None, 504, "timeout_error")),
    (jf.JackfieldError, _Row(502, "server_error", None, 502, "api_error")),
)
_RATE: Final = _Row(429, "requests", "rate_limit_exceeded", 429, "rate_limit_error")
_FAULT: Final = _Row(500, "server_error", None, 500, "api_error", "an internal error occurred")
_QUEUE: Final = _Row(503, "server_error", "server_is_overloaded", 529, "overloaded_error")
_TOO_LONG: Final = ("prompt is too long", "input length and `max_tokens` exceed context limit")
_NUMBER: Final = re.compile(r"\d[\d,_]{2,}")
_KEPT: Final = (413, 422)


def describe_error(
    error: BaseException, envelope: Envelope, names: Mapping[str, str], *, trusted: bool = False
) -> ErrorWords:
    """Return what a client is told of an error.

    Neither the service's body nor attempts, addresses and credentials are part of it.

    Args:
        error: The error.
        envelope: Whose form it will have.
        names: The client's names of Jackfield's options.
        trusted: The client is the program that declared the connections, so messages about these are shown.
    """
    if isinstance(error, SurfaceError):
        return _own_error(error, envelope)
    row = _row_of(error)
    message = error.message if isinstance(error, jf.JackfieldError) else str(error)
    if row.hidden is not None and not trusted:
        message = row.hidden
    param = _parameter(error, names)
    status = row.status if envelope == "openai" else row.anthropic_status
    if status == 400 and getattr(error, "status", None) in _KEPT:
        status = error.status  # type: ignore[attr-defined]
    if envelope == "anthropic":
        message = _in_their_words(error, message, param)
    told = getattr(error, "retry_after", None)
    limited = row.code == _RATE.code
    return ErrorWords(
        status,
        row.type if envelope == "openai" else row.anthropic_type,
        message,
        row.code,
        param,
        told,
        retry=limited and told is not None,
    )


def error_object(words: ErrorWords, envelope: Envelope, request_id: str | None = None) -> dict[str, Any]:
    """Return the envelope of an error as JSON-able data."""
    if envelope == "openai":
        return {
            "error": {"message": words.message, "type": words.type, "param": words.param, "code": words.code}
        }
    error: dict[str, Any] = {"type": words.type, "message": words.message}
    if words.code == "insufficient_quota":
        error["details"] = {"error_code": "enforced_spend_limit_reached"}
    return {"type": "error", "error": error, "request_id": request_id}


def error_answer(
    words: ErrorWords, envelope: Envelope, request_id: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Return the status, the headers and the body of an error's answer."""
    headers = {"content-type": "application/json"}
    if words.retry_after is not None:
        headers["retry-after"] = str(max(0, -int(-words.retry_after // 1)))
    if not words.retry:
        headers["x-should-retry"] = "false"
    return words.status, headers, write_json(error_object(words, envelope, request_id))


_THEIR_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}
"""Anthropic's types of errors by status. Source: its API reference, errors."""


def _own_error(error: SurfaceError, envelope: Envelope) -> ErrorWords:
    status = error.status or 400
    kind = _INVALID if status < 500 else "server_error"
    if envelope == "anthropic":
        kind = _THEIR_TYPES.get(status, _INVALID if status < 500 else "api_error")
    return ErrorWords(status, kind, error.message, error.kind, error.parameter)


def _row_of(error: BaseException) -> _Row:
    if isinstance(error, jf.TimeoutError) and error.phase == "queue":
        return _QUEUE
    if isinstance(error, jf.QuotaExceededError) and error.is_retryable:
        return _RATE  # a limit whose window ends soon: clients shall wait
    return next((row for kind, row in _ROWS if isinstance(error, kind)), _FAULT)


def _parameter(error: BaseException, names: Mapping[str, str]) -> str | None:
    if isinstance(error, jf.UnsupportedError) and error.parameter is not None:
        first, dot, rest = error.parameter.partition(".")
        return names.get(error.parameter) or names.get(first, first) + dot + rest
    if isinstance(error, jf.ContextLengthExceededError):
        return names.get("messages", "messages")
    if isinstance(error, jf.UnknownTargetError | jf.ModelNotAllowedError | jf.NotFoundError):
        return "model"
    return None


def _in_their_words(error: BaseException, message: str, param: str | None) -> str:
    """Return a message that Anthropic's clients act upon, where there is one."""
    if isinstance(error, jf.ContextLengthExceededError) and not message.startswith(_TOO_LONG):
        numbers = sorted({int(re.sub("[,_]", "", found)) for found in _NUMBER.findall(message)})
        if len(numbers) < 2:
            return "prompt is too long"
        return f"prompt is too long: {numbers[-1]} tokens > {numbers[0]} maximum"
    if isinstance(error, jf.UnsupportedError) and param is not None:
        if param == "output_config.effort":
            return f"output_config.effort: This model does not support the effort parameter. {message}"
        return f"{param}: Extra inputs are not permitted. {message}"
    if isinstance(error, jf.UnknownTargetError | jf.NotFoundError):
        return f"model: {message}"
    return message
