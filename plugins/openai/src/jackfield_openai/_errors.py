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
from jackfield.plugin import Failure, FailureInStream, write_json

__all__ = ["error", "fail", "raise_failure"]

# Sources: OpenAI's error-code guide as read by pydantic-ai 2.68 and litellm 1.109.1 (November 2026); the
# last entries of a group come from other servers. The code decides, then the type, then the status.
_CLASS_BY_CODE: Final[Mapping[str, type[ProviderError]]] = {
    "context_length_exceeded": ContextLengthExceededError,
    "exceed_context_size_error": ContextLengthExceededError,  # llama.cpp
    "model_context_window_exceeded": ContextLengthExceededError,  # Z.ai
    "model_max_prompt_tokens_exceeded": ContextLengthExceededError,  # GitHub Copilot
    "tokens_limit_reached": ContextLengthExceededError,  # GitHub Models
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
# Patterns are compiled when something fails: the first answer of a program should not wait for them.
# What services of this dialect, and those behind gateways, say of an input that is too long. Sources: their documentation and
# source code, and reports of their users (2024-2026).
_TOO_LONG: Final = (
    r"maximum (context|prompt|sequence|model) (length|window|limit)"  # OpenAI, vLLM, DeepSeek, OpenRouter, xAI
    r"|input tokens exceed|exceeds? the configured limit of \d+ tokens"  # OpenAI
    r"|(exceeds?|exceeded|exceeding) (the |its |a |this )?(model'?s? )?(maximum |max |available |allowed )?context"  # llama.cpp, Ollama
    r"|context[ _](length|window|size|limit) (is |was )?exceed"  # gateways, MiniMax
    r"|`inputs`(?: tokens)? \+ `max_new_tokens` must be|`inputs` must have less than"  # TGI, TEI
    r"|(prompt|input)( \([^)]{0,60}\))? (is |was )?(longer|greater|larger) than the (maximum |max )?(model|context)"  # vLLM, SGLang
    r"|(longer|greater) than the (model'?s? )?(maximum )?(model|context) length|the context overflows"  # vLLM, LM Studio
    r"|total length of all messages is too long|(prompt|input|conversation|messages) (is|are) too long"  # Perplexity, Fireworks
    r"|prompt too long|prompt exceeds max length"  # Ollama, Zhipu
    r"|reduce the length of (the|your) (messages|prompt|input)"  # Groq
    r"|(exceed(s|ed)?|over) (the )?model'?s? token limit|prompt token count of \d+ exceeds"  # Moonshot, Copilot
    r"|request body too large for \S+ model|input token count( \(\d+\))? exceeds"  # GitHub Models, Gemini
    r"|range of input length should be|current length is \d+ while limit is \d+"  # Qwen, Cerebras
    r"|too large for model with \d+ maximum|too many (input |prompt )?tokens(?! overall)|max tokens of count exceeded"  # Mistral, Cohere, Cortex
    r"|number of input tokens \d+ cannot exceed|cannot exceed \d+ tokens"  # watsonx, Jina
)
_BAD_KEY: Final = r"(incorrect|invalid|missing) (api|authentication) ?key"
_KEY_IN_TEXT: Final = (
    r"(?i:(api[ _]?key(?: provided)?:\s*)[^\s\"']+?(?=[.,;]?(?:\s|$|[\"'])))",
    r"()\b(?:sk|gsk|xai|hf|csk|pplx|tgp)[-_][A-Za-z0-9_*-]{4,}",
)


def error(failure: Failure) -> JackfieldError | None:
    """Map a failure to an error; None leaves an exception without a response to the core."""
    if failure.exception is not None and failure.status is None and failure.data is None:
        return None
    from jackfield.http import failure_message

    said = failure.explain()
    message = _mask_keys(failure_message(failure))
    status = failure.status
    if failure.in_stream or status is None or status < 400:
        status = said.status
    code = next(iter(said.codes), None)
    kind = _find_class(status, said.codes, message)
    retryable = _should_retry(failure.headers)
    mapped = attrs.evolve(failure, status=status).error(kind, message, code=code, retryable=retryable)
    mapped.status = failure.status
    return mapped


def _should_retry(headers: Mapping[str, str]) -> bool | None:
    """Read `x-should-retry`, which takes precedence over everything. Source: OpenAI's Python SDK 3.54.0."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def _find_class(status: int | None, words: tuple[str, ...], message: str) -> type[ProviderError] | None:
    known = [(word, _CLASS_BY_CODE[word]) for word in words if word in _CLASS_BY_CODE]
    for word, kind in known:
        if word not in _COARSE:
            return kind
    if status in (None, 400, 413, 422, 500) and re.search(_TOO_LONG, message, re.IGNORECASE):
        return ContextLengthExceededError
    if status == 400 and re.search(_BAD_KEY, message, re.IGNORECASE):
        return AuthenticationError
    return known[0][1] if status is None and known else None


def _mask_keys(message: str) -> str:
    for pattern in _KEY_IN_TEXT:
        message = re.sub(pattern, r"\1***", message)
    return message


def raise_failure(value: Any) -> None:
    """Raise the error that a successful response contains, if it contains one; the response has no answer.

    Raises:
        FailureInStream: The response is an error.
    """
    from jackfield.plugin import is_error_body  # with the readers of failures, which load late

    if is_error_body(value, refused=True):
        fail(value)


def fail(value: Any) -> NoReturn:
    """Raise a failure that a successful response contains."""
    raise FailureInStream(Failure(body=write_json(value), in_stream=True, data=value))
