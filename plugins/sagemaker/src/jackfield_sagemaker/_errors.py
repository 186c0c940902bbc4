"""Map failures to errors. Source: SageMaker runtime service model (botocore 1.44.5, 2026-11)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield import (
    ContextLengthExceededError,
    InvalidRequestError,
    JackfieldError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
    TimeoutError,
)
from jackfield.http import error_from_status, failure_message
from jackfield.plugin import Failure, read_count, read_json
from jackfield_aws import identity_error

__all__ = ["error"]

_CLASS: Final[Mapping[str, type[JackfieldError]]] = {
    "ModelNotReadyException": OverloadedError,
    "ThrottlingException": RateLimitError,
    "TooManyRequestsException": RateLimitError,
    "InternalFailure": ServerError,
    "InternalServerException": ServerError,
    "InternalDependencyException": ServerError,
    "InternalStreamFailure": ServerError,
    "ServiceUnavailable": OverloadedError,
    "ValidationError": InvalidRequestError,
    "ValidationException": InvalidRequestError,
    "StreamBroken": StreamInterruptedError,
}
_QUOTED: Final = re.compile(r'from \S+ with message "(.*?)"\. See ', re.DOTALL)
_STATUS: Final = re.compile(r"error \((\d{3})\) from")
_TOO_LONG: Final = re.compile(
    r"must be (<=|≤|less)|exceed|maximum context|context length|input tokens|too long|max_input_length",
    re.IGNORECASE,
)
_LOADING: Final = re.compile(
    r"\b(is|still|being|currently) (being )?load(ed|ing)|\bnot (yet )?(ready|loaded)|warming up|no workers? (is|are) available",
    re.IGNORECASE,
)
"""What containers say before they can answer. Sources: TorchServe, multi-model-server, Hugging Face's toolkits."""
_TIMED_OUT: Final = re.compile(r"timed? ?out", re.IGNORECASE)
_OF_S3: Final = re.compile(rb"<Error>.*?<Code>(\w+)</Code>", re.DOTALL)
_S3_SAYS: Final = re.compile(rb"<Error>.*?<Message>(.*?)</Message>", re.DOTALL)
_BY_WORD: Final = {"validation": 422, "overloaded": 429, "incomplete_generation": 500, "generation": 424}
"""TGI's values of `error_type`, and the status of each outside a stream. Source: text-generation-inference, server.rs."""


def error(failure: Failure) -> JackfieldError | None:
    """Map a failure to an error; None leaves an exception without a response to the core."""
    value = failure.json()
    if not isinstance(value, Mapping):
        value = {}
    code = _code_of(failure, value)
    text = _text_of(failure, value)
    refused = identity_error(failure, code or "", text)
    if refused is not None:
        return refused
    if code in ("ModelError", "ModelStreamError"):
        return _map_container(failure, value, code)
    if code in ("ValidationError", "ValidationException") and "not found" in text.lower():
        return _build(NotFoundError, failure, text, code)
    if code is not None and code in _CLASS:
        return _build(_CLASS[code], failure, text, code)
    if failure.in_stream:
        return _map_answer(failure, value)
    return error_from_status(failure, message=text, code=code)


def _build(cls: type[JackfieldError], failure: Failure, text: str, code: str | None) -> JackfieldError:
    made = error_from_status(failure, message=text, code=code)
    if cls is TimeoutError:
        return TimeoutError(text, phase="server", status=failure.status, code=code, body=failure.body)
    return cls(
        text,
        status=failure.status,
        code=code,
        body=failure.body,
        headers=failure.headers,
        retry_after=made.retry_after,
    )


def _code_of(failure: Failure, value: Mapping[str, Any]) -> str | None:
    name = failure.headers.get("x-amzn-errortype") or failure.event or value.get("__type")
    if not name and (found := _OF_S3.search(failure.body)):
        return found[1].decode("utf-8", "replace")
    if not name or name == "PayloadPart":
        return None
    return str(name).partition(":")[0].rpartition("#")[2]


def _text_of(failure: Failure, value: Mapping[str, Any]) -> str:
    found = value.get("Message") or value.get("message") or value.get("error")
    if not value and (found := _S3_SAYS.search(failure.body)):
        return found[1].decode("utf-8", "replace")
    return found if isinstance(found, str) and found else failure_message(failure)


def _map_container(failure: Failure, value: Mapping[str, Any], code: str) -> JackfieldError:
    """Map an error of the container, whose status and body are inside SageMaker's own error."""
    message = str(value.get("Message") or value.get("message") or failure_message(failure))
    reason = value.get("ErrorCode")
    quoted = _QUOTED.search(message)
    original = value.get("OriginalMessage") or (quoted[1] if quoted else message)
    found = _STATUS.search(message)
    status = read_count(value.get("OriginalStatusCode")) or (int(found[1]) if found else None)
    text = _container_text(str(original))
    log = value.get("LogStreamArn")
    if log:
        text += f"; the container's log: {log}"
    if reason == "StreamBroken":
        return _build(StreamInterruptedError, failure, text, reason)
    if reason == "ModelInvocationTimeExceeded" or (_TIMED_OUT.search(text) and status not in (400, 422)):
        return _build(TimeoutError, failure, text, reason or code)
    return _map_status(failure, text, status, reason or code)


def _map_status(failure: Failure, text: str, status: Any, code: str | None) -> JackfieldError:
    if "accept_eula" in text:
        hint = f'{text}; if you accept the licence, write custom_attributes = "accept_eula=true" for this endpoint'
        return _build(PermissionDeniedError, failure, hint, code)
    if status in (400, 413, 422, 424):
        cls = ContextLengthExceededError if _TOO_LONG.search(text) else InvalidRequestError
        return _build(cls, failure, text, code)
    if _LOADING.search(text) and not (isinstance(status, int) and 400 <= status < 500):
        return _build(OverloadedError, failure, text, code)
    if not isinstance(status, int) or status < 400:
        return _build(ServerError, failure, text, code)
    # Containers use the usual statuses: 404 for a model that they do not have, 504 for one that is too slow.
    made = error_from_status(attrs.evolve(failure, status=status), message=text, code=code)
    made.status = failure.status
    return made


def _container_text(original: str) -> str:
    """Return the message of a container's own error, which often is JSON as text."""
    try:
        value = read_json(original)
    except ValueError:
        return original
    inner = attrs.evolve(Failure(), body=original.encode())
    return failure_message(inner) if isinstance(value, dict) else original


def _map_answer(failure: Failure, value: Mapping[str, Any]) -> JackfieldError:
    """Map an error that a container returned with a successful status."""
    content = value.get("error")
    details = value.get("details")
    if isinstance(content, Mapping):
        text, code = str(content.get("message") or content), content.get("code") or content.get("type")
    else:
        text, code = (
            str(content or "the container's generation failed"),
            value.get("error_type") or value.get("code"),
        )
    if isinstance(details, Mapping) and not content:
        text = "the container ended its generation with an error"
    status = code if isinstance(code, int) else _BY_WORD.get(str(code))
    return _map_status(failure, text, status, None if code is None else str(code))
