"""What texts of failures mean."""

import json

import botocore.session
import pytest
from botocore.retries import standard

from jackfield import (
    ContextLengthExceededError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    TimeoutError,
)
from jackfield.plugin import Failure, Headers
from jackfield_bedrock import jackfield_error


def kind_of(message, status=400, name="ValidationException"):
    body = b'{"message": "%s"}' % message.encode()
    return type(jackfield_error(Failure(status, Headers({"x-amzn-errortype": name}), body))).__name__


@pytest.mark.parametrize(
    "message",
    [
        "Input is too long for requested model.",
        "prompt is too long: 213462 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
        "Input Tokens Exceeded: Number of input tokens exceeds maximum length. Please update the input to try again.",
        "400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token count: 9001",
        "Malformed input request: expected maxLength: 2048, actual: 4000, please reformat your input and try again.",
        "This model's maximum context length is 8192 tokens. Please reduce the length of the prompt",
        "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
        "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
        "The model returned the following errors: the request exceeds the available context size, try increasing it",
        "Your input exceeds the context window of this model",
        "The conversation is too long. Shorten it.",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 and 512",
        "You passed 8193 input tokens and requested 0 output tokens. However, the model's context length is only 8192 tokens",
        "Please reduce the length of your prompt.",
        "input length (9000 tokens) exceeds the maximum allowed length (8192 tokens)",
    ],
)
def test_what_the_families_say_of_an_input_that_is_too_long(message):
    assert kind_of(message) == "ContextLengthExceededError"


@pytest.mark.parametrize(
    "message",
    [
        "The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value that is lower",
        "messages.0.content.1.image: image exceeds 5 MB maximum",
        "The input document exceeds the maximum of 100 pages",
        "tool name exceeds the maximum length of 64",
    ],
)
def test_other_limits_are_not_that_of_the_context(message):
    assert kind_of(message) == "InvalidRequestError"


def test_throttling_of_tokens_is_not_a_long_input():
    assert (
        kind_of("Too many tokens, please wait before trying again.", 429, "ThrottlingException")
        == "RateLimitError"
    )


def error_of(status, name, message="Something happened.", **more):
    body = json.dumps({"message": message, **more}).encode()
    return jackfield_error(Failure(status, Headers({"x-amzn-errortype": name}), body))


@pytest.mark.parametrize("status", [400, 424, 429, 500, 503])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(
            (name, RateLimitError)
            for name in sorted(standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES)
        ),
        ("ModelNotReadyException", OverloadedError),
        ("ServiceUnavailableException", OverloadedError),
        ("InternalServerException", ServerError),
        ("ModelTimeoutException", TimeoutError),
        ("RequestTimeout", TimeoutError),
        ("RequestTimeoutException", TimeoutError),
    ],
)
def test_what_the_sdk_tries_again_by_its_name_is_tried_again_whatever_the_status(name, kind, status):
    error = error_of(status, name)
    assert type(error) is kind
    assert type(error).default_retryable
    assert error.status == status


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ValidationException", InvalidRequestError),
        ("ConflictException", InvalidRequestError),
        ("AccessDeniedException", PermissionDeniedError),
        ("ResourceNotFoundException", NotFoundError),
        ("ServiceQuotaExceededException", QuotaExceededError),
    ],
)
def test_what_the_sdk_does_not_try_again_is_not(name, kind):
    error = error_of(STATUSES[name], name)
    assert type(error) is kind
    assert not type(error).default_retryable


STATUSES = {
    name: shape["error"]["httpStatusCode"]
    for name, shape in botocore.session.get_session()
    .get_component("data_loader")
    .load_service_model("bedrock-runtime", "service-2")["shapes"]
    .items()
    if shape.get("exception")
}


@pytest.mark.parametrize("name", ["ModelErrorException", "ModelStreamErrorException"])
@pytest.mark.parametrize(
    ("original", "kind"),
    [
        (400, InvalidRequestError),
        (403, InvalidRequestError),  # not the caller's identity
        (408, TimeoutError),
        (429, RateLimitError),
        ("429", RateLimitError),
        (500, ServerError),
        (503, OverloadedError),
        (529, OverloadedError),
        (200, ServerError),
        (None, ServerError),
        (True, ServerError),
    ],
)
def test_an_error_of_the_model_is_what_its_own_server_said(name, original, kind):
    assert type(error_of(424, name, originalStatusCode=original)) is kind


def test_the_models_own_words_are_shown_and_read():
    said = "prompt is too long: 213462 tokens > 200000 maximum"
    error = error_of(424, "ModelStreamErrorException", originalStatusCode=400, originalMessage=said)
    assert type(error) is ContextLengthExceededError
    assert f"Something happened. The model said: {said}" in str(error)
    twice = error_of(424, "ModelErrorException", said, originalStatusCode=400, originalMessage=said)
    assert str(twice).count(said) == 1
