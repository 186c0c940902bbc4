"""Bodies of errors in the forms of services, gateways and web frameworks: the field's name, the words, the code, the wait."""

from __future__ import annotations

import json
import time
from email.utils import formatdate

import pytest

from jackfield.http import failure_message
from jackfield.plugin import Failure, Headers, is_error_body, read_error_body

BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


def said(body, status=400):
    return failure_message(
        Failure(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode())
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({"detail": "Not Found"}, "Not Found", id="FastAPI, text"),
        pytest.param(
            {
                "detail": [
                    {
                        "type": "less_than",
                        "loc": ["body", "temperature"],
                        "msg": "Input should be less than 2",
                        "input": 3,
                    },
                    {"type": "missing", "loc": ["body", "messages", 0, "role"], "msg": "Field required"},
                ]
            },
            "temperature: Input should be less than 2; messages.0.role: Field required",
            id="FastAPI, fields",
        ),
        pytest.param(
            {"detail": [{"loc": ["body"], "msg": "no JSON"}]}, "no JSON", id="FastAPI, the body itself"
        ),
        pytest.param(
            {"message": {"detail": [{"loc": ["query", "n"], "msg": "too big"}]}},
            "query.n: too big",
            id="FastAPI, nested",
        ),
        pytest.param(
            {
                "timestamp": "2026-01-01",
                "status": 404,
                "error": "Not Found",
                "message": "No resource v1",
                "path": "/v1",
            },
            "No resource v1",
            id="Spring Boot",
        ),
        pytest.param(
            {"timestamp": "2026-01-01", "status": 500, "error": "Internal Server Error", "path": "/v1"},
            "Internal Server Error",
            id="Spring Boot without a message",
        ),
        pytest.param(
            {
                "type": "https://example.com/credit",
                "title": "No credit.",
                "status": 403,
                "detail": "Your balance is 30.",
            },
            "No credit: Your balance is 30.",
            id="RFC 9457",
        ),
        pytest.param(
            {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "n is not valid"},
            "n is not valid",
            id="RFC 9457, a title that is the status",
        ),
        pytest.param(
            {"title": "Not valid.", "invalid-params": [{"name": "age", "reason": "must be positive"}]},
            "Not valid.; age: must be positive",
            id="RFC 7807, parameters",
        ),
        pytest.param(
            {"title": "Not valid.", "errors": [{"detail": "must be positive", "pointer": "#/profile/age"}]},
            "Not valid.; profile.age: must be positive",
            id="RFC 9457, pointers",
        ),
        pytest.param(
            {
                "title": "One or more errors",
                "status": 400,
                "errors": {"model": ["The field is required."], "n": ["Max 1"]},
            },
            "One or more errors; model: The field is required.; n: Max 1",
            id="ASP.NET Core",
        ),
        pytest.param({"message": "Forbidden"}, "Forbidden", id="API Gateway"),
        pytest.param(
            {"Message": "User is not authorized"}, "User is not authorized", id="API Gateway, authorizer"
        ),
        pytest.param({"Error": {"Code": "X", "Message": "Capital"}}, "Capital", id="AWS, query protocol"),
        pytest.param(
            {
                "error": {
                    "code": 429,
                    "message": "Quota exceeded",
                    "details": [{"@type": ERROR_INFO, "reason": "RATE_LIMIT"}],
                }
            },
            "Quota exceeded",
            id="Google",
        ),
        pytest.param(
            {
                "error": {
                    "code": 400,
                    "message": "Invalid argument.",
                    "details": [
                        {
                            "@type": BAD_REQUEST,
                            "fieldViolations": [{"field": "top_k", "description": "must be > 0"}],
                        }
                    ],
                }
            },
            "Invalid argument.; top_k: must be > 0",
            id="Google, fields",
        ),
        pytest.param(
            {"message": "API rate limit exceeded", "request_id": "4711"}, "API rate limit exceeded", id="Kong"
        ),
        pytest.param(
            {"statusCode": 401, "message": "Access denied"}, "Access denied", id="Azure API Management"
        ),
        pytest.param(
            {
                "error": {
                    "code": "BadRequest",
                    "message": "Many",
                    "details": [{"code": "Null", "target": "Phone", "message": "No"}],
                }
            },
            "Many; No (parameter Phone)",
            id="Azure",
        ),
        pytest.param(
            {
                "error": {
                    "message": 'litellm.BadRequestError: OpenAIException - {"error": {"message": "n is too large"}}'
                }
            },
            "litellm.BadRequestError: OpenAIException: n is too large",
            id="LiteLLM, JSON in the message",
        ),
        pytest.param(
            {
                "error": {
                    "message": 'litellm: VertexAIException - b\'{\\n "error": {"message": "too long"}}\''
                }
            },
            "litellm: VertexAIException: too long",
            id="LiteLLM, bytes in the message",
        ),
        pytest.param(
            {
                "error": {
                    "message": "Provider returned error",
                    "metadata": {"raw": '{"error": {"message": "no such tool"}}'},
                }
            },
            "Provider returned error: no such tool",
            id="OpenRouter",
        ),
        pytest.param({"error": "model 'x' not found"}, "model 'x' not found", id="Ollama"),
        pytest.param({"object": "error", "message": "too long", "code": 400}, "too long", id="vLLM"),
        pytest.param(
            {"error": "`inputs` must be shorter", "error_type": "validation"},
            "`inputs` must be shorter",
            id="TGI",
        ),
        pytest.param(
            {"errors": [{"message": "No such model", "code": 5007}], "success": False},
            "No such model",
            id="Cloudflare",
        ),
        pytest.param({"errors": ["first", "second"]}, "first; second", id="a list of texts"),
        pytest.param(
            {"message": "Failed", "errors": {"email": ["taken"]}}, "Failed; email: taken", id="Laravel"
        ),
        pytest.param(
            {"temperature": ["must be a number"]}, "temperature: must be a number", id="Django REST"
        ),
        pytest.param(
            {"error": "Bad Request", "message": ["n must be 1", "k must be 2"]},
            "n must be 1; k must be 2",
            id="NestJS",
        ),
        pytest.param(
            {"error": "invalid_client", "error_description": "wrong secret"}, "wrong secret", id="OAuth"
        ),
        pytest.param(
            {"fault": {"faultstring": "Quota violated", "detail": {"errorcode": "x.y"}}},
            "Quota violated",
            id="Apigee",
        ),
        pytest.param(
            {"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, "login fail", id="MiniMax"
        ),
        pytest.param({"code": 40001, "msg": "bad key"}, "bad key", id="msg"),
        pytest.param(
            {"error": {"message": "Not valid", "param": "top_p"}},
            "Not valid (parameter top_p)",
            id="OpenAI, param",
        ),
        pytest.param(
            {"error": {"message": "top_p is wrong", "param": "top_p"}},
            "top_p is wrong",
            id="OpenAI, param named",
        ),
        pytest.param({"error": True, "message": "flagged"}, "flagged", id="a flag"),
        pytest.param([{"error": {"message": "in a list"}}], "in a list", id="a list"),
        pytest.param("only a text", "only a text", id="a JSON text"),
        pytest.param({"a": 1}, '{"a": 1}', id="nothing known"),
        pytest.param(b"no healthy upstream", "no healthy upstream", id="Envoy"),
        pytest.param(
            b"<?xml version='1.0'?><Error><Code>No</Code><Message>Denied</Message></Error>",
            "Denied",
            id="XML",
        ),
    ],
)
def test_the_words_and_the_fields_are_found(body, message):
    assert said(body) == message


@pytest.mark.parametrize(
    ("status", "page", "words"),
    [
        (502, ("<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center>"
              "<hr><center>nginx/1.25.3</center></body></html>"), "502 Bad Gateway"),
        (522, "<!DOCTYPE html><head><title>api.example.com | 522: Connection timed out</title></head>",
         "522: Connection timed out"),
        (403, "<html><body><h1 class='x'>Request <b>blocked</b> &amp; logged</h1><p>Ray 17</p></body></html>",
         "Request blocked & logged"),
        (500, "<html><script>var x;</script><body><p>Out of order</p></body></html>", "Out of order"),
    ],
)  # fmt: skip
def test_a_page_is_told_by_its_heading(status, page, words):
    message = said(page.encode(), status)
    assert "a page instead of data" in message
    assert words in message
    # Where a gateway says that the service is away, the address is right.
    assert ("base_url" in message) is (status < 500)


@pytest.mark.parametrize(
    ("body", "codes", "status"),
    [
        ({"error": {"code": "x", "type": "y", "message": "m"}}, ("x", "y"), None),
        (
            {"error": {"message": 'Up - {"error": {"code": "inner", "message": "m"}}', "code": "400"}},
            ("inner", "400"),
            400,
        ),
        (
            {"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}},
            ("429", "RESOURCE_EXHAUSTED"),
            429,
        ),
        ({"statusCode": 401, "message": "m"}, (), 401),
        ({"type": "https://example.com/x", "title": "t", "status": 403}, (), 403),
        ({"base_resp": {"status_code": 1004, "status_msg": "m"}}, ("1004",), None),
        ({"error": "invalid_client", "error_description": "m"}, ("invalid_client",), None),
    ],
)
def test_codes_and_status_are_found(body, codes, status):
    read = read_error_body(body)
    assert (read.codes, read.status) == (codes, status)


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"error": {"message": "m", "details": [{"@type": RETRY_INFO, "retryDelay": "13s"}]}}, 13),
        ({"message": "m", "details": [{"retry_delay": {"seconds": 4, "nanos": 500_000_000}}]}, 4.5),
        ({"error": {"message": "m", "retry_after": 3}}, 3),
        ({"retryAfterMs": 1500, "message": "m"}, 1.5),
        ({"error": "Model is loading", "estimated_time": 20.5}, 20.5),
        ({"error": {"message": "Rate limit reached. Please try again in 1.2s. Visit x"}}, 1.2),
        ({"error": {"message": "Please try again in 820ms."}}, 0.82),
        ({"error": {"message": "Please try again in 7m12s."}}, 432),
        ({"error": {"message": "Please try again in 1h2m3s."}}, 3723),
        ({"error": {"message": "Please retry after 20 seconds."}}, 20),
        ({"error": {"message": "Please wait 2 minutes and 5 seconds before you go on"}}, 125),
        ({"error": {"message": "Try again later; 3 of 5 requests"}}, None),
        ({"error": {"message": "This took 5 seconds"}}, None),
        (b"Too many. Retry after 5 seconds", 5),
        ({"error": {"message": "up", "metadata": {"raw": '{"error": {"message": "wait 7 seconds"}}'}}}, 7),
    ],
)
def test_the_wait_of_a_body(body, seconds):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    wait = Failure(status=429, body=body).retry_after
    assert wait == (None if seconds is None else pytest.approx(seconds))


def moment(form, seconds):
    return time.strftime(form, time.gmtime(time.time() + seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120),
        (
            {
                "Retry-After": formatdate(time.time() + 3600, usegmt=True),
                "Date": formatdate(time.time() + 3570, usegmt=True),
            },
            30,
        ),
        ({"Retry-After": "13s"}, 13),
        ({"Retry-After": "00:01:05"}, 65),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"retry-after-ms": "1500", "Retry-After": "7"}, 1.5),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
        ({"x-ratelimit-reset-requests": "20ms"}, 0.02),
        (
            {
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-requests": "1s",
            },
            360,
        ),
        ({"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "9"}, None),
        ({"ratelimit-reset": "4"}, 4),
        ({"RateLimit": '"default";r=0;t=5'}, 5),
        ({"RateLimit": "limit=10, remaining=0, reset=6"}, 6),
    ],
)
def test_the_wait_of_headers(headers, seconds):
    wait = Failure(status=429, headers=Headers(headers)).retry_after
    assert wait == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"Retry-After": formatdate(time.time() + 600, usegmt=True)},
        lambda: {"Retry-After": moment("%a %b %d %H:%M:%S %Y", 600)},  # asctime, which RFC 9110 has as well
        lambda: {"Retry-After": moment("%A, %d-%b-%y %H:%M:%S GMT", 600)},  # RFC 850
        lambda: {"x-ratelimit-reset": str(int(time.time() + 600))},
        lambda: {"x-ratelimit-reset": str(int((time.time() + 600) * 1000))},
        lambda: {"anthropic-ratelimit-tokens-reset": moment("%Y-%m-%dT%H:%M:%SZ", 600)},
    ],
)
def test_moments_are_in_utc(make, monkeypatch):
    headers = make()  # a busy machine runs the test long after it was collected
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        wait = Failure(status=429, headers=Headers(headers)).retry_after
    finally:
        monkeypatch.undo()
        time.tzset()
    assert wait is not None
    assert 500 < wait <= 601


def test_the_reset_of_a_limit_says_nothing_where_no_limit_was_hit():
    assert Failure(status=503, headers=Headers({"x-ratelimit-reset": "9"})).retry_after is None


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "m"}},
        {"error": "m"},
        {"object": "error", "message": "m"},
        {"type": "error", "error": {"type": "x"}},
        {"success": False, "errors": []},
        {"base_resp": {"status_code": 1004, "status_msg": "login fail"}, "choices": None},
        {"errors": [{"message": "m"}]},
        {"fault": {"faultstring": "m"}},
        {"Error": {"Message": "m"}},
        {"exception": {"message": "m"}},
        [{"error": {"message": "m"}}],
    ],
)
def test_what_is_an_error_for_certain(body):
    assert is_error_body(body)


@pytest.mark.parametrize(
    "body",
    [
        {"detail": "m"},
        {"code": 1, "message": "m"},
        {"code": "x", "msg": "m"},
        {"statusCode": 500, "message": "m"},
    ],
)
def test_what_is_an_error_if_there_is_no_answer(body):
    assert not is_error_body(body)
    assert is_error_body(body, refused=True)


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [], "error": None},
        {"choices": [], "error": {"code": 0, "message": ""}},
        {"choices": [], "base_resp": {"status_code": 0, "status_msg": "success"}},
        {"result": {}, "success": True, "errors": [], "messages": []},
        {"a": 1},
        3,
        None,
    ],
)
def test_what_is_no_error(body):
    assert not is_error_body(body)
    assert not is_error_body({"a": 1}, refused=True)


@pytest.mark.parametrize(
    "text", ["{" * 5000, "<" * 100_000, "retry " * 20_000, "7m" * 20_000, '{"a":' * 3000 + "1" + "}" * 3000]
)
def test_hostile_bodies_are_read_at_once(text):
    begun = time.process_time()
    for body in (text.encode(), json.dumps({"error": {"message": text}}).encode()):
        failure = Failure(status=429, body=body)
        assert failure_message(failure)
        assert failure.retry_after is None or failure.retry_after >= 0
    assert time.process_time() - begun < 2
