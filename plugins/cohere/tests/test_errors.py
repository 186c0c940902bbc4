"""What failures mean. Texts are those of Cohere's page of errors, 2026-08-20."""

import orjson
import pytest

from jackfield import (
    AuthenticationError,
    ConnectionFailedError,
    ContentFilteredError,
    ContextLengthExceededError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    TimeoutError as OurTimeoutError,
)
from jackfield.plugin import Failure, Headers
from jackfield_cohere import error

ALL = [
    (
        400,
        "too many tokens: total number of tokens in the prompt cannot exceed 4081",
        ContextLengthExceededError,
        False,
    ),
    (400, "the total number of tokens in the prompt cannot exceed 4081", ContextLengthExceededError, False),
    (400, "input exceeds the maximum context length of the model", ContextLengthExceededError, False),
    (400, "invalid request: message must be at least 1 token long", InvalidRequestError, False),
    (400, "blocked output: this generation may be potentially unsafe", ContentFilteredError, False),
    (401, "no api key supplied", AuthenticationError, False),
    (401, "invalid api token", AuthenticationError, False),
    (402, "Please add or update your payment method", QuotaExceededError, False),
    (403, "forbidden", PermissionDeniedError, False),
    (404, "model 'x' not found, make sure the correct model ID was used", NotFoundError, False),
    (404, "404 page not found", NotFoundError, False),
    (422, "unprocessable", InvalidRequestError, False),
    (429, "You are using a Trial key, which is limited to 40 API calls / minute.", RateLimitError, True),
    (429, "trial token rate limit exceeded, limit is 100000 tokens per minute", RateLimitError, True),
    (
        429,
        "You are using a Trial key, which is limited to 1000 API calls / month.",
        QuotaExceededError,
        False,
    ),
    (498, "invalid token", AuthenticationError, False),
    (499, "request cancelled by user", ConnectionFailedError, False),
    (500, "internal server error", ServerError, True),
    (501, "not implemented", ServerError, False),
    (503, "service unavailable", OverloadedError, True),
    (504, "gateway timeout", OurTimeoutError, True),
]


@pytest.mark.parametrize(("status", "text", "kind", "retryable"), ALL)
def test_every_error_of_the_page(status, text, kind, retryable):
    found = error(Failure(status=status, body=orjson.dumps({"id": "a", "message": text})))

    assert type(found) is kind
    assert found.message == text
    assert (found.status, found.is_retryable) == (status, retryable)


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"message": "boom", "finish_reason": "ERROR"}, ServerError),
        ({"message": "slow", "finish_reason": "TIMEOUT"}, OurTimeoutError),
        ({"message": "too many tokens: 5", "finish_reason": "ERROR"}, ContextLengthExceededError),
        (
            {"message": "x", "finish_reason": "ERROR", "error_type": "INVALID_TOOL_GENERATION"},
            InvalidRequestError,
        ),
        ({"err": "boom"}, ProviderError),
    ],
)
def test_errors_inside_an_answer(told, kind):
    found = error(Failure(status=200, in_stream=True, data=told))

    assert type(found) is kind
    assert found.message == told.get("message", told.get("err"))
    assert found.status == 200


def test_when_to_come_back(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.25)

    def waited(**headers):
        named = Headers({name.replace("_", "-"): value for name, value in headers.items()})
        return error(Failure(status=429, headers=named, body=b'{"message":"slow"}')).retry_after

    assert waited(retry_after="7", x_ratelimit_reset="1") == 7
    assert waited(x_ratelimit_reset="1800000010") == 9.75
    assert waited(x_ratelimit_reset="1") == 0
    assert waited(x_ratelimit_reset="soon") is None
    assert waited(x_ratelimit_reset="²") is None
    assert waited(x_ratelimit_reset="9" * 5000) is None
    assert waited() is None


def test_keys_are_masked():
    found = error(Failure(status=401, body=b'{"message":"Incorrect API key provided: abcDEF123."}'))

    assert found.message == "Incorrect API key provided: ***."


def test_what_is_no_json():
    assert type(error(Failure(status=502, body=b"<html>"))) is ServerError
    assert type(error(Failure(status=401, body=b'["x"]'))) is AuthenticationError
    assert error(Failure(exception=OSError("x"))) is None
