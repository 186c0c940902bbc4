"""What an error may show."""

import re

import pytest

from jackfield_vertex._errors import error


def test_secrets_are_masked():
    from jackfield.plugin import Failure

    body = b'{"error": {"code": 400, "message": "bad key AIzaSyMadeUpMadeUp and ya29.made-up-token"}}'
    said = str(error(Failure(status=400, body=body)))
    assert not re.search("AIza|ya29", said)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).", "ContextLengthExceededError"),
        ("The input token count exceeds the maximum number of tokens allowed (1048576).", "ContextLengthExceededError"),
        ("Unable to submit request because the input token count is 26012 but the model only supports up to 20000.",
         "ContextLengthExceededError"),
        ("The prompt exceeds the supported input token limit of 2048.", "ContextLengthExceededError"),
        ("Your input exceeds the context window of this model", "ContextLengthExceededError"),
        ("max_output_tokens must be in the range 1 to 8193", "InvalidRequestError"),
        ("The image exceeds the maximum size", "InvalidRequestError"),
    ],
)  # fmt: skip
def test_what_is_said_of_an_input_that_is_too_long(message, kind):
    from jackfield.plugin import Failure

    body = b'{"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "%s"}}' % message.encode()
    assert type(error(Failure(status=400, body=body))).__name__ == kind
