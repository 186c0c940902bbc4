"""Secrets leave errors in every spelling, and the errors that those were raised for."""

import base64
import html
import json
from urllib.parse import quote, quote_plus

import attrs
import pytest

from jackfield import ConfigurationError, ProviderError, Secret
from jackfield._calls.redaction import Redaction
from jackfield._types.wire import Headers

KEY = "sk-a/b+c\"d\\e é&<f>'g'~%h"


def clean(error, *secrets):
    Redaction(secrets or (KEY,)).redact_error(error)
    return error


SPELLINGS = {
    "as it is": KEY,
    "in a path": quote(KEY),
    "in a query": quote(KEY, safe=""),
    "in a query, small": "".join(c if c not in "ABCDEF" else c.lower() for c in quote(KEY, safe="")),
    "in a form": quote_plus(KEY),
    "in JSON": json.dumps(KEY)[1:-1],
    "in JSON, not ASCII": json.dumps(KEY, ensure_ascii=False)[1:-1],
    "in PHP's JSON": json.dumps(KEY)[1:-1].replace("/", "\\/"),
    "in JSON in JSON": json.dumps(json.dumps({"k": KEY})),
    "in HTML": html.escape(KEY),
    "by Python": repr({"k": KEY}),
    "by Python, bytes": repr({"k": KEY.encode()}),
    "hexadecimal": KEY.encode().hex(),
    "in a body that is shown": repr(json.dumps({"k": KEY}).encode()),
    **{f"in base64, at {n}": base64.b64encode(b"u" * n + b":" + KEY.encode()).decode() for n in range(3)},
    "in base64 for addresses": base64.urlsafe_b64encode(b"user:" + KEY.encode() + b"more").decode(),
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_a_secret_is_found_in_every_spelling(spelled):
    error = clean(ProviderError(f"no: {spelled}!", body=spelled.encode(), code=spelled))
    for text in (str(error), error.body.decode(), error.code):
        assert "***" in text
        for rest in ("sk-a", spelled[2:-2], spelled[len(spelled) // 2 - 5 : len(spelled) // 2 + 5]):
            assert rest not in text


def test_a_secret_that_is_declared_encoded_is_found_decoded():
    error = clean(ProviderError("the password p@ss/word is wrong, as is p%40ss%2Fword"), "p%40ss%2Fword")
    assert str(error) == "the password *** is wrong, as is ***"


def test_short_words_and_what_has_no_secret_are_left():
    headers = Headers({"X-A": "1"})
    error = clean(ProviderError("abc is not valid", headers=headers, body=b"abc"), "abc", "another-secret")
    assert (str(error), error.headers is headers, error.body) == ("abc is not valid", True, b"abc")


def test_mistakes_and_notes_are_cleaned():
    error = ConfigurationError("two", mistakes=[f"a {KEY}", "b"])
    error.add_note(f"with {KEY}")
    clean(error)
    assert list(error.mistakes) == ["a ***", "b"]
    assert error.__notes__ == ["with ***"]


class SdkError(OSError):
    """As an SDK's: it carries the request."""

    def __init__(self, message, **carried):
        super().__init__(message)
        vars(self).update(carried)


@attrs.define
class Request:
    headers: dict


CARRIED = {
    "in its text": SdkError(f"bad {KEY}"),
    "in an argument": ValueError("bad", {"key": [KEY]}),
    "in an object with slots": SdkError("bad", request=Request({"Authorization": f"Bearer {KEY}"})),
    "deep": SdkError("bad", response={"request": (Request({b"a": KEY.encode()}),)}),
    "in a group": ExceptionGroup("bad", [ValueError("fine"), ValueError(KEY)]),
    "as a name of a file": FileNotFoundError(2, "not there", f"/run/{KEY}"),
    "as bytes that are not text": UnicodeDecodeError(
        "utf-8", KEY.encode() + b"\xff", len(KEY.encode()), 99, "no"
    ),
}


@pytest.mark.parametrize("carrier", CARRIED.values(), ids=CARRIED)
@pytest.mark.parametrize("link", ["__cause__", "__context__"])
@pytest.mark.parametrize("far", [False, True], ids=["near", "far"])
def test_an_error_that_carries_a_secret_is_not_passed_on(carrier, link, far):
    error = ProviderError("failed")
    between = RuntimeError("between") if far else error
    if far:
        error.__cause__ = between
    setattr(between, link, carrier)
    clean(error)
    assert (error.__cause__ is between) or not far
    stand_in = getattr(between, link)
    assert stand_in is not carrier
    assert type(carrier).__name__ in str(stand_in)
    assert KEY not in repr(stand_in)
    assert vars(stand_in) == {}
    assert isinstance(stand_in, OSError) == isinstance(carrier, OSError)


def test_an_error_that_carries_none_stays_itself():
    inner = SdkError("bad", request=Request({"Authorization": Secret(KEY)}))
    error = ProviderError("failed")
    error.__cause__ = inner
    inner.__cause__ = error  # a circle
    assert clean(error).__cause__ is inner


def test_one_of_ours_in_between_is_cleaned_and_stays():
    inner = ProviderError(f"inner {KEY}", body=KEY.encode())
    error = ProviderError("outer")
    error.__cause__ = inner
    clean(error)
    assert error.__cause__ is inner
    assert (str(inner), inner.body) == ("inner ***", b"***")


def test_whether_a_context_is_shown_stays():
    error = ProviderError("outer")
    error.__context__ = ValueError(KEY)
    assert not clean(error).__suppress_context__
    error.__context__ = ValueError(KEY)
    error.__suppress_context__ = True
    assert clean(error).__suppress_context__
