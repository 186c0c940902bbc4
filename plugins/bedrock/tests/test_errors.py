"""What texts of failures mean."""

import pytest

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
