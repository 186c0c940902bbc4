"""The error tree: one base, Python's own where a beginner expects it, all that is known in it, and able to travel."""

import builtins
import copy
import inspect
import pickle

import pytest

import jackfield
from jackfield import (
    Attempt,
    ConnectionFailedError,
    JackfieldError,
    MissingCredentialError,
    QuotaExceededError,
    RateLimitError,
    Reply,
    TimeoutError,
    UnsupportedError,
)
from jackfield._types import errors
from jackfield._types.wire import Headers

ALL = [getattr(errors, name) for name in errors.__all__]


def made(cls, **context):
    more = {"phase": "idle"} if cls is TimeoutError else {}
    return cls("what went wrong", **more, **context)


def drawn_tree():
    """Read the tree that the module's docstring draws: `(name, parent)`."""
    stack, found = [], []
    for line in errors.__doc__.splitlines():
        name = next((word for word in line.split() if word.endswith("Error")), None)
        if name is None or not hasattr(errors, name):
            continue
        depth = line.index(name) // 4
        stack = [*stack[:depth], name]
        found.append((name, stack[depth - 1] if depth else None))
    return found


def test_the_tree_is_as_drawn():
    tree = drawn_tree()
    assert {name for name, _ in tree} == set(errors.__all__)
    for name, parent in tree:
        if parent is not None:
            assert getattr(errors, parent) in getattr(errors, name).__bases__


def test_all_are_public_and_below_one_base():
    for cls in ALL:
        assert cls.__module__ == "jackfield", "what a traceback says is what programs import"
        assert issubclass(cls, JackfieldError)
        assert getattr(jackfield, cls.__name__) is cls
    inside = {cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, Exception)}
    assert inside == set(ALL)


def test_pythons_own():
    assert issubclass(TimeoutError, builtins.TimeoutError)
    assert issubclass(ConnectionFailedError, builtins.ConnectionError)
    assert issubclass(MissingCredentialError, jackfield.ConfigurationError)


def test_what_may_be_tried_again():
    retryable = {cls.__name__ for cls in ALL if made(cls).is_retryable}
    assert retryable == {
        "RateLimitError", "OverloadedError", "ServerError", "ConnectionFailedError", "TimeoutError",
        "StreamInterruptedError",
    }  # fmt: skip
    assert not made(RateLimitError, retryable=False).is_retryable
    assert made(QuotaExceededError, retryable=True).is_retryable


@pytest.mark.parametrize("cls", ALL)
def test_it_says_where(cls):
    error = made(cls, connection="c", provider="p", model="m", status=400, code="x")
    assert str(error) == "what went wrong [connection c, provider p, model m, status 400, code x]"
    assert repr(error) == f"{cls.__name__}({str(error)!r})"
    assert str(made(cls)) == "what went wrong"


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("travel", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_it_travels_whole(cls, travel):
    error = made(
        cls,
        connection="c",
        status=429,
        body=b"{}",
        headers=Headers({"Retry-After": "7"}),
        retry_after=7.0,
        retryable=True,
        attempts=[Attempt(connection="c", model="m", status=429)],
        partial=Reply(id="a1"),
    )
    there = travel(error)
    assert type(there) is cls
    assert str(there) == str(error)
    assert there.args == error.args
    for name in ("message", "connection", "status", "body", "retry_after", "is_retryable", "attempts"):
        assert getattr(there, name) == getattr(error, name), name
    assert there.headers["retry-after"] == "7"
    assert there.partial.id == "a1"
    if cls is TimeoutError:
        assert there.phase == "idle"


def test_an_unsupported_parameter_travels_too():
    error = pickle.loads(pickle.dumps(UnsupportedError("no", parameter="seed", model="m")))
    assert (error.parameter, error.model) == ("seed", "m")


class Unpicklable(Exception):
    """An exception of an SDK: what it was made with is not in its args."""

    def __init__(self, first, second):
        super().__init__(first)
        self.second = second


@pytest.mark.parametrize("travel", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_the_original_travels_as_the_cause(travel):
    error = RateLimitError("slow down")
    error.__cause__ = OSError(104, "reset")
    there = travel(error).__cause__
    assert (type(there), there.args) == (ConnectionResetError, (104, "reset"))


@pytest.mark.parametrize("cause", [Unpicklable("a", "b"), ValueError(lambda: None)])
def test_an_original_that_cannot_travel_stays_behind(cause):
    error = RateLimitError("slow down")
    error.__cause__ = cause
    there = pickle.loads(pickle.dumps(error))
    assert (str(there), there.__cause__) == ("slow down", None)
