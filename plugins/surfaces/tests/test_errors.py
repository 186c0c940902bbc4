"""Errors in the words that clients act upon, and nothing in them that is not theirs."""

import json

import pytest
from reading_back import ask

import jackfield as jf
from jackfield_surfaces import SURFACES, SurfaceError

SECRET = "sk-secret https://internal.example"
CHAT, MESSAGES, RESPONSES = (
    SURFACES["openai.chat"],
    SURFACES["anthropic.messages"],
    SURFACES["openai.responses"],
)

# An error of Jackfield's; OpenAI's status, type and code; Anthropic's status and type.
TABLE = [
    (jf.InvalidRequestError("m"), 400, "invalid_request_error", None, 400, "invalid_request_error"),
    (
        jf.InvalidRequestError("m", status=413),
        413,
        "invalid_request_error",
        None,
        413,
        "invalid_request_error",
    ),
    (
        jf.InvalidRequestError("m", status=422),
        422,
        "invalid_request_error",
        None,
        422,
        "invalid_request_error",
    ),
    (
        jf.UnsupportedError("m"),
        400,
        "invalid_request_error",
        "unsupported_parameter",
        400,
        "invalid_request_error",
    ),
    (
        jf.ContextLengthExceededError("m"),
        400,
        "invalid_request_error",
        "context_length_exceeded",
        400,
        "invalid_request_error",
    ),
    (
        jf.ContentFilteredError("m"),
        400,
        "invalid_request_error",
        "content_filter",
        400,
        "invalid_request_error",
    ),
    (jf.UnknownTargetError("m"), 404, "invalid_request_error", "model_not_found", 404, "not_found_error"),
    (jf.NotFoundError("m"), 404, "invalid_request_error", "model_not_found", 404, "not_found_error"),
    (jf.ModelNotAllowedError("m"), 404, "invalid_request_error", "model_not_found", 403, "permission_error"),
    (jf.AuthenticationError("m"), 502, "server_error", "upstream_credentials", 502, "api_error"),
    (jf.PermissionDeniedError("m"), 502, "server_error", "upstream_credentials", 502, "api_error"),
    (jf.MissingCredentialError("m"), 502, "server_error", "upstream_credentials", 502, "api_error"),
    (jf.ConfigurationError("m"), 500, "server_error", None, 500, "api_error"),
    (jf.PluginError("m"), 500, "server_error", None, 500, "api_error"),
    (jf.RateLimitError("m"), 429, "requests", "rate_limit_exceeded", 429, "rate_limit_error"),
    (jf.QuotaExceededError("m"), 429, "insufficient_quota", "insufficient_quota", 429, "rate_limit_error"),
    (jf.OverloadedError("m"), 503, "server_error", "server_is_overloaded", 529, "overloaded_error"),
    (jf.ServerError("m"), 502, "server_error", None, 502, "api_error"),
    (jf.MalformedResponseError("m"), 502, "server_error", None, 502, "api_error"),
    (jf.StreamInterruptedError("m"), 502, "server_error", None, 502, "api_error"),
    (jf.ConnectionFailedError("m"), 502, "server_error", None, 502, "api_error"),
    (
        jf.TimeoutError("m", phase="queue"),
        503,
        "server_error",
        "server_is_overloaded",
        529,
        "overloaded_error",
    ),
    (jf.TimeoutError("m", phase="idle"), 504, "server_error", None, 504, "timeout_error"),
    (ValueError("m"), 500, "server_error", None, 500, "api_error"),
]


@pytest.mark.parametrize(
    ("error", "status", "kind", "code", "theirs", "their_kind"), TABLE, ids=lambda v: type(v).__name__
)
def test_each_error_has_its_words(error, status, kind, code, theirs, their_kind):
    got, headers, body = CHAT.error(error)
    told = json.loads(body)["error"]
    assert (got, told["type"], told["code"]) == (status, kind, code)
    assert told.keys() == {"message", "type", "param", "code"}
    got, headers, body = MESSAGES.error(error, request_id="req_1")
    told = json.loads(body)
    assert (got, told["error"]["type"], told["type"], told["request_id"]) == (
        theirs,
        their_kind,
        "error",
        "req_1",
    )
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("error", [row[0] for row in TABLE], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("surface", SURFACES)
def test_no_body_no_header_and_no_attempt_of_a_service_is_told(error, surface):
    error.body, error.headers, error.code = SECRET.encode(), {"authorization": SECRET}, SECRET
    error.connection = error.provider = SECRET
    error.attempts = (jf.Attempt(connection=SECRET, model=SECRET, message=SECRET),)
    _, headers, body = SURFACES[surface].error(error)
    assert SECRET not in body.decode() + str(headers)


@pytest.mark.parametrize(
    "kind",
    [
        jf.AuthenticationError,
        jf.PermissionDeniedError,
        jf.MissingCredentialError,
        jf.ConfigurationError,
        jf.ConnectionFailedError,
    ],
)
def test_what_is_the_administrators_is_told_to_the_own_program_alone(kind):
    for surface in (CHAT, MESSAGES):
        assert SECRET not in surface.error(kind(SECRET))[2].decode()
        assert SECRET in surface.error(kind(SECRET), trusted=True)[2].decode()
    assert SECRET not in CHAT.error(ValueError(SECRET))[2].decode()


def test_a_time_to_wait_is_a_header_and_the_only_errors_to_repeat_have_one():
    headers = CHAT.error(jf.RateLimitError("m", retry_after=1.2))[1]
    assert headers["retry-after"] == "2"
    assert "x-should-retry" not in headers
    for error in (jf.RateLimitError("m"), jf.ServerError("m"), jf.QuotaExceededError("m", retry_after=5.0)):
        assert CHAT.error(error)[1]["x-should-retry"] == "false"
    details = json.loads(MESSAGES.error(jf.QuotaExceededError("m"))[2])["error"]["details"]
    assert details == {"error_code": "enforced_spend_limit_reached"}


@pytest.mark.parametrize(
    ("surface", "option", "param"),
    [
        (CHAT, "max_tokens", "max_completion_tokens"),
        (CHAT, "reasoning.effort", "reasoning_effort"),
        (RESPONSES, "max_tokens", "max_output_tokens"),
        (RESPONSES, "response_format", "text.format"),
        (RESPONSES, "reasoning.effort", "reasoning.effort"),
        (MESSAGES, "stop", "stop_sequences"),
        (MESSAGES, "top_k", "top_k"),
        (MESSAGES, "reasoning.budget_tokens", "thinking.budget_tokens"),
    ],
)
def test_a_parameter_has_the_name_that_the_client_gave_it(surface, option, param):
    told = json.loads(surface.error(jf.UnsupportedError("no", parameter=option))[2])["error"]
    assert told.get("param", param) == param
    if surface is MESSAGES:
        assert told["message"].startswith(f"{param}: Extra inputs are not permitted")


def test_claude_code_reads_what_it_may_leave_out():
    error = jf.UnsupportedError("no", parameter="reasoning.effort")
    message = json.loads(MESSAGES.error(error)[2])["error"]["message"]
    assert "output_config.effort: This model does not support the effort parameter." in message


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("This model's maximum context length is 128000 tokens. However, your messages resulted in 150,001 tokens.",
         "prompt is too long: 150001 tokens > 128000 maximum"),
        ("prompt is too long: 9 tokens > 8 maximum", "prompt is too long: 9 tokens > 8 maximum"),
        ("input length and `max_tokens` exceed context limit: 1 + 2 > 2", "input length and `max_tokens` exceed context limit: 1 + 2 > 2"),
        ("too big", "prompt is too long"),
    ],
)  # fmt: skip
def test_a_prompt_that_is_too_long_is_told_in_words_that_make_claude_code_compact(message, words):
    error = jf.ContextLengthExceededError(message)
    assert json.loads(MESSAGES.error(error)[2])["error"]["message"] == words
    assert json.loads(CHAT.error(error)[2])["error"]["param"] == "messages"
    assert json.loads(RESPONSES.error(error)[2])["error"]["param"] == "input"


# Requests that are not valid

BAD = {
    "openai.chat": [
        (b"{", None), (b"[]", None), ({}, "model"), ({"model": 1}, "model"), ({"model": "m"}, "messages"),
        ({"model": "m", "messages": []}, "messages"), ({"model": "m", "messages": "x"}, "messages"),
        ({"model": "m", "messages": ["x"]}, "messages[0]"), ({"model": "m", "messages": [{}]}, "messages[0].role"),
        ({"model": "m", "messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
        ({"model": "m", "messages": [{"role": "user"}]}, "messages[0].content"),
        ({"model": "m", "messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"model": "m", "messages": [{"role": "user", "content": [{"type": "x"}]}]}, "messages[0].content[0].type"),
        ({"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
         "messages[0].content[0].image_url.url"),
        ({"model": "m", "messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"temperature": "hot"}, "temperature"), ({"temperature": True}, "temperature"), ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"), ({"stream": "yes"}, "stream"), ({"stop": [1]}, "stop"), ({"n": 0}, "n"),
        ({"functions": []}, "functions"), ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tool_choice": "any"}, "tool_choice"), ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.schema"),
        ({"logit_bias": []}, "logit_bias"), ({"stream_options": {"x": 1}}, "stream_options.x"),
    ],
    "openai.responses": [
        ({"model": "m"}, "input"), ({"input": []}, "input"), ({"input": 1}, "input"), ({"input": ["x"]}, "input[0]"),
        ({"input": [{"type": "message", "role": "user"}]}, "input[0].content"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].call_id"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": "x"}, {"type": "compaction_trigger"}]}, "input[1]"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"), ({"background": True}, "background"),
        ({"conversation": "c"}, "conversation"), ({"tool_choice": "required"}, "tool_choice"),
        ({"max_output_tokens": "9"}, "max_output_tokens"), ({"reasoning": 1}, "reasoning"),
    ],
    "anthropic.messages": [
        ({"max_tokens": None}, "max_tokens"), ({"max_tokens": 0}, "max_tokens"), ({"messages": []}, "messages"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "x"}}]}]}, "messages.0.content.0.source.type"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, "messages.0.content.0.tool_use_id"),
        ({"tools": [{"name": "f"}]}, "tools.0.input_schema"), ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"stop_sequences": [1]}, "stop_sequences"), ({"top_k": "x"}, "top_k"), ({"metadata": "x"}, "metadata"),
    ],
    "openai.completions": [({"prompt": None}, "prompt"), ({"prompt": [[1]]}, "prompt"), ({"prompt": ["a", "b"]}, "prompt")],
    "openai.embeddings": [({"model": "m"}, "input"), ({"model": "m", "input": [1, 2]}, "input"), ({"model": "m", "input": []}, "input"),
                          ({"model": "m", "input": "x", "encoding_format": "hex"}, "encoding_format")],
    "cohere.rerank": [({"model": "m", "documents": ["x"]}, "query"), ({"model": "m", "query": "q", "documents": []}, "documents"),
                      ({"model": "m", "query": "q", "documents": [{}]}, "documents[0].text")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("surface", "body", "parameter"),
    [(name, *case) for name, cases in BAD.items() for case in cases],
    ids=str,
)
def test_a_request_that_is_not_valid_is_refused_with_its_place(surface, body, parameter):
    from reading_back import BODIES

    if isinstance(body, dict) and "model" not in body and body:
        body = {"model": "m", **BODIES[surface], **body}
    for policy in ("error", "drop") if parameter != "stream_options.x" else ("error",):
        with pytest.raises(SurfaceError) as caught:
            SURFACES[surface].read({}, body, unsupported=policy)
        assert caught.value.parameter == parameter
    status, _, answer = SURFACES[surface].error(caught.value)
    told = json.loads(answer)
    assert status == 400
    assert told["error"]["type"] == "invalid_request_error"
    assert told.get("type") == ("error" if surface.startswith("anthropic") else None)
    if parameter is not None:
        assert parameter in told["error"]["message"]


def test_nulls_are_fields_that_are_absent():
    nothing = dict.fromkeys(
        ["temperature", "tools", "stop", "user", "response_format", "stream_options", "functions", "n"]
    )
    assert ask("openai.chat", **nothing).options == {"unsupported": "error"}
