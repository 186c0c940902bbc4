"""Checks of how failures become errors."""

from __future__ import annotations

import email.utils
import pickle
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any, Final

import orjson

from jackfield._types import errors
from jackfield._types.capabilities import ModelRef
from jackfield._types.errors import JackfieldError
from jackfield._types.failures import Failure
from jackfield._types.wire import Headers

from ._check import check
from ._decoding import named_error
from ._subject import KEY, PROBE_MODEL, Subject

_JSON: Final = b'{"error": {"message": "jackfield-conformance", "type": "x", "code": null}}'

_CLASS_BY_STATUS: Final[Mapping[int, tuple[type[JackfieldError], ...]]] = {
    400: (errors.InvalidRequestError, errors.ProviderError),
    401: (errors.AuthenticationError,),
    403: (errors.PermissionDeniedError, errors.AuthenticationError),
    404: (errors.NotFoundError,),
    408: (errors.TimeoutError,),
    409: (errors.InvalidRequestError,),
    413: (errors.InvalidRequestError,),
    422: (errors.InvalidRequestError,),
    429: (errors.RateLimitError,),
    500: (errors.ServerError,),
    502: (errors.ServerError, errors.OverloadedError),
    503: (errors.OverloadedError, errors.ServerError),
    504: (errors.TimeoutError,),
    529: (errors.OverloadedError,),
}
_RETRYABLE: Final = frozenset({408, 409, 429, 500, 502, 503, 504, 529})

_ODD_BODIES: Final = (
    b"", b"null", b"[]", b"0", b'"text"', b"{", b"<html>Bad gateway</html>", b"\xff\xfe\x00", b'{"error": null}',
    b'{"error": "text"}', b'{"error": []}', b'{"error": {"message": null, "code": 5, "type": ["a"]}}',
    b'{"message": {"deep": 1}}', b'{"detail": [{"loc": ["body"], "msg": "bad"}]}', b'[{"error": {"code": 400}}]',
)  # fmt: skip


def _models(subject: Subject) -> list[ModelRef]:
    found = {case.model: subject.ref(case) for case in subject.cases}
    return list(found.values())[:3] or [
        ModelRef(PROBE_MODEL, "conformance", "chat", settings=subject.settings)
    ]


def _bodies(subject: Subject, status: int) -> Iterator[tuple[bytes, tuple[str, ...]]]:
    """Return bodies of errors, each with what the error should say: one of OpenAI's form, and those of the cases.

    Of the cases' bodies the form stays and the words go: no code decides, a number that is a status is this one.
    """
    yield _JSON, ("jackfield-conformance",)
    for case in subject.cases:
        if case.error is None or case.in_process or (case.status or 0) < 400:
            continue
        try:
            value = orjson.loads(subject.body(case))
        except orjson.JSONDecodeError:
            continue
        words: dict[str, str] = {}
        body = orjson.dumps(_neutral(value, status, words))
        sentences = [new for new, old in words.items() if " " in old.strip()]
        yield body, tuple(sentences or words)


def _neutral(value: Any, status: int, words: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _neutral(entry, status, words) for key, entry in value.items()}
    if isinstance(value, list):
        return [_neutral(entry, status, words) for entry in value]
    if isinstance(value, str) and not value.isdigit():
        new = f"jackfield-conformance-{len(words)}."
        words[new] = value
        return new
    is_status = not isinstance(value, bool) and str(value).isdigit() and 400 <= int(value) < 600
    return type(value)(status) if is_status else value


def _answered(subject: Subject) -> Iterator[tuple[str, int, JackfieldError, tuple[str, ...]]]:
    """Return the error of every status with every form of body: what to call it, the status, the error, what was said."""
    for model in _models(subject):
        for status in _CLASS_BY_STATUS:
            for body, said in _bodies(subject, status):
                failure = Failure(status, Headers({"content-type": "application/json", "x-probe": "1"}), body)
                what = f"{status}" if body == _JSON else f"{status} with {body[:120]!r}"
                yield what, status, named_error(subject.hooks, model, failure), said


@check(
    "errors.statuses",
    law="Every HTTP status becomes the error of ours that belongs to it.",
    remedy="return None from jackfield_error for what the status alone says; decide by the body only where you must",
)
def statuses(subject: Subject) -> Iterable[str]:
    for what, status, error, _ in _answered(subject):
        wanted = _CLASS_BY_STATUS[status]
        if not isinstance(error, wanted):
            yield f"{what} is {type(error).__name__}, not {wanted[0].__name__}"
        if status == 409 and not error.is_retryable:
            yield f"{what} is not retryable, though the same request may go well later"


@check(
    "errors.retryable",
    law="Only what may go well the second time is retryable.",
    remedy="pass retryable=... only where the class is wrong about it",
)
def retryable(subject: Subject) -> Iterable[str]:
    for what, status, error, _ in _answered(subject):
        if error.is_retryable is not (status in _RETRYABLE):
            yield f"{what} ({type(error).__name__}) is {'' if error.is_retryable else 'not '}retryable"


@check(
    "errors.context",
    law="An error knows the status, the headers and the body that it was made of.",
    remedy="use jackfield.http.error_from_status(failure, message=..., code=...), or pass them on",
)
def context(subject: Subject) -> Iterable[str]:
    for what, status, error, _ in _answered(subject):
        if error.status != status:
            yield f"{what}: its status is {error.status!r}"
        if not error.body:
            yield f"{what}: it has no body"
        if error.headers is None or "x-probe" not in Headers(dict(error.headers)):
            yield f"{what}: it has no headers"


@check(
    "errors.retry_after",
    law="`Retry-After` is read in all its forms, and is in seconds.",
    remedy="use jackfield.http.retry_after_seconds(failure.headers)",
)
def retry_after(subject: Subject) -> Iterable[str]:
    in_a_minute = email.utils.formatdate(time.time() + 60, usegmt=True)
    forms: tuple[tuple[str, str, float, float], ...] = (
        ("retry-after", "7", 7.0, 7.0),
        ("retry-after", "0.5", 0.5, 0.5),
        ("retry-after", in_a_minute, 50.0, 61.0),
        ("retry-after-ms", "1500", 1.5, 1.5),
    )
    for model in _models(subject):
        for status in (429, 503):
            for (body, _), (name, value, least, most) in product(_bodies(subject, status), forms):
                error = named_error(subject.hooks, model, Failure(status, Headers({name: value}), body))
                if error.retry_after is None or not least <= error.retry_after <= most:
                    yield f"{status} with {name}: {value} gives {error.retry_after!r}, not {least:g}"
        for value in ("soon", "-5", ""):
            error = named_error(subject.hooks, model, Failure(429, Headers({"retry-after": value}), _JSON))
            if error.retry_after is not None and error.retry_after < 0:
                yield f"retry-after: {value} gives {error.retry_after!r}"


@check(
    "errors.odd_bodies",
    law="No body of an error can make jackfield_error fail.",
    remedy="check types before you index: `if isinstance(value, dict)`; failure.json() gives None for what is not JSON",
)
def odd_bodies(subject: Subject) -> Iterable[str]:
    for model in (None, *_models(subject)):
        for status in (400, 401, 403, 404, 429, 500, 503):
            for body in _ODD_BODIES:
                try:
                    named_error(subject.hooks, model, Failure(status, Headers(), body))
                except Exception as error:
                    yield f"{status} with {body!r}: {type(error).__name__}: {error}"


@check(
    "errors.exceptions",
    law="jackfield_error answers for failures that have no status, too.",
    remedy="return None for what you do not know",
)
def exceptions(subject: Subject) -> Iterable[str]:
    failures = {
        "an exception": Failure(exception=RuntimeError("jackfield-conformance")),
        "an OSError": Failure(exception=OSError(104, "reset")),
        "an error in a stream": Failure(in_stream=True, data={"error": {"message": "x"}}, event="error"),
        "an odd error in a stream": Failure(in_stream=True, data=["x"]),
        "nothing at all": Failure(),
    }
    for model in (None, *_models(subject)):
        for what, failure in failures.items():
            try:
                error: Any = subject.hooks.error(model, failure)
            except Exception as fault:
                yield f"{what}: {type(fault).__name__}: {fault}"
                continue
            if error is not None and not isinstance(error, JackfieldError):
                yield f"{what}: it gives a {type(error).__name__}"


@check(
    "errors.picklable",
    law="Errors can be pickled, and are the same after.",
    remedy="make none of your own, or keep the arguments of JackfieldError",
)
def picklable(subject: Subject) -> Iterable[str]:
    for status, _, error, _ in _answered(subject):
        try:
            back = pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own bytes
        except Exception as fault:
            yield f"{status}: {type(fault).__name__}: {fault}"
            continue
        if (type(back), str(back), back.status, back.retry_after) != (
            type(error),
            str(error),
            error.status,
            error.retry_after,
        ):
            yield f"{status}: {error!r} comes back as {back!r}"


@check(
    "errors.no_secret",
    law="No secret shows in an error.",
    remedy="do not put the settings, the headers of the request or a revealed secret into a message",
)
def no_secret(subject: Subject) -> Iterable[str]:
    for status, _, error, _ in _answered(subject):
        if KEY in str(error) or KEY in repr(error) or KEY in repr(vars(error)):
            yield f"{status}: {type(error).__name__} shows the key"


@check(
    "errors.say_what",
    law="An error says what the service said.",
    remedy="put the service's message into the error's",
    gentle=True,
)
def say_what(subject: Subject) -> Iterable[str]:
    for what, _, error, said in _answered(subject):
        if said and not any(words in str(error) for words in said):
            yield f"{what}: it says {error.message[:80]!r}"


def _with_errors(subject: Subject) -> str | None:
    return None if any(case.error for case in subject.cases) else "no case says which error it is"


@check(
    "errors.cases",
    law="A case's failure becomes the case's error.",
    remedy="compare the recorded body with what jackfield_error looks for",
    applies=_with_errors,
)
def cases(subject: Subject) -> Iterable[str]:
    for case in subject.cases:
        if case.error is None:
            continue
        found = subject.decoded(case).error
        if not isinstance(found, case.error):
            yield f"{case.label}: it is {type(found).__name__ if found else 'an answer'}, not {case.error.__name__}"


@check(
    "errors.case_retryable",
    law="A case's error is retryable if its class is, or the case says `retryable`.",
    remedy="leave `retryable` to the class, or say in the case why it is otherwise: Case(..., retryable=True)",
    applies=_with_errors,
    gentle=True,
)
def case_retryable(subject: Subject) -> Iterable[str]:
    for case in subject.cases:
        found = None if case.error is None else subject.decoded(case).error
        if found is not None:
            wanted = found.default_retryable if case.retryable is None else case.retryable
            if found.is_retryable is not wanted:
                yield f"{case.label}: {type(found).__name__} is {'' if found.is_retryable else 'not '}retryable"
