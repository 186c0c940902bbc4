"""Failures with bodies that no service documents: of gateways, proxies and load balancers on the way to it.

Whatever the body is, the class of an error is that of its status, its words are kept, and nothing else is raised.
"""

import itertools
import json
import pickle

from recordings import BY_STATUS

from jackfield import JackfieldError
from jackfield.http import error_from_status
from jackfield.plugin import Failure, Headers

__all__ = ["BODIES", "check_failures_in_streams", "check_failures_of_every_status"]

# 424 is not among them: what it means depends on the service.
STATUSES = {status: name for status, name in BY_STATUS.items() if status != 424}

BODIES = [
    b"",
    b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>",
    b"upstream connect error or disconnect/reset before headers",
    b"\xff\xfe\x00",
    b"x" * 100_000,
    b'{"error": {"mess',
    *(json.dumps(value).encode() for value in (
        None, 7, True, "boom", {}, ["boom"], [{"error": {"message": "boom"}}],
        {"error": None}, {"error": "boom"}, {"error": ["boom"]}, {"error": {"message": "boom"}},
        {"error": {"error": {"message": "boom"}}}, {"error": {"message": None, "code": None, "type": None}},
        {"error": {"message": "boom", "code": 13, "status": 5}},
        {"error": {"message": "boom", "code": ["a"], "type": {"a": 1}}, "code": ["x"], "type": {"y": 1}},
        {"error": {"message": "boom", "details": [None, 5, "x", {"@type": 5}], "innererror": {"code": 5}, "param": 5}},
        {"error": {"message": "boom", "details": "text", "innererror": 5}},
        {"message": "boom", "error_code": [1], "error_type": {"q": 1}, "__type": ["z"], "finish_reason": [1], "err": 5},
        {"message": "boom"}, {"message": ["boom"]}, {"message": {"detail": [{"msg": "boom"}]}}, {"Message": "boom"},
        {"detail": "boom"}, {"detail": [{"loc": ["body", "x"], "msg": "boom", "type": "missing"}]},
        {"errors": [{"message": "boom"}]}, {"Error": {"Code": "x", "Message": "boom"}},
        {"title": "boom", "status": "x", "type": "about:blank"},
        {"fault": {"faultstring": "boom", "detail": {"errorcode": "x"}}},
        {"OriginalStatusCode": "x", "OriginalMessage": 5, "LogStreamArn": 5, "ErrorCode": 5, "Message": 5},
    )),
]  # fmt: skip

HEADERS = [
    {},
    {"retry-after": "7"},
    {"retry-after": "soon"},
    {"x-ratelimit-reset": "x"},
    {"x-amzn-errortype": ""},
]


def check_failures_of_every_status(read):
    """Check a plugin's reading of every status with every body.

    Args:
        read: Gives the plugin's error for a failure; None leaves it to the core.
    """
    for (status, name), body, headers in itertools.product(STATUSES.items(), BODIES, HEADERS):
        failure = Failure(status, Headers(headers), body)
        made = read(failure) or error_from_status(failure)
        case = (status, body[:60], headers)
        assert (type(made).__name__, made.status, made.body) == (name, status, body), case
        assert made.is_retryable == (status in (408, 409, 429) or status >= 500), case
        assert made.retry_after == 7 or "retry-after" not in headers or headers["retry-after"] != "7", case
        assert isinstance(made.message, str), case
        assert 0 < len(made.message) <= 3_000, case
        assert b"boom" not in body or "boom" in made.message, case
        assert made.code is None or isinstance(made.code, str), case
        assert pickle.loads(pickle.dumps(made)).message == made.message


def check_failures_in_streams(read):
    """Check a plugin's reading of failures that came with a good status; they are read, or left to the core."""
    for body, status in itertools.product(BODIES, (200, None)):
        try:
            data = json.loads(body)
        except ValueError:
            data = None
        made = read(Failure(status, Headers(), body, in_stream=True, data=data))
        assert made is None or isinstance(made, JackfieldError)
