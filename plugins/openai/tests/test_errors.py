"""Failures: the table of OpenAI's error-code guide, and the forms of other servers."""

from __future__ import annotations

import json

import pytest

import jackfield
from jackfield.plugin import Failure, Headers
from jackfield_openai import error


def failed(status, body, headers=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error(Failure(status=status, headers=Headers(headers or {}), body=data))


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (400, "context_length_exceeded", "ContextLengthExceededError"),
        (400, "content_filter", "ContentFilteredError"),
        (400, "content_policy_violation", "ContentFilteredError"),
        (400, "invalid_prompt", "ContentFilteredError"),
        (400, "unsupported_parameter", "InvalidRequestError"),
        (400, "unsupported_value", "InvalidRequestError"),
        (401, "invalid_api_key", "AuthenticationError"),
        (401, "invalid_organization", "AuthenticationError"),
        (403, "unsupported_country_region_territory", "PermissionDeniedError"),
        (403, None, "PermissionDeniedError"),
        (404, "model_not_found", "NotFoundError"),
        (408, None, "TimeoutError"),
        (409, None, "InvalidRequestError"),
        (413, None, "InvalidRequestError"),
        (422, None, "InvalidRequestError"),
        (429, "rate_limit_exceeded", "RateLimitError"),
        (429, "insufficient_quota", "QuotaExceededError"),
        (429, "billing_hard_limit_reached", "QuotaExceededError"),
        (429, "credit_balance_exhausted", "QuotaExceededError"),
        (429, "organization_spend_limit_exceeded", "QuotaExceededError"),
        (429, "project_spend_limit_exceeded", "QuotaExceededError"),
        (429, "organization_usage_limit_exceeded", "QuotaExceededError"),
        (500, "server_error", "ServerError"),
        (503, "server_is_overloaded", "OverloadedError"),
        (503, "slow_down", "OverloadedError"),
        (504, None, "TimeoutError"),
    ],
)
def test_the_table(status, code, name):
    made = failed(
        status, {"error": {"message": "what", "type": "invalid_request_error", "param": None, "code": code}}
    )
    assert type(made).__name__ == name
    assert (made.status, made.message) == (status, "what")
    retryable = status in (408, 409, 500, 503, 504) or name == "RateLimitError"
    assert made.is_retryable is retryable


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("server_error", "ServerError"),
        ("rate_limit_exceeded", "RateLimitError"),
        ("insufficient_quota", "QuotaExceededError"),
        ("context_length_exceeded", "ContextLengthExceededError"),
        ("server_is_overloaded", "OverloadedError"),
        ("invalid_request_error", "InvalidRequestError"),
        ("something_new", "ProviderError"),
    ],
)
def test_inside_a_stream_only_the_code_decides(kind, name):
    made = error(Failure(in_stream=True, data={"error": {"message": "what", "type": kind, "code": None}}))
    assert type(made).__name__ == name


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": "what"}, "what"),
        ({"error": "what", "error_type": "validation"}, "what"),
        ({"error": ["what", "and what"]}, "what; and what"),
        ({"code": "odd", "error": "what"}, "what"),
        ({"detail": "what"}, "what"),
        ({"detail": [{"loc": ["body"], "msg": "what"}]}, "what"),
        ({"message": "what", "code": 400}, "what"),
        ([{"error": {"message": "what"}}], "what"),
        ({"error": {"message": "what", "metadata": {"raw": "upstream"}}}, "what: upstream"),
        (b"what", "what"),
    ],
)
def test_the_forms_of_bodies(body, message):
    made = failed(400, body)
    assert type(made).__name__ == "InvalidRequestError"
    assert made.message == message


def test_messages_of_servers_without_codes():
    assert (
        type(failed(400, {"error": "This model's maximum prompt length is 9 but"})).__name__
        == "ContextLengthExceededError"
    )
    assert (
        type(failed(400, {"error": "Incorrect API key provided: in***ey."})).__name__ == "AuthenticationError"
    )
    assert type(failed(402, {"error": {"message": "Insufficient Balance"}})).__name__ == "QuotaExceededError"
    llama = {"error": {"code": 400, "message": "too long", "type": "exceed_context_size_error"}}
    assert type(failed(400, llama)).__name__ == "ContextLengthExceededError"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry-after-ms": "1500"}, 1.5), ({"Retry-After": "20"}, 20.0), ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0), ({}, None)],
)  # fmt: skip
def test_how_long_to_wait(headers, seconds):
    limited = {"error": {"message": "slow", "code": "rate_limit_exceeded"}}
    assert failed(429, limited, headers).retry_after == seconds


@pytest.mark.parametrize(
    ("said", "status", "expected"), [("false", 500, False), ("true", 400, True), ("false", 408, False)]
)
def test_the_service_may_decide_about_a_retry(said, status, expected):
    assert failed(status, {"error": {"message": "what"}}, {"x-should-retry": said}).is_retryable is expected


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcdefABCDEF0123. You can find yours elsewhere.",
        "Authentication Fails, Your api key: sk-abcdefABCDEF0123 is invalid",
        "the key gsk_abcdefABCDEF0123 is revoked",
    ],
)
def test_keys_that_a_service_repeats_are_not_shown(text):
    made = failed(401, {"error": {"message": text, "code": "invalid_api_key"}})
    assert "abcdef" not in str(made) + repr(made)
    assert isinstance(made, jackfield.AuthenticationError)
    assert made.message.startswith(text[:8])


def test_an_exception_without_an_answer_is_left_to_the_core():
    assert error(Failure(exception=OSError("gone"))) is None
