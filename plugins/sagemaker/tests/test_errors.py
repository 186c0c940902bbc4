"""Map failures to errors."""

import json

import pytest

from jackfield.plugin import Failure, Headers
from jackfield_sagemaker._errors import error


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "InvalidRequestError"), (401, "AuthenticationError"), (404, "NotFoundError"), (408, "TimeoutError"),
        (422, "InvalidRequestError"), (429, "RateLimitError"), (500, "ServerError"), (503, "OverloadedError"),
        (504, "TimeoutError"), (None, "ServerError"), ("x", "ServerError"), (200, "ServerError"),
    ],
)  # fmt: skip
def test_a_containers_own_status_says_what_its_error_is(status, name):
    said = {"Message": "Received server error", "OriginalMessage": "boom", "OriginalStatusCode": status}
    head = Headers({"x-amzn-errortype": "ModelError"})
    made = error(Failure(424, head, json.dumps(said).encode()))
    assert (type(made).__name__, made.status, made.message) == (name, 424, "boom")


@pytest.mark.parametrize("status", [None, 500, 503, "503", 200])
@pytest.mark.parametrize(
    "words",
    [
        "Model m is currently loading",
        "The model is still loading; try again later",
        "Model is not ready yet: not ready",
        "No worker is available to serve request for model: m",
        "The model is not yet loaded",
        "The container is warming up",
    ],
)
def test_a_container_that_is_not_ready_is_asked_again(status, words):
    said = {
        "Message": "Received server error",
        "OriginalMessage": json.dumps({"error": words}),
        "OriginalStatusCode": status,
    }
    made = error(Failure(424, Headers({"x-amzn-errortype": "ModelError"}), json.dumps(said).encode()))
    assert (type(made).__name__, made.message, made.is_retryable) == ("OverloadedError", words, True)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("503", "OverloadedError"),
        ("429", "RateLimitError"),
        (429.0, "RateLimitError"),
        ("400", "InvalidRequestError"),
    ],
)
def test_a_status_may_be_written_as_text(status, name):
    said = {"OriginalMessage": "boom", "OriginalStatusCode": status, "Message": "Received"}
    made = error(Failure(424, Headers({"x-amzn-errortype": "ModelError"}), json.dumps(said).encode()))
    assert type(made).__name__ == name


def test_an_endpoint_that_is_not_ready_is_asked_again():
    made = error(
        Failure(429, Headers({"x-amzn-errortype": "ModelNotReadyException"}), b'{"Message": "not ready"}')
    )
    assert (type(made).__name__, made.is_retryable) == ("OverloadedError", True)
