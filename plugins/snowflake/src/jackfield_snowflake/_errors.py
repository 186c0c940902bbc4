"""The meaning of failures of Cortex: over REST, in a row of a result, or raised by the driver."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import attrs

from jackfield import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    ContentFilteredError,
    ContextLengthExceededError,
    InvalidRequestError,
    JackfieldError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    TimeoutError,
)
from jackfield.http import failure_message
from jackfield.plugin import Failure

__all__ = ["error"]

# Sources: docs.snowflake.com, Cortex REST API, status codes (2026); recorded errors; connector 4.8.1 (error codes).
_NOT_THERE: Final = re.compile(
    r"unknown model|unknown function|unavailable in your region|cross.region inference", re.IGNORECASE
)
# What the service and the models behind it say of an input that is too long. Source: recorded errors, 2025-2026.
_TOO_LONG: Final = re.compile(
    r"max tokens of count exceeded"  # Cortex
    r"|(maximum|max) context length|context[ _](length|window)"  # Llama, OpenAI
    r"|(prompt|input) is too long"  # Claude
    r"|too many (input )?tokens"  # Mistral
    r"|exceeds? (the )?(maximum|max)( allowed)? (number of )?(input )?tokens|input tokens exceed",  # others
    re.IGNORECASE,
)
_FILTERED: Final = re.compile(r"content[_ ]filter|content management policy", re.IGNORECASE)
_TIMED_OUT: Final = re.compile(r"inference timed out|statement or warehouse timeout", re.IGNORECASE)
_BAD_LOGIN: Final = re.compile(
    r"incorrect username or password|jwt token is invalid|invalid (oauth|access|programmatic)|authentication token"
    r"|token (is |has )?(invalid|expired)|multi-factor|\bmfa\b|passcode", re.IGNORECASE
)  # fmt: skip
# The remote service's status in an error of an external function: … remote service error: 400 '"unknown model …"'.
_REMOTE: Final = re.compile(
    r"(?:remote service error|status(?: code)?):? *(\d{3})\b\s*(.*)", re.IGNORECASE | re.DOTALL
)
_SESSION_OVER: Final = frozenset({390104, 390110, 390111, 390112, 390114, 390115})
# Numbers of the session's service that are not about the identity. Sources: errors of gosnowflake (2025) and connector
# 4.8.1; docs.snowflake.com, network policies (2026).
_CLASS_BY_CODE: Final[Mapping[str, type[ProviderError]]] = {
    "390142": InvalidRequestError,  # "Incoming request does not contain a valid payload."
    "390400": InvalidRequestError,  # bad request
    "390189": PermissionDeniedError,  # the role does not exist, or the user does not have it
    "390201": PermissionDeniedError,  # the object does not exist, or the role may not use it
    "390422": PermissionDeniedError,  # the network policy does not allow the address
    "390432": PermissionDeniedError,  # a network policy is required for the token
}
_TOKEN: Final = re.compile(r"\beyJ[\w-]{10,}(\.[\w-]+)*|(?<=Token=\")[^\"]+")


def error(failure: Failure) -> JackfieldError | None:
    """Convert a failure to an error; None leaves a foreign exception to the core."""
    if failure.exception is not None and failure.status is None and failure.data is None:
        return _convert_exception(failure.exception)
    value = failure.json()
    if (
        isinstance(value, Mapping)
        and value.get("type") == "error"
        and isinstance(value.get("error"), Mapping)
    ):
        from jackfield_anthropic import error as claude_error

        return _mask(claude_error(failure))
    said = failure.explain()
    message, code = failure_message(failure), next(iter(said.codes), None)
    status = failure.status
    if failure.in_stream or status is None or status < 400:
        status, message = _remote(message, status if status is not None and status >= 400 else None)
        status = said.status if status is None else status
    return _mask(_error_of(failure, status, code, message))


def _error_of(failure: Failure, status: int | None, code: str | None, message: str) -> JackfieldError:
    kind = _class_of(status, code, message)
    if kind is not None:
        return failure.error(kind, message, code=code)
    if status == 405:  # the service's status for a body or a path that it does not know
        return failure.error(InvalidRequestError, message, code=code)
    # The status of a server's own timeout becomes a TimeoutError.
    timed_out = status in (408, 503, 504) and _TIMED_OUT.search(message)
    converted = attrs.evolve(failure, status=504 if timed_out else status).error(message=message, code=code)
    converted.status = failure.status
    return converted


def _class_of(status: int | None, code: str | None, message: str) -> type[ProviderError] | None:
    if status in (None, 400, 404, 413, 422):
        text = f"{code} {message}"
        for pattern, kind in (
            (_NOT_THERE, NotFoundError),
            (_TOO_LONG, ContextLengthExceededError),
            (_FILTERED, ContentFilteredError),
        ):
            if pattern.search(text):
                return kind
    return _class_of_code(code) if status in (None, 400, 401, 403) else None


def _class_of_code(code: str | None) -> type[ProviderError] | None:
    """Return what a number of the session's service means: most are about the identity."""
    if code is None or not re.fullmatch(r"39(0|44)\d+", code):
        return None
    return _CLASS_BY_CODE.get(code, AuthenticationError)


def _remote(message: str, status: int | None) -> tuple[int | None, str]:
    """Return status and text of the model's own service, which are part of the SQL error."""
    found = _REMOTE.search(message)
    if found is None:
        return status, message
    text = found[2].partition("; requests batch-id")[0].strip()
    for quote in ("'", '"'):
        if len(text) > 1 and text[0] == text[-1] == quote:
            text = text[1:-1].replace(f"\\{quote}", quote)
    return int(found[1]), text or message


def _convert_exception(exception: BaseException) -> JackfieldError | None:
    """Convert an exception of the connector or of Snowpark by its number, without importing either."""
    names = {cls.__name__ for cls in type(exception).__mro__ if cls.__module__.startswith("snowflake.")}
    if not names:
        return ConnectionFailedError(str(exception)) if isinstance(exception, OSError) else None
    written = str(getattr(exception, "errno", None) or getattr(exception, "sql_error_code", None))
    number = int(written) if written.lstrip("-").isdigit() else None
    text = str(getattr(exception, "msg", None) or getattr(exception, "message", None) or exception)
    return _mask(_of_number(number, text, names))


def _of_number(number: int | None, message: str, names: set[str]) -> JackfieldError:
    code = None if number is None or number < 0 else f"{number:06d}"
    status, text = _remote(message, None)
    if status is not None:
        return _error_of(Failure(), status, code, text)
    if number in _SESSION_OVER:
        return AuthenticationError(message, code=code, refresh_credentials=True)
    named = _class_of_code(code)
    if named is not None or _BAD_LOGIN.search(message):
        return (named or AuthenticationError)(message, code=code)
    if number == 606:
        return ConfigurationError(f"{message}; name a warehouse in the connection", code=code)
    if number in (2003, 3001):
        return PermissionDeniedError(f"{message}; does the role have SNOWFLAKE.CORTEX_USER?", code=code)
    if _TIMED_OUT.search(message):
        return TimeoutError(message, phase="server", code=code)
    kind = _class_of(None, None, message)
    if kind is not None:
        return kind(message, code=code)
    if names & {"ServiceUnavailableError", "TooManyRequests", "BadGatewayError", "GatewayTimeoutError"}:
        return OverloadedError(message, code=code)
    if names & {"OperationalError", "InterfaceError"} or number in (250001, 250003):
        return ConnectionFailedError(message, code=code)
    if "ProgrammingError" in names:
        return InvalidRequestError(message, code=code)
    return ProviderError(message, code=code)


def _mask(error: JackfieldError | None) -> JackfieldError | None:
    if error is not None and _TOKEN.search(error.message):
        error.message = _TOKEN.sub("***", error.message)
        error.args = (error.message,)
    return error
