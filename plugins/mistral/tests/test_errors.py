"""Every failure of the provider's page, and its error."""

from __future__ import annotations

import json

import pytest

import jackfield_mistral as mistral
from jackfield import (
    AuthenticationError,
    ContentFilteredError,
    ContextLengthExceededError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    TimeoutError,
)
from jackfield.plugin import Failure, Headers


def named(message, kind="t", code=None, **more):
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code, **more}


def failed(status, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return mistral.jackfield_error(Failure(status=status, headers=Headers(headers), body=data))


FIELD = [
    {
        "type": "extra_forbidden",
        "loc": ["body", "user"],
        "msg": "Extra inputs are not permitted",
        "input": "x",
    }
]
LONG = (
    "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length"
)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, named(LONG, "invalid_request_error", "3051"), ContextLengthExceededError),
        (400, named("Input id 0 has 9000 tokens, exceeding max 8192 tokens."), ContextLengthExceededError),
        (400, named("Too many tokens overall, split into more batches.", code="3210"), InvalidRequestError),
        (400, named("Logprobs are not enabled for this model", "invalid_request_invalid_args", "3051"), InvalidRequestError),
        (400, named("Tool call id was x but must be a-z, A-Z, 0-9", "invalid_function_call", "3280"), InvalidRequestError),
        (400, named("Invalid model: x", "invalid_model", "1500"), NotFoundError),
        (401, {"message": "Unauthorized", "request_id": "r"}, AuthenticationError),
        (401, {"detail": "Invalid API Key"}, AuthenticationError),
        (402, named("Payment required"), QuotaExceededError),
        (403, {"message": "Not on your tier", "request_id": "r"}, PermissionDeniedError),
        (403, named("Blocked by guardrail: violence", "guardrail"), ContentFilteredError),
        (404, named("model retired"), NotFoundError),
        (404, {"message": "no Route matched with those values"}, NotFoundError),
        (422, {"detail": FIELD}, InvalidRequestError),
        (422, named({"detail": FIELD}, "invalid_request_error"), InvalidRequestError),
        (429, named("Rate limit exceeded", "rate_limited", "1300"), RateLimitError),
        (429, {"message": "Requests rate limit exceeded"}, RateLimitError),
        (429, named("Monthly limit exceeded"), QuotaExceededError),
        (500, named("Internal", "internal_server_error", "1000"), ServerError),
        (502, b"<html>Bad gateway</html>", ServerError),
        (503, named("Unreachable", "unreachable_backend", "1100"), OverloadedError),
        (504, {"message": "Gateway timeout"}, TimeoutError),
    ],
)  # fmt: skip
def test_failures_are_classed(status, body, kind):
    made = failed(status, body)
    assert type(made) is kind
    assert made.status == status
    assert made.is_retryable == (kind in (RateLimitError, ServerError, OverloadedError, TimeoutError))


@pytest.mark.parametrize("body", [{"detail": FIELD}, named({"detail": FIELD})])
def test_invalid_fields_are_reported_with_their_place(body):
    assert failed(422, body).message == "body.user: Extra inputs are not permitted"


def test_the_services_own_word_is_the_code():
    assert failed(400, named("x", "invalid_model", "1500")).code == "1500"
    assert failed(400, named("x", "invalid_model")).code == "invalid_model"
    assert failed(401, {"detail": "Unauthorized"}).code is None


def test_the_delay_before_a_retry_is_read():
    assert failed(429, named("Slow down"), **{"retry-after": "7"}).retry_after == 7


def test_inside_a_stream_the_status_is_in_the_body():
    body = named("Busy", "unreachable_backend", "1100", raw_status_code=503)
    made = mistral.jackfield_error(Failure(status=200, body=b"", in_stream=True, data=body))
    assert (type(made), made.status) == (OverloadedError, 200)
    limited = named("Rate limit exceeded", "rate_limited", "1300")
    made = mistral.jackfield_error(Failure(status=200, body=b"", in_stream=True, data=limited))
    assert type(made) is RateLimitError


def test_an_exception_without_a_response_is_left_to_the_core():
    assert mistral.jackfield_error(Failure(exception=OSError("gone"))) is None
