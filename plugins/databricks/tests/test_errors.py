"""Failures: codes and texts of Databricks."""

from __future__ import annotations

import json

import pytest

import jackfield_databricks as databricks
from jackfield import (
    AuthenticationError,
    ConnectionFailedError,
    ContentFilteredError,
    ContextLengthExceededError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    TimeoutError as JackfieldTimeout,
)
from jackfield.plugin import Failure, Headers


@pytest.mark.parametrize(
    ("status", "code", "text", "expected"),
    [
        (400, "BAD_REQUEST", "no such field", InvalidRequestError),
        (400, "INVALID_PARAMETER_VALUE", "prompt is too long: 210000 tokens > 200000 maximum", ContextLengthExceededError),
        (400, "BAD_REQUEST", "Input exceeds the maximum context length", ContextLengthExceededError),
        (400, "BAD_REQUEST", "input_guardrail_triggered", ContentFilteredError),
        (400, "INVALID_STATE", "the endpoint is stopped", InvalidRequestError),
        (401, "UNAUTHENTICATED", "expired", AuthenticationError),
        (401, 401, "Credential was not sent", AuthenticationError),
        (403, "PERMISSION_DENIED", "You may not", PermissionDeniedError),
        (403, 403, "Invalid access token.", AuthenticationError),
        (404, "RESOURCE_DOES_NOT_EXIST", "no endpoint", NotFoundError),
        (404, "ENDPOINT_NOT_FOUND", "no endpoint", NotFoundError),
        (409, "ABORTED", "busy", InvalidRequestError),
        (429, "REQUEST_LIMIT_EXCEEDED", "QPS", RateLimitError),
        (429, "RESOURCE_EXHAUSTED", "tokens", RateLimitError),
        (499, "CANCELLED", "cancelled", ConnectionFailedError),
        (500, "INTERNAL_ERROR", "oops", ServerError),
        (500, "DATA_LOSS", "oops", ServerError),
        (501, "NOT_IMPLEMENTED", "oops", ServerError),
        (503, "TEMPORARILY_UNAVAILABLE", "scaling from zero", OverloadedError),
        (504, "DEADLINE_EXCEEDED", "slow", JackfieldTimeout),
    ],
)  # fmt: skip
@pytest.mark.parametrize("in_stream", [False, True])
def test_errors_are_classed_by_code(status, code, text, expected, in_stream):
    if in_stream and code == 401:
        pytest.skip("inside a stream, a number does not come from the service")
    body = json.dumps({"error_code": code, "message": text}).encode()
    failure = Failure(status=200 if in_stream else status, body=body, in_stream=in_stream)
    error = databricks.jackfield_error(failure)
    assert type(error) is expected
    assert (error.status, error.code) == (failure.status, str(code))
    assert text in error.message


@pytest.mark.parametrize("name", ["error_msg", "detail", "msg"])
def test_the_words_are_found_under_other_names(name):
    body = json.dumps({"error_code": 18, name: "boom words"}).encode()
    assert "boom words" in databricks.jackfield_error(Failure(status=400, body=body)).message


def test_a_rejected_token_may_be_renewed():
    error = databricks.jackfield_error(
        Failure(status=403, body=b'{"error_code":403,"message":"Invalid access token."}')
    )
    assert error.refresh_credentials


def test_compatible_routes_fail_as_openai_does():
    body = b'{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}'
    assert isinstance(databricks.jackfield_error(Failure(status=400, body=body)), ContextLengthExceededError)


@pytest.mark.parametrize("delay", ["2.5s", {"seconds": 2, "nanos": 500_000_000}])
def test_the_delay_before_a_retry_is_read_from_the_details(delay):
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retry_delay": delay}]
    body = json.dumps({"error_code": "RESOURCE_EXHAUSTED", "message": "m", "details": details}).encode()
    assert databricks.jackfield_error(Failure(status=429, body=body)).retry_after == 2.5
    with_header = Failure(status=429, body=body, headers=Headers({"retry-after": "7"}))
    assert databricks.jackfield_error(with_header).retry_after == 7


@pytest.mark.parametrize("delay", [{"seconds": "soon"}, {"seconds": None}, {"seconds": 10**400}, "soon", [2]])
def test_a_pause_that_is_not_a_number_of_seconds_is_none(delay):
    failure = Failure(status=429, data={"error_code": "X", "details": [{"retry_delay": delay}]})
    assert databricks.jackfield_error(failure).retry_after is None


def test_tokens_are_not_shown():
    body = b'{"error_code":403,"message":"dapi0123456789abcdef may not, nor eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}'
    error = databricks.jackfield_error(Failure(status=403, body=body))
    assert "0123456789" not in str(error)
    assert "eyJ" not in repr(error)


def test_a_page_with_a_bad_status_is_described():
    error = databricks.jackfield_error(Failure(status=403, body=b"<html>Sign in</html>"))
    assert isinstance(error, PermissionDeniedError)
    assert "page instead of data" in error.message
