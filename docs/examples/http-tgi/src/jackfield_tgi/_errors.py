"""The meaning of a failure, if its status alone does not tell."""

from typing import Any

import attrs
from jackfield import ContextLengthExceededError, JackfieldError, OverloadedError
from jackfield.http import error_from_status, retry_after_seconds
from jackfield.plugin import Failure

# The status that each type of error has outside a stream. Source: TGI's OpenAPI description 3.3, 2026-11-01.
_STATUS = {"validation": 422, "generation": 424, "overloaded": 429, "incomplete_generation": 500}


def error(failure: Failure) -> JackfieldError | None:
    """Convert a failure to an error; None lets the status decide."""
    value = failure.json()
    said: dict[str, Any] = value if isinstance(value, dict) else {}
    message, kind = said.get("error"), said.get("error_type")
    if isinstance(message, list):
        message = "; ".join(map(str, message))
    if not isinstance(message, str):
        return None
    if failure.status is None:
        failure = attrs.evolve(failure, status=_STATUS.get(str(kind), 500))
    if kind == "overloaded":
        return _as(OverloadedError, failure, message)
    if "must be <=" in message and "tokens" in message:
        return _as(ContextLengthExceededError, failure, message)
    return error_from_status(failure, message=message, code=kind if isinstance(kind, str) else None)


def _as(cls: type[JackfieldError], failure: Failure, message: str) -> JackfieldError:
    return cls(
        message,
        status=failure.status,
        body=failure.body,
        headers=failure.headers,
        retry_after=retry_after_seconds(failure.headers),
    )
