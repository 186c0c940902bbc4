"""Failures of Azure OpenAI. The bodies are written by us from the documented forms."""

from __future__ import annotations

import json

import pytest

import jackfield_azure_openai as azure
from jackfield.plugin import Failure, Headers


def error(status, body, **headers):
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    named = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return azure.jackfield_error(Failure(status=status, headers=named, body=raw))


def coded(code, message="No.", **more):
    return {"error": {"code": code, "message": message, **more}}


BLOCKED = {
    "error": {
        "message": "The response was filtered.",
        "code": "content_filter",
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {
                "hate": {"filtered": False, "severity": "safe"},
                "violence": {"filtered": True, "severity": "medium"},
                "jailbreak": {"filtered": True, "detected": True},
            },
        },
    }
}


@pytest.mark.parametrize(
    ("status", "body", "kind", "retryable"),
    [
        (400, BLOCKED, "ContentFilteredError", False),
        (400, coded(None, innererror={"code": "ResponsibleAIPolicyViolation"}), "ContentFilteredError", False),
        (400, coded("context_length_exceeded"), "ContextLengthExceededError", False),
        (400, coded("OperationNotSupported"), "InvalidRequestError", False),
        (401, {"statusCode": 401, "message": "Unauthorized. Access token is missing."}, "AuthenticationError", False),
        (401, coded("401"), "AuthenticationError", False),
        (401, coded("PermissionDenied", "The principal lacks the required data action."), "AuthenticationError", False),
        (403, coded("403", "Access denied due to Virtual Network/Firewall rules."), "PermissionDeniedError", False),
        (403, coded("Forbidden", "Your resource has been temporarily blocked."), "PermissionDeniedError", False),
        (404, coded("DeploymentNotFound"), "NotFoundError", False),
        (404, coded("404", "Resource not found"), "NotFoundError", False),
        (408, coded("Timeout", "The operation was timeout."), "TimeoutError", True),
        (429, coded("429", "Requests have exceeded token rate limit. Please retry after 20 seconds."), "RateLimitError", True),
        (429, coded("429", "The system is currently experiencing high demand."), "OverloadedError", True),
        (429, coded("NoCapacity", "The service is out of system capacity."), "OverloadedError", True),
        (429, coded("insufficient_quota"), "QuotaExceededError", False),
        (500, coded("InternalServerError"), "ServerError", True),
        (503, "Service unavailable", "OverloadedError", True),
        (502, "<html>Bad gateway</html>", "ServerError", True),
    ],
)  # fmt: skip
def test_errors_are_classed(status, body, kind, retryable):
    made = error(status, body)
    assert type(made).__name__ == kind
    assert made.status == status
    assert made.is_retryable is retryable


def test_the_message_names_what_the_filter_blocked():
    made = error(400, BLOCKED)
    assert made.message == "The response was filtered. (filtered: violence medium, jailbreak)"
    assert json.loads(made.body)["error"]["innererror"]["content_filter_result"]["hate"]["severity"] == "safe"


@pytest.mark.parametrize(
    ("message", "headers", "wait"),
    [
        ("Please retry after 86400 seconds.", {}, 86400),
        ("Rate limit is exceeded. Try again in 2 seconds.", {}, 2),
        ("Try again in 1 second.", {}, 1),
        ("Please retry after 500 milliseconds.", {}, 0.5),
        ("Please retry after 20 seconds.", {"retry_after": "7"}, 7),
        ("Please retry after 20 seconds.", {"retry_after_ms": "1500", "retry_after": "7"}, 1.5),
        ("Slow down.", {}, None),
    ],
)
def test_the_delay_is_read_from_headers_then_from_the_message(message, headers, wait):
    assert error(429, coded("429", message), **headers).retry_after == wait


def test_an_exception_without_an_answer_is_left_to_the_core():
    assert azure.jackfield_error(Failure(exception=OSError("gone"))) is None
