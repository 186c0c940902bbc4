"""Every error of the engine has a meaning, with the remedy in it."""

import pickle

import pytest

import jackfield as jf
import jackfield.plugin as jp
from jackfield_onnx import _local_errors as local, jackfield_error


def every_error(kind=local.LocalModelError):
    return [kind, *(one for child in kind.__subclasses__() for one in every_error(child))]


def made(kind):
    if kind is local.ContextOverflowError:
        return kind(10, None, 5, "m")
    if kind is local.NotFiniteError:
        return kind("what", "which")
    return kind(0, 10, 5, "m") if kind is local.TextTooLongError else kind("what", "which", "Do that.")


MEANING = {
    "LocalModelError": (jf.ConfigurationError, False),
    "RuntimeMissingError": (jf.ConfigurationError, False),
    "RuntimeConflictError": (jf.ConfigurationError, False),
    "DeviceUnavailableError": (jf.ConfigurationError, False),
    "MemoryExceededError": (jf.ConfigurationError, False),
    "UnknownModelError": (jf.UnknownTargetError, False),
    "PreparationError": (jf.ConfigurationError, False),
    "DownloadError": (jf.ConnectionFailedError, False),
    "DigestMismatchError": (jf.ConfigurationError, False),
    "ConverterMissingError": (jf.ConfigurationError, False),
    "PreparationCancelledError": (jf.ConfigurationError, False),
    "UnsupportedModelError": (jf.ConfigurationError, False),
    "DamagedModelError": (jf.ConfigurationError, False),
    "RequestError": (jf.InvalidRequestError, False),
    "ContextOverflowError": (jf.ContextLengthExceededError, False),
    "TextTooLongError": (jf.ContextLengthExceededError, False),
    "QueueFullError": (jf.OverloadedError, True),
    "QueueTimeoutError": (jf.TimeoutError, True),
    "EngineClosedError": (jf.ConnectionFailedError, False),
    "GenerationError": (jf.ServerError, True),
    "NotFiniteError": (jf.ServerError, False),
}


def test_the_table_has_every_error():
    assert {kind.__name__ for kind in every_error()} == set(MEANING)


@pytest.mark.parametrize("kind", every_error())
def test_an_error_keeps_what_happened_and_the_remedy(kind):
    error = jackfield_error(jp.Failure(exception=made(kind)))

    assert (type(error), error.is_retryable) == MEANING[kind.__name__]
    assert made(kind).remedy in error.message
    assert error.code == kind.__name__
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_what_is_not_the_engines_is_left_to_the_core():
    assert jackfield_error(jp.Failure(exception=OSError("x"))) is None
    assert jackfield_error(jp.Failure(status=500)) is None
