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
