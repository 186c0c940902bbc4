"""What a failure of an endpoint means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import InvalidRequestError, JackfieldError, ServerError
from jackfield.http import retry_after_seconds
from jackfield.plugin import Failure
from jackfield_azure_openai.dialect import error as azure_error

__all__ = ["error"]

_PASSING: Final = ("408", "429", "503", "504")


def error(failure: Failure) -> JackfieldError | None:
    """Turn a failure into our error.

    Sources: Microsoft's reference of chat completions, 2025-01 (422 names the parameter that the model does
    not know); its page on troubleshooting online endpoints (424: the model's own container failed).
    """
    made = azure_error(failure)
    if failure.status == 424:
        return _of_container(failure, made)
    if failure.status == 422 and isinstance(made, InvalidRequestError):
        made.message = _about_parameter(failure.json(), made.message)
    reason = failure.headers.get("ms-azureml-model-error-reason")
    if made is not None and reason and failure.status != 424:
        made.message += f" (the model says: {reason})"
    return made


def _of_container(failure: Failure, made: JackfieldError | None) -> ServerError:
    status = failure.headers.get("ms-azureml-model-error-statuscode", "")
    reason = failure.headers.get("ms-azureml-model-error-reason") or (made.message if made else "no reason")
    return ServerError(
        f"the model's container failed{f' with {status}' if status else ''}: {reason}",
        status=failure.status,
        code=status or None,
        body=failure.body,
        headers=failure.headers,
        retry_after=retry_after_seconds(failure.headers),
        retryable=status in _PASSING,
    )


def _about_parameter(value: Any, message: str) -> str:
    """Name the parameter that was refused."""
    if not isinstance(value, Mapping):
        return message
    detail = value.get("detail")
    details = detail if isinstance(detail, list) else [detail]
    fields = [
        ".".join(str(step) for step in one["loc"] if step != "body")
        for one in details
        if isinstance(one, Mapping) and isinstance(one.get("loc"), list)
    ]
    said = value.get("message")
    text = said if isinstance(said, str) and said else message
    named = ", ".join(field for field in fields if field)
    return f"{text} (parameter {named})" if named else text
