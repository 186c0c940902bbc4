"""Failures of endpoints. The bodies are written by us from the documented forms."""

from __future__ import annotations

import json

import pytest

import jackfield_azure_llm as azure
from jackfield.plugin import Failure, Headers


def error(status, body, **headers):
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    named = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return azure.jackfield_error(Failure(status=status, headers=named, body=raw))


UNKNOWN = {
    "error": "Unprocessable Entity",
    "message": "One of the parameters contains invalid values.",
    "status": 422,
    "detail": {"loc": ["body", "response_format", "type"], "input": "json_object"},
}


@pytest.mark.parametrize(
    ("status", "body", "kind", "retryable"),
    [
        (400, {"error": {"code": "content_filter", "message": "Blocked."}}, "ContentFilteredError", False),
        (401, {"error": {"code": "401", "message": "Access denied."}}, "AuthenticationError", False),
        (401, "Unauthorized", "AuthenticationError", False),
        (404, {"error": {"code": "unknown_model", "message": "Unknown model: x"}}, "NotFoundError", False),
        (404, "Not found", "NotFoundError", False),
        (408, "upstream request timeout", "TimeoutError", True),
        (422, UNKNOWN, "InvalidRequestError", False),
        (
            422,
            {"detail": [{"loc": ["body", "n"], "msg": "extra fields not permitted"}]},
            "InvalidRequestError",
            False,
        ),
        (424, "model failed", "ServerError", False),
        (429, "Too many requests", "RateLimitError", True),
        (503, "", "OverloadedError", True),
    ],
)
def test_errors_are_classed(status, body, kind, retryable):
    made = error(status, body)
    assert type(made).__name__ == kind
    assert made.status == status
    assert made.is_retryable is retryable


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (UNKNOWN, "One of the parameters contains invalid values. (parameter response_format.type)"),
        (
            {"detail": [{"loc": ["body", "n"], "msg": "extra fields not permitted"}]},
            "extra fields not permitted (parameter n)",
        ),
        ({"message": "No.", "detail": "plain"}, "No."),
        ("plain text", "plain text"),
    ],
)
def test_the_rejected_parameter_is_named(body, message):
    assert error(422, body).message == message


def test_a_failed_container_is_reported_with_its_reason():
    named = {"ms_azureml_model_error_statuscode": "500", "ms_azureml_model_error_reason": "model_error"}
    made = error(424, "boom", **named)
    assert made.message == "the model's container failed with 500: model_error"
    assert not made.is_retryable
    passing = error(424, "busy", ms_azureml_model_error_statuscode="429", retry_after="3")
    assert passing.is_retryable
    assert passing.retry_after == 3
    assert "busy" in passing.message


def test_the_models_own_reason_is_in_the_message():
    assert (
        "too many requests waiting"
        in error(429, "", ms_azureml_model_error_reason="too many requests waiting").message
    )
