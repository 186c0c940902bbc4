"""Map failures of endpoints to errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import InvalidRequestError, JackfieldError, ServerError
from jackfield.http import retry_after_seconds
from jackfield.plugin import Failure
from jackfield_anthropic import error as claude_error
from jackfield_azure_openai.dialect import error as azure_error

__all__ = ["error"]

_TEMPORARY: Final = ("408", "429", "503", "504")


def error(failure: Failure) -> JackfieldError | None:
    """Map a failure to an error.

    Sources: Microsoft's reference of chat completions, 2025-01 (422 names the parameter that the model does
    not support); its page on troubleshooting online endpoints (424: the model's own container failed). Errors of
    Claude have Anthropic's envelope.
    """
    value = failure.json()
    if isinstance(value, Mapping) and value.get("type") == "error":
        return claude_error(failure)
    found = azure_error(failure)
    if failure.status == 424:
        return _map_container_failure(failure, found)
    if failure.status == 422 and isinstance(found, InvalidRequestError):
        found.message = _add_parameter(value, found.message)
    reason = failure.headers.get("ms-azureml-model-error-reason")
    if found is not None and reason and failure.status != 424:
        found.message += f" (the model's reason: {reason})"
    return found


def _map_container_failure(failure: Failure, found: JackfieldError | None) -> ServerError:
    status = failure.headers.get("ms-azureml-model-error-statuscode", "")
    reason = failure.headers.get("ms-azureml-model-error-reason") or (found.message if found else "no reason")
    return ServerError(
        f"the model's container failed{f' with {status}' if status else ''}: {reason}",
        status=failure.status,
        code=status or None,
        body=failure.body,
        headers=failure.headers,
        retry_after=retry_after_seconds(failure.headers),
        retryable=status in _TEMPORARY,
    )


def _add_parameter(value: Any, message: str) -> str:
    """Add the name of the rejected parameter to a message."""
    if not isinstance(value, Mapping):
        return message
    detail = value.get("detail")
    details = detail if isinstance(detail, list) else [detail]
    fields = [
        ".".join(str(step) for step in one["loc"] if step != "body")
        for one in details
        if isinstance(one, Mapping) and isinstance(one.get("loc"), list)
    ]
    own = value.get("message")
    said = "; ".join(str(one["msg"]) for one in details if isinstance(one, Mapping) and one.get("msg"))
    text = own if isinstance(own, str) and own else said or message
    names = ", ".join(field for field in fields if field)
    return f"{text} (parameter {names})" if names else text
