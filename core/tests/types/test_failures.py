"""What a failure becomes: an error of a class that the plugin names, or of its status."""

import datetime as dt
import email.utils

import pytest

import jackfield
from jackfield._types.failures import error_from_status, failure_message
from jackfield._types.waits import retry_after_seconds
from jackfield._types.wire import Headers
from jackfield.plugin import Failure

TABLE = {
    400: ("InvalidRequestError", False),
    401: ("AuthenticationError", False),
    402: ("QuotaExceededError", False),
    403: ("PermissionDeniedError", False),
    404: ("NotFoundError", False),
    405: ("NotFoundError", False),
    408: ("TimeoutError", True),
    409: ("InvalidRequestError", True),
    413: ("InvalidRequestError", False),
    418: ("ProviderError", False),
    422: ("InvalidRequestError", False),
    429: ("RateLimitError", True),
    498: ("AuthenticationError", False),
    499: ("ConnectionFailedError", False),
    500: ("ServerError", True),
    501: ("ServerError", False),
    502: ("ServerError", True),
    503: ("OverloadedError", True),
    504: ("TimeoutError", True),
    520: ("ServerError", True),
    524: ("TimeoutError", True),
    529: ("OverloadedError", True),
}


@pytest.mark.parametrize("status", TABLE)
def test_the_table(status):
    failure = Failure(
        status=status, headers=Headers({"retry-after": "3"}), body=b'{"error": {"message": "why"}}'
    )
    error = error_from_status(failure, code="x")
    assert (type(error).__name__, error.is_retryable) == TABLE[status]
    assert type(error) is getattr(jackfield, TABLE[status][0])
    assert (error.status, error.body, error.retry_after, error.code) == (status, failure.body, 3.0, "x")
    assert error.message == "why"
    if isinstance(error, jackfield.TimeoutError):
        assert error.phase == "server"


def test_a_redirect_says_where_to():
    error = error_from_status(Failure(status=308, headers=Headers({"Location": "https://new/"})))
    assert "https://new/" in str(error)
    assert not error.is_retryable


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b'{"error": {"message": "a"}}', "a"),
        (b'{"error": "b"}', "b"),
        (b'{"message": "c"}', "c"),
        (b'{"Message": "d"}', "d"),
        (b'{"detail": "e"}', "e"),
        (b'{"error": {"error": {"message": "f"}}}', "f"),
        (b'{"error": {"code": 3}}', '{"error": {"code": 3}}'),
        (b'{"error": null, "message": "g"}', "g"),
        (b'["h"]', '["h"]'),
        (b"plain words", "plain words"),
        (b"\xff bytes", "\ufffd bytes"),
        (b"", "the service answered with status 500 and no explanation"),
    ],
)
def test_the_reason_is_found_in_the_usual_places(body, wanted):
    assert failure_message(Failure(status=500, body=body)) == wanted


def test_a_page_is_not_repeated_and_a_long_text_is_cut():
    assert "base_url" in failure_message(Failure(status=404, body=b"<html>..."))
    assert len(failure_message(Failure(status=500, body=b"x" * 10_000))) == 500


def date(seconds):
    when = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    return email.utils.format_datetime(when, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 0.5 "}, 0.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "Retry-After": "7"}, 0.25),
        ({"retry-after-ms": "x", "Retry-After": "7"}, 7.0),
        ({"Retry-After": date(-60)}, 0.0),
        ({"Retry-After": "Wed, 99 Nov 2026"}, None),
        ({"Retry-After": "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 99999999999999999999:28:00 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 +99999999999999999999"}, None),
        ({"Retry-After": "9" * 5000}, None),
        ({"Retry-After": "²"}, None),
    ],
)
def test_how_long_a_service_wants_to_be_left_alone(headers, wanted):
    assert retry_after_seconds(Headers(headers)) == wanted


def test_a_date_is_counted_from_now():
    assert 28 < retry_after_seconds(Headers({"Retry-After": date(30)})) <= 30


def test_a_failure_becomes_an_error_of_a_class_with_all_that_came():
    body = b'{"error": {"message": "41 tokens are more than 32"}}'
    failure = Failure(status=400, headers=Headers({"retry-after": "7"}), body=body)
    error = failure.error(jackfield.ContextLengthExceededError, code="too_long")
    assert type(error) is jackfield.ContextLengthExceededError
    assert (error.message, error.status, error.code) == ("41 tokens are more than 32", 400, "too_long")
    assert (error.body, error.headers, error.retry_after) == (body, failure.headers, 7)
    assert not error.is_retryable
    assert failure.error(jackfield.ServerError, "own words").message == "own words"
    assert failure.error(jackfield.ContextLengthExceededError, retryable=True).is_retryable


def test_without_a_class_the_status_decides():
    failure = Failure(status=429, headers=Headers({"retry-after": "7"}), body=b"slow down")
    error = failure.error(message="own words", code="limit")
    assert type(error) is jackfield.RateLimitError
    assert (error.message, error.code, error.retry_after) == ("own words", "limit", 7)
    assert failure.error().message == "slow down"
