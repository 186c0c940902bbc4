"""Every error of the API becomes one of ours."""

import json

import pytest

from jackfield.plugin import Failure, Headers
from jackfield_anthropic import error

PAGE = [
    (400, "invalid_request_error", "max_tokens: too large", None, "InvalidRequestError", False),
    (400, "invalid_request_error", "prompt is too long: 2 tokens > 1 maximum", None, "ContextLengthExceededError", False),
    (400, "invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 2 > 2", None,
     "ContextLengthExceededError", False),
    (400, "invalid_request_error", "invalid params, context window exceeds limit (2013)", None, "ContextLengthExceededError", False),
    (400, "invalid_request_error", "Invalid request: Your request exceeded model token limit: 1", None,
     "ContextLengthExceededError", False),
    (400, "invalid_request_error", "This model's maximum context length is 131072 tokens.", None,
     "ContextLengthExceededError", False),
    (400, "invalid_request_error", "image exceeds 5 MB maximum", None, "InvalidRequestError", False),
    (400, "invalid_request_error", "Your credit balance is too low to access the API", None, "QuotaExceededError", False),
    (400, "invalid_request_error", "You have reached your specified API usage limits.", None, "QuotaExceededError", False),
    (401, "authentication_error", "invalid x-api-key", None, "AuthenticationError", False),
    (402, "billing_error", "Pay.", None, "QuotaExceededError", False),
    (403, "permission_error", "No.", None, "PermissionDeniedError", False),
    (404, "not_found_error", "model: x", None, "NotFoundError", False),
    (408, "invalid_request_error", "Too slow.", None, "TimeoutError", True),
    (409, "conflict_error", "Again.", None, "InvalidRequestError", True),
    (413, "request_too_large", "Too large.", None, "InvalidRequestError", False),
    (429, "rate_limit_error", "Slow down.", None, "RateLimitError", True),
    (429, "rate_limit_error", "Spent.", "enforced_spend_limit_reached", "QuotaExceededError", False),
    (429, "rate_limit_error", "Spent.", "contract_spend_limit_reached", "QuotaExceededError", False),
    (429, "rate_limit_error", "Growing.", "ramp_limit_exceeded", "RateLimitError", True),
    (499, "api_error", "Gone.", None, "ConnectionFailedError", False),
    (500, "api_error", "Oh.", None, "ServerError", True),
    (503, "api_error", "No key.", "cmek_context_unavailable", "ServerError", True),
    (504, "timeout_error", "Too slow.", None, "TimeoutError", True),
    (529, "overloaded_error", "Overloaded", None, "OverloadedError", True),
]  # fmt: skip


def body_of(word, message, code):
    inner = {"type": word, "message": message, "details": code and {"error_code": code}}
    return {"type": "error", "error": inner, "request_id": "req_1"}


@pytest.mark.parametrize(("status", "word", "message", "code", "kind", "retryable"), PAGE)
def test_errors_of_the_api(status, word, message, code, kind, retryable):
    headers = Headers({"retry-after": "7", "request-id": "req_1"})
    made = error(Failure(status, headers, json.dumps(body_of(word, message, code)).encode()))
    assert type(made).__name__ == kind
    assert (made.status, made.code, made.message) == (status, code or word, message)
    assert (made.is_retryable, made.retry_after) == (retryable, 7.0)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("overloaded_error", "OverloadedError"), ("rate_limit_error", "RateLimitError"), ("api_error", "ServerError"),
        ("timeout_error", "TimeoutError"), ("authentication_error", "AuthenticationError"),
        ("invalid_request_error", "InvalidRequestError"), ("billing_error", "QuotaExceededError"),
        ("of_tomorrow", "ProviderError"),
    ],
)  # fmt: skip
def test_in_a_stream_the_type_decides(word, kind):
    made = error(Failure(200, in_stream=True, data=body_of(word, "Oh.", None)))
    assert (type(made).__name__, made.status) == (kind, 200)


def test_the_service_may_say_whether_to_try_again():
    data = body_of("overloaded_error", "Oh.", None)
    assert error(Failure(529, Headers({"x-should-retry": "false"}), data=data)).is_retryable is False
    data = body_of("invalid_request_error", "prompt is too long", None)
    assert error(Failure(400, Headers({"x-should-retry": "true"}), data=data)).is_retryable is True


@pytest.mark.parametrize(
    "data", [None, [], {}, {"error": "x"}, {"error": {"type": ["a"], "message": 5, "details": 1}}]
)
def test_bodies_of_other_forms_are_classed_by_status(data):
    assert type(error(Failure(403, data=data))).__name__ == "PermissionDeniedError"


def test_an_exception_without_an_answer_is_left_to_the_core():
    assert error(Failure(exception=OSError("x"))) is None


def test_a_key_in_a_message_is_masked():
    made = error(Failure(401, data=body_of("authentication_error", "bad key sk-ant-api03-abcDEF_1", None)))
    assert made.message == "bad key sk-ant-***"
