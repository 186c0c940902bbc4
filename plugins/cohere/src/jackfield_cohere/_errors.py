"""Map failures to errors."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import attrs

from jackfield import (
    ContentFilteredError,
    ContextLengthExceededError,
    InvalidRequestError,
    JackfieldError,
    ProviderError,
    QuotaExceededError,
)
from jackfield.plugin import Failure, FailureInStream, is_error_body, write_json

__all__ = ["error", "fail", "raise_failure"]

# Recorded beside the text in 2026; the documentation does not mention codes.
_CLASS_BY_TYPE: Final[Mapping[str, type[ProviderError]]] = {
    "TOO_MANY_TOKENS": ContextLengthExceededError,
    "INVALID_TOOL_GENERATION": InvalidRequestError,
}
# What the service says of an input that is too long. Sources: Cohere's page of errors, 2026-08-20; recorded answers, 2026.
_TOO_LONG: Final = re.compile(
    r"too many tokens"  # chat, generate, embed
    r"|(total|input|prompt) (number of )?tokens[^.]{0,40} exceed"  # chat
    r"|exceeds? (the )?(model'?s )?(maximum |max )?(context|(input|prompt|token) (length|limit))"  # gateways
    r"|maximum (context|prompt) length|(prompt|input) is too long|exceeds the available context"  # gateways
    r"|input token count( \(\d+\))? exceeds|too large for model with \d+ maximum",  # gateways
    re.IGNORECASE,
)
# Statuses and texts that decide a class. Source: Cohere's page of errors, 2026-08-20. Other statuses have their usual
# meaning. Blocked texts are long-standing behaviour that the page does not mention.
_CLASS_BY_TEXT: Final[tuple[tuple[frozenset[int | None], re.Pattern[str], type[ProviderError]], ...]] = (
    (
        frozenset({400, 413, 422, None}),
        _TOO_LONG,
        ContextLengthExceededError,
    ),
    (frozenset({400, 422, None}), re.compile(r"blocked (in|out)put", re.IGNORECASE), ContentFilteredError),
    (frozenset({429}), re.compile(r"/\s*month|per month|monthly", re.IGNORECASE), QuotaExceededError),
)
# Finish reasons of a stream that are errors, as the statuses that mean the same.
_STATUS_BY_REASON: Final[Mapping[str, int]] = {"ERROR": 500, "TIMEOUT": 504, "USER_CANCEL": 499}
_MOMENT: Final = re.compile(r"[0-9]{1,15}")
_KEY_IN_TEXT: Final = re.compile(
    r"(api[ _](?:key|token)(?: provided)?:\s*)[^\s\"']+?(?=[.,;]?(?:\s|$|[\"']))", re.IGNORECASE
)


def error(failure: Failure) -> JackfieldError | None:
    """Map a failure to an error; None leaves an exception without a response to the core.

    Source: Cohere's page of errors, 2026-08-20: `{"message"}`, no codes; `X-RateLimit-Reset` is in
    seconds since the epoch; its Python SDK 7.3.1 honours it if there is no `Retry-After`.
    """
    if failure.exception is not None and failure.status is None and failure.data is None:
        return None
    from jackfield.http import error_from_status, failure_message

    value = failure.json()
    fields: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    message = _KEY_IN_TEXT.sub(r"\1***", failure_message(failure))
    code = fields.get("error_type")
    code = code if isinstance(code, str) else None
    status = failure.status
    if failure.in_stream or status is None or status < 300:
        status = _STATUS_BY_REASON.get(str(fields.get("finish_reason"))) or failure.explain().status
    mapped = error_from_status(attrs.evolve(failure, status=status), message=message, code=code)
    kind = _class_of(status, code, message)
    if kind is not None:
        mapped = failure.error(kind, message, code=code)
    mapped.status = failure.status
    if "retry-after" not in failure.headers and (wait := _until_reset(failure.headers)) is not None:
        mapped.retry_after = wait  # a moment, however small the number is
    return mapped


def _class_of(status: int | None, code: Any, message: str) -> type[ProviderError] | None:
    if code in _CLASS_BY_TYPE:
        return _CLASS_BY_TYPE[code]
    for statuses, text, kind in _CLASS_BY_TEXT:
        if (status in statuses or status == 500) and text.search(message):
            return kind
    return None


def _until_reset(headers: Mapping[str, str]) -> float | None:
    value = headers.get("x-ratelimit-reset", "")
    if not _MOMENT.fullmatch(value):
        return None
    return max(0.0, int(value) - time.time())


def raise_failure(value: Any) -> None:
    """Raise the error that a successful response contains, if it contains one.

    Raises:
        FailureInStream: The response is an error.
    """
    if is_error_body(value) or (isinstance(value, Mapping) and isinstance(value.get("message"), str)):
        fail(value)


def fail(value: Any) -> NoReturn:
    """Raise a failure that a successful response contains."""
    raise FailureInStream(Failure(body=write_json(value), in_stream=True, data=value))
