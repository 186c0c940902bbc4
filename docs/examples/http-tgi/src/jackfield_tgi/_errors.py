"""The meaning of a failure, if its status alone does not tell."""

import attrs
from jackfield import ContextLengthExceededError, JackfieldError, OverloadedError
from jackfield.plugin import Failure

# The status that each type of error has outside a stream. Source: TGI's OpenAPI description 3.3, 2026-11-01.
_STATUS = {"validation": 422, "generation": 424, "overloaded": 429, "incomplete_generation": 500}


def error(failure: Failure) -> JackfieldError:
    """Convert a failure to an error of the class that the body means, or that belongs to the status."""
    body = failure.json()
    words = body if isinstance(body, dict) else {}
    message, kind = words.get("error"), str(words.get("error_type"))
    if isinstance(message, list):
        message = "; ".join(map(str, message))
    if not isinstance(message, str):  # the body may be anything, such as the page of a proxy
        return failure.error()
    if failure.status is None:
        failure = attrs.evolve(failure, status=_STATUS.get(kind, 500))
    if kind == "overloaded":
        return failure.error(OverloadedError, message, code=kind)
    if "must be <=" in message and "tokens" in message:
        return failure.error(ContextLengthExceededError, message, code=kind)
    return failure.error(message=message, code=kind if kind in _STATUS else None)
