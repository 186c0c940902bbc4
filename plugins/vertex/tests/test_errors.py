"""What an error may show."""

import re

from jackfield_vertex._errors import error


def test_secrets_are_masked():
    from jackfield.plugin import Failure

    body = b'{"error": {"code": 400, "message": "bad key AIzaSyMadeUpMadeUp and ya29.made-up-token"}}'
    said = str(error(Failure(status=400, body=body)))
    assert not re.search("AIza|ya29", said)
