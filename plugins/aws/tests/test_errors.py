"""What services say of an identity."""

import pytest

from jackfield import AuthenticationError, PermissionDeniedError
from jackfield.plugin import Failure
from jackfield_aws import identity_error

LATE = "Signature expired: 20261123T100000Z is now earlier than 20261123T100512Z (20261123T101012Z - 5 min.)"
EARLY = "Signature not yet current: 20261123T103000Z is still later than 20261123T101500Z (20261123T101000Z + 5 min.)"


@pytest.mark.parametrize(
    ("code", "text", "kind", "words", "refresh"),
    [
        ("AccessDeniedException", "User: arn:x is not authorized", PermissionDeniedError, "not authorized", False),
        ("ExpiredTokenException", "The security token included in the request is expired", AuthenticationError, "expired", True),
        ("ExpiredToken", "", AuthenticationError, "ExpiredToken", True),
        ("UnrecognizedClientException", "The security token is invalid.", AuthenticationError, "invalid", True),
        ("InvalidSignatureException", LATE, AuthenticationError, "clock is 612 seconds behind", False),
        ("InvalidSignatureException", EARLY, AuthenticationError, "clock is 1200 seconds ahead", False),
        ("SignatureDoesNotMatch", "Signature expired: 99999999T999999Z, 20261123T100512Z (20261123T101012Z)", AuthenticationError, "check this machine's clock", False),
        ("RequestTimeTooSkewed", "The difference is too large.", AuthenticationError, "check this machine's clock", False),
        ("SignatureDoesNotMatch", "We calculated another.", AuthenticationError, "calculated another", False),
    ],
)  # fmt: skip
def test_an_identity_that_is_refused(code, text, kind, words, refresh):
    error = identity_error(Failure(status=403), code, text)
    assert type(error) is kind
    assert words in str(error)
    assert (error.status, error.code, error.refresh_credentials) == (403, code, refresh)
    assert ("clock" in str(error)) == ("Time" in code or "Signature" in text)


def test_other_answers_are_not_about_the_identity():
    assert identity_error(Failure(status=400), "ValidationException", "expired") is None
