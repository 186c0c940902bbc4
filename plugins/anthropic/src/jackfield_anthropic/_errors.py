"""Map failures to errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import attrs

from jackfield import (
    ContextLengthExceededError,
    JackfieldError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from jackfield.plugin import Failure, FailureInStream, is_error_body, write_json

__all__ = ["error", "fail", "raise_failure"]

# Source: api/errors, 2026-10, and error types of the Python SDK 2.12.0.
_STATUS_BY_TYPE: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
# Too coarse to take precedence over a more specific status.
_COARSE: Final = frozenset({"invalid_request_error", "api_error"})
# `details.error_code` is stable. A ramp limit is over after `retry-after`; a spend limit is not.
_CLASS_BY_CODE: Final[Mapping[str, type[ProviderError]]] = {
    "enforced_spend_limit_reached": QuotaExceededError,
    "contract_spend_limit_reached": QuotaExceededError,
    "linked_organization_spend_limit_reached": QuotaExceededError,
    "ramp_limit_exceeded": RateLimitError,
}
# What Anthropic says of an input that is too long, and what services of its dialect say (reports of their users, 2025-2026).
_TOO_LONG: Final = re.compile(
    r"(prompt|input|conversation) is too long|prompt too long"  # Anthropic, Ollama
    r"|input length and `?max_tokens`? exceed context limit"  # Anthropic, before Sonnet 4.5
    r"|exceeds? (the |its )?(model'?s )?(maximum |available )?context"  # gateways, llama.cpp
    r"|too many (input )?tokens|input token count( \(\d+\))? exceeds|too large for model with \d+ maximum"  # gateways
    r"|context (window|length)( size)? exceed"  # MiniMax
    r"|maximum (context|prompt) length"  # DeepSeek, Qwen
    r"|exceed(s|ed) (the )?model token limit",  # Kimi
    re.IGNORECASE,
)
_NO_MONEY: Final = re.compile(
    r"credit balance is too low|reached your specified (workspace )?API usage limits|spend(ing)? limit",
    re.IGNORECASE,
)
_KEY: Final = re.compile(r"\bsk-ant-[A-Za-z0-9_-]{4,}")


def error(failure: Failure) -> JackfieldError | None:
    """Map a failure to an error; None leaves an exception without a response to the core.

    A content filter is not a failure here: it is the finish reason `refusal` of a successful response.
    """
    from jackfield.http import error_from_status, failure_message

    if failure.exception is not None and failure.status is None and failure.data is None:
        return None
    said = failure.explain()
    word, code = _find_codes(failure.json())
    word = word or next((code for code in said.codes if code in _STATUS_BY_TYPE), None)
    message = _KEY.sub("sk-ant-***", failure_message(failure))
    status = _status(failure, word) or said.status
    kind = _class_of(status, code, message)
    retryable = _should_retry(failure.headers)
    if kind is None:
        meant = attrs.evolve(failure, status=status)
        mapped = error_from_status(meant, message=message, code=code or word, retryable=retryable)
        mapped.status = failure.status
        return mapped
    return failure.error(kind, message, code=code or word, retryable=retryable)


def _status(failure: Failure, word: str | None) -> int | None:
    """Return the status that decides the class: the one that the error's type stands for, unless it is too coarse."""
    status = failure.status if failure.status is not None and failure.status >= 400 else None
    meant = _STATUS_BY_TYPE.get(word or "")
    return status if meant is None or (status is not None and word in _COARSE) else meant


def _class_of(status: int | None, code: str | None, message: str) -> type[ProviderError] | None:
    if code is not None and code in _CLASS_BY_CODE:
        return _CLASS_BY_CODE[code]
    if status in (400, 413) and _TOO_LONG.search(message):
        return ContextLengthExceededError
    if status in (400, 403, 429) and _NO_MONEY.search(message):
        return QuotaExceededError
    # A service behind the API is unavailable (`cmek_context_unavailable`), which is not an overload (529).
    return ServerError if status == 503 else None


def _should_retry(headers: Mapping[str, str]) -> bool | None:
    """Read `x-should-retry`, which takes precedence over everything. Source: Anthropic's Python SDK 2.12.0."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def _find_codes(value: Any) -> tuple[str | None, str | None]:
    """Find the type and the stable code in `{"type": "error", "error": {"type", "message", "details"}}`."""
    inner = value.get("error") if isinstance(value, Mapping) else None
    if not isinstance(inner, Mapping):
        return None, None
    details = inner.get("details")
    code = details.get("error_code") if isinstance(details, Mapping) else None
    word, code = (text if isinstance(text, str) and text else None for text in (inner.get("type"), code))
    return word, code


def raise_failure(value: Any) -> None:
    """Raise the error that a successful response contains, if it contains one.

    Raises:
        FailureInStream: The response is an error.
    """
    if is_error_body(value):
        fail(value)


def fail(value: Any) -> NoReturn:
    """Raise a failure that a successful response contains."""
    raise FailureInStream(Failure(body=write_json(value), in_stream=True, data=value))
