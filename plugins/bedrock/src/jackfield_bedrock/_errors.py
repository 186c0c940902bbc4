"""Map failures to errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

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
from jackfield.plugin import Failure, read_count

from ._guardrails import INTERVENED

__all__ = ["error"]

# Names begin with a lower-case letter in streams, and an upper-case one in headers. Source: AWS's service model in botocore 1.44.5 (2026-11);
# for identities: AWS's common errors.
_STATUS_BY_NAME: Final[Mapping[str, int]] = {
    "validationexception": 400,
    "accessdeniedexception": 403,
    "resourcenotfoundexception": 404,
    "modeltimeoutexception": 408,
    "conflictexception": 400,
    "requesttimeout": 408,
    "requesttimeoutexception": 408,
    "modelerrorexception": 424,
    "modelstreamerrorexception": 424,
    "throttlingexception": 429,
    "modelnotreadyexception": 429,
    "servicequotaexceededexception": 400,
    "internalserverexception": 500,
    "internalservererror": 500,
    "internalfailure": 500,
    "serviceunavailableexception": 503,
}
# Names of throttling, whatever the status. Source: AWS SDKs and tools reference guide, "Retry behavior"; botocore 1.44.5.
_THROTTLED: Final = frozenset(
    {"throttling", "throttlingexception", "throttledexception", "requestthrottled", "requestthrottledexception",
     "toomanyrequestsexception", "provisionedthroughputexceededexception", "requestlimitexceeded", "bandwidthlimitexceeded",
     "limitexceededexception", "slowdown", "transactioninprogressexception", "priorrequestnotcomplete", "ec2throttledexception"}
)  # fmt: skip
# Texts about an identity, if neither header nor body has a name (recorded 2024-2026).
_NAME_BY_TEXT: Final = (
    (re.compile(r"security token .*expired", re.IGNORECASE), "ExpiredTokenException"),
    (re.compile(r"security token", re.IGNORECASE), "UnrecognizedClientException"),
    (re.compile(r"^signature (expired|not yet current)", re.IGNORECASE), "InvalidSignatureException"),
    (re.compile(r"signature we calculated", re.IGNORECASE), "SignatureDoesNotMatch"),
    (re.compile(r"missing authentication token", re.IGNORECASE), "MissingAuthenticationTokenException"),
)
_CLASS_BY_NAME: Final[Mapping[str, type[ProviderError]]] = {
    "servicequotaexceededexception": QuotaExceededError,
    "modelnotreadyexception": OverloadedError,
    "serviceunavailableexception": OverloadedError,
}
# What the families say of an input that is too long. Sources: recorded answers 2024-2026; reports to litellm and aider.
_TOO_LONG: Final = re.compile(
    r"(input|prompt|conversation)( tokens?)? ((is|are|was|were) )?too (long|large)"  # Claude, Jamba
    r"|`?inputs`? tokens \+ `?max_new_tokens`? must be"  # imported models, by their own server
    r"|reduce the length of (the|your) (prompt|input|messages)"
    r"|context length is only \d"  # newer models of other makers
    r"|(input|prompt) length (of \d+ |\([^()]*\) )exceeds?"
    r"|input length and `?max_tokens`? exceed context limit"  # Claude
    r"|input tokens exceeded"  # Nova: "Input Tokens Exceeded: Number of input tokens exceeds maximum length"
    r"|too many (input |prompt )?tokens"  # Titan, Llama, Cohere
    r"|expected maxLength"  # Jurassic, Cohere's embeddings, Titan: by the schema of the body
    r"|maximum (context|prompt|sequence|input) length"  # Llama, DeepSeek, Qwen
    r"|too large for model with \d+ maximum"  # Mistral
    r"|(input|prompt|context) (tokens?|token count|length|window|size) (\S+ )?exceeds?"  # gpt-oss and others
    r"|exceeds? (the |its |model'?s )*(maximum |available |allowed )*(context|(input|prompt|sequence) (length|limit|size))"
    r"|exceeds? (the )?(maximum |max )?(allowed )?(number of )?(input |prompt )tokens",
    re.IGNORECASE,
)
# Statuses with several meanings, which texts distinguish. Sources: recorded answers 2024-2026; litellm's reports.
_CLASS_BY_TEXT: Final[tuple[tuple[frozenset[int], re.Pattern[str], type[ProviderError]], ...]] = (
    (
        frozenset({400}),
        _TOO_LONG,
        ContextLengthExceededError,
    ),
    (frozenset({400}), re.compile(r"model identifier is invalid", re.IGNORECASE), NotFoundError),
    (frozenset({400}), re.compile(r"^operation not allowed", re.IGNORECASE), PermissionDeniedError),
    (frozenset({403}), re.compile(r"api key|bearer token", re.IGNORECASE), AuthenticationError),
    (frozenset({429}), re.compile(r"per day|daily", re.IGNORECASE), QuotaExceededError),
    (
        frozenset({429}),
        re.compile(r"model.*(not ready|being (prepared|loaded))", re.IGNORECASE),
        OverloadedError,
    ),
)
_RETRIED: Final = frozenset({408, 429})
"""Statuses below 500 of the model's own server after which a call is repeated."""
_PROFILE: Final = re.compile(r"on-demand throughput isn.t supported")
_SECRET: Final = re.compile(
    r"\b(ABSK[A-Za-z0-9+/=_-]{8,}|bedrock-api-key-[A-Za-z0-9+/=_-]{8,}|A[KS]IA[A-Z0-9]{12,})"
)
_GUARDED: Final = "a guardrail blocked the answer"


def error(failure: Failure) -> JackfieldError | None:
    """Map a failure to an error; None leaves an exception without a response to the core.

    Source: AWS's service model in botocore 1.44.5 (2026-11); OpenAI's APIs have OpenAI's envelope.
    """
    if failure.exception is not None and failure.status is None and failure.data is None:
        return None
    value = failure.json()
    fields: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    if failure.event == INTERVENED:
        return ContentFilteredError(
            fields.get("message") or _GUARDED, code=INTERVENED, status=failure.status, body=failure.body
        )
    if isinstance(fields.get("error"), Mapping):
        return _map_other(failure, fields)
    return _map_own(failure, fields)


def _map_other(failure: Failure, fields: Mapping[str, Any]) -> JackfieldError | None:
    if fields.get("type") == "error":
        from jackfield_anthropic import error as map_claude

        return map_claude(failure)
    from jackfield_openai import error as map_openai

    return map_openai(failure)


def _map_own(failure: Failure, fields: Mapping[str, Any]) -> JackfieldError:
    from jackfield.http import error_from_status, failure_message

    message = _SECRET.sub("***", _with_original(failure_message(failure), fields))
    code = _name(failure, fields)
    name = (code or "").lower()
    status = _status(failure, fields, name)
    kind = _class_of(status, name, message)
    if (
        kind is None
        and status in (400, 401, 403)
        and (made := _map_identity(failure, code, message)) is not None
    ):
        return made
    if _PROFILE.search(message):
        message += " (set inference_profile of the connection, or write the profile's id as the model)"
    if kind is None:
        error = error_from_status(attrs.evolve(failure, status=status), message=message, code=code)
        error.status = failure.status
        return error
    return failure.error(kind, message, code=code)


def _map_identity(failure: Failure, code: str | None, message: str) -> JackfieldError | None:
    """Map an error about an identity, which all services of AWS share; one that a wrong clock causes says so."""
    from jackfield_aws import identity_error

    name = code or next((name for text, name in _NAME_BY_TEXT if text.search(message)), None)
    mapped = None if name is None else identity_error(failure, name, message)
    if mapped is not None:
        mapped.code, mapped.body, mapped.headers = code, failure.body, failure.headers
    return mapped


def _name(failure: Failure, fields: Mapping[str, Any]) -> str | None:
    """Return the service's name of an error, from a frame, a header or the body; a URL may be attached to it."""
    header = failure.headers.get("x-amzn-errortype")
    raw = (
        (failure.event if failure.in_stream else None) or header or fields.get("__type") or fields.get("code")
    )
    if not isinstance(raw, str) or not raw:
        return None
    return raw.partition(":")[0].rpartition("#")[2] or None


def _with_original(message: str, fields: Mapping[str, Any]) -> str:
    """Return the message with that of the model behind the service, which says more than the service's own."""
    original = fields.get("originalMessage")
    if not isinstance(original, str) or not original.strip() or original in message:
        return message
    return f"{message.rstrip()} The model said: {original}"


def _status(failure: Failure, fields: Mapping[str, Any], name: str) -> int:
    """Return the status that an error means: by its name; else the response's own, which was successful inside a stream."""
    status = _STATUS_BY_NAME.get(name, failure.status or 0)
    if name in _THROTTLED:
        status = 429
    elif status < 400:
        status = 500
    original = read_count(fields.get("originalStatusCode"))
    if status != 424 or original is None or original < 400:
        return status
    # What the model's own server says of the caller's identity is nothing that the caller can mend.
    return original if original in _RETRIED or original >= 500 else 400


def _class_of(status: int, name: str, message: str) -> type[ProviderError] | None:
    for statuses, text, kind in _CLASS_BY_TEXT:
        if status in statuses and text.search(message):
            return kind
    if name in _CLASS_BY_NAME:
        return _CLASS_BY_NAME[name]
    if status == 424:
        return ServerError
    if name in _THROTTLED:
        return RateLimitError
    return InvalidRequestError if status == 413 else None
