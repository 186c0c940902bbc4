"""Map failures to errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import attrs

from jackfield import (
    AuthenticationError,
    ContentFilteredError,
    ContextLengthExceededError,
    InvalidRequestError,
    JackfieldError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from jackfield.plugin import Failure, FailureInStream

__all__ = ["error", "fail", "is_failure", "raise_failure"]

# Sources: OpenAI's error-code guide as read by pydantic-ai 2.68 and litellm 1.109.1 (November 2026); the
# last entries of a group come from other servers. The code decides, then the type, then the status.
_CLASS_BY_CODE: Final[Mapping[str, type[ProviderError]]] = {
    "context_length_exceeded": ContextLengthExceededError,
    "exceed_context_size_error": ContextLengthExceededError,  # llama.cpp
    "content_filter": ContentFilteredError,
    "content_policy_violation": ContentFilteredError,
    "invalid_prompt": ContentFilteredError,
    "invalid_api_key": AuthenticationError,
    "invalid_organization": AuthenticationError,
    "authentication_error": AuthenticationError,  # DeepSeek, llama.cpp
    "unsupported_country_region_territory": PermissionDeniedError,
    "permission_error": PermissionDeniedError,
    "model_not_found": NotFoundError,
    "not_found_error": NotFoundError,
    "rate_limit_exceeded": RateLimitError,
    "rate_limit_error": RateLimitError,
    "insufficient_quota": QuotaExceededError,
    "billing_hard_limit_reached": QuotaExceededError,
    "credit_balance_exhausted": QuotaExceededError,
    "organization_spend_limit_exceeded": QuotaExceededError,
    "project_spend_limit_exceeded": QuotaExceededError,
    "organization_usage_limit_exceeded": QuotaExceededError,
    "server_is_overloaded": OverloadedError,
    "slow_down": OverloadedError,
    "overloaded_error": OverloadedError,
    "server_error": ServerError,
    "internal_server_error": ServerError,
    "invalid_request_error": InvalidRequestError,
}
# Too coarse to take precedence over a more specific status.
_COARSE: Final = frozenset({"invalid_request_error", "server_error", "internal_server_error"})
_TOO_LONG: Final = re.compile(
    r"maximum (context|prompt) length|exceeds? the (available |model's )?context|context (length|window) exceeded"
    r"|`inputs`(?: tokens)? \+ `max_new_tokens` must be",
    re.IGNORECASE,
)
_BAD_KEY: Final = re.compile(r"(incorrect|invalid|missing) (api|authentication) ?key", re.IGNORECASE)
_KEY_IN_TEXT: Final = (
    re.compile(r"(api[ _]?key(?: provided)?:\s*)[^\s\"']+?(?=[.,;]?(?:\s|$|[\"']))", re.IGNORECASE),
    re.compile(r"()\b(?:sk|gsk|xai|hf|csk|pplx|tgp)[-_][A-Za-z0-9_*-]{4,}"),
)


def error(failure: Failure) -> JackfieldError | None:
    """Map a failure to an error; None leaves an exception without a response to the core."""
    if failure.exception is not None and failure.status is None and failure.data is None:
        return None
    value = failure.json()
    message, words = _find_message(value)
    if message is None:
        from jackfield.http import failure_message

        message = failure_message(failure)
    message = _mask_keys(message)
    status = failure.status
    if failure.in_stream or status is None or status < 400:
        status = _status_in(words)
    code = next(iter(words), None)
    kind = _find_class(status, words, message)
    if kind is None:
        return _build_by_status(attrs.evolve(failure, status=status), message, code, actual=failure.status)
    return _build(kind, failure, message, code)


def _build(kind: type[ProviderError], failure: Failure, message: str, code: str | None) -> JackfieldError:
    from jackfield.http import retry_after_seconds

    return kind(
        message,
        status=failure.status,
        code=code,
        body=failure.body,
        headers=failure.headers,
        retry_after=retry_after_seconds(failure.headers),
        retryable=_should_retry(failure.headers),
    )


def _build_by_status(
    failure: Failure, message: str, code: str | None, *, actual: int | None
) -> JackfieldError:
    from jackfield.http import error_from_status

    retryable = _should_retry(failure.headers)
    found = error_from_status(failure, message=message, code=code, retryable=retryable)
    found.status = actual
    return found


def _should_retry(headers: Mapping[str, str]) -> bool | None:
    """Read `x-should-retry`, which takes precedence over everything. Source: OpenAI's Python SDK 3.54.0."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def _find_class(status: int | None, words: tuple[str, ...], message: str) -> type[ProviderError] | None:
    known = [(word, _CLASS_BY_CODE[word]) for word in words if word in _CLASS_BY_CODE]
    for word, kind in known:
        if word not in _COARSE:
            return kind
    if status in (None, 400, 413, 422, 500) and _TOO_LONG.search(message):
        return ContextLengthExceededError
    if status == 400 and _BAD_KEY.search(message):
        return AuthenticationError
    return known[0][1] if status is None and known else None


def _find_message(value: Any) -> tuple[str | None, tuple[str, ...]]:
    """Find the message and its codes (code, type) in the forms that servers use.

    `{"error": {"message", "code", "type"}}`, `{"error": "text", "code" | "error_type"}`, `{"error": [...]}`,
    `{"detail": ...}`, `{"message", "code"}`, and a list that contains one of them.
    """
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, str):
        return value, ()
    if not isinstance(value, Mapping):
        return None, ()
    response = value.get("response")
    inner = response.get("error") if isinstance(response, Mapping) else value.get("error")
    if isinstance(inner, Mapping):
        return _text(inner), _words(inner)
    if isinstance(inner, list):
        inner = "; ".join(str(entry) for entry in inner)
    if isinstance(inner, str):
        return inner, _words(value)
    return _text(value), _words(value)


def _text(value: Mapping[str, Any]) -> str | None:
    message = value.get("message") or value.get("detail")
    if isinstance(message, list):  # FastAPI's validation errors
        message = "; ".join(
            str(entry.get("msg", entry)) if isinstance(entry, Mapping) else str(entry) for entry in message
        )
    metadata = value.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None  # OpenRouter: the upstream's message
    if isinstance(message, str) and isinstance(raw, str):
        return f"{message}: {raw}"
    return message if isinstance(message, str) else None


def _words(value: Mapping[str, Any]) -> tuple[str, ...]:
    found = (value.get("code"), value.get("type"), value.get("error_type"))
    return tuple(str(word) for word in found if isinstance(word, str | int) and word != "error")


def _status_in(words: tuple[str, ...]) -> int | None:
    """Return the status that an error inside an answer contains (OpenRouter, vLLM, llama.cpp)."""
    return next((int(word) for word in words if word.isdigit() and 400 <= int(word) < 600), None)


def _mask_keys(message: str) -> str:
    for pattern in _KEY_IN_TEXT:
        message = pattern.sub(r"\1***", message)
    return message


def is_failure(value: Any) -> bool:
    """Return whether the JSON of a successful response is an error."""
    return isinstance(value, Mapping) and (bool(value.get("error")) or value.get("object") == "error")


def raise_failure(value: Any) -> None:
    """Raise the error that a successful response contains, if it contains one.

    Raises:
        FailureInStream: The response is an error.
    """
    if is_failure(value) or (isinstance(value, Mapping) and "detail" in value):
        fail(value)


def fail(value: Any) -> NoReturn:
    """Raise a failure that a successful response contains."""
    import orjson

    raise FailureInStream(Failure(body=orjson.dumps(value), in_stream=True, data=value))
