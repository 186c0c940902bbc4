"""Map errors of local models to Jackfield errors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Final

from jackfield import (
    ConfigurationError,
    ConnectionFailedError,
    ContextLengthExceededError,
    InvalidRequestError,
    JackfieldError,
    OverloadedError,
    ServerError,
    TimeoutError,
    UnknownTargetError,
)
from jackfield.plugin import Failure

from . import _local_errors as local

__all__ = ["error", "to_jackfield"]

# The first class of an error's MRO that is listed here decides.
_MEANING: Final[Mapping[type[local.LocalModelError], Callable[..., JackfieldError]]] = {
    local.ContextOverflowError: ContextLengthExceededError,
    local.TextTooLongError: ContextLengthExceededError,
    local.RequestError: InvalidRequestError,
    local.UnknownModelError: UnknownTargetError,
    local.QueueFullError: OverloadedError,
    local.QueueTimeoutError: functools.partial(TimeoutError, phase="queue"),
    local.GenerationError: ServerError,
    local.EngineClosedError: ConnectionFailedError,
    local.DownloadError: ConnectionFailedError,
    # Missing runtimes and converters, wrong digests, unavailable devices: an operator has to act first.
    local.LocalModelError: ConfigurationError,
}
# pip has already retried the download, a closed engine stays closed, and a model computes the same again.
_NOT_RETRYABLE: Final = (local.DownloadError, local.EngineClosedError, local.NotFiniteError)


def error(failure: Failure) -> JackfieldError | None:
    """Map a failure to a Jackfield error; None if the exception is not the engine's."""
    exception = failure.exception
    return to_jackfield(exception) if isinstance(exception, local.LocalModelError) else None


def to_jackfield(failure: local.LocalModelError) -> JackfieldError:
    """Map an error of the engine to a Jackfield error with the same message."""
    meaning = next(_MEANING[kind] for kind in type(failure).__mro__ if kind in _MEANING)
    retryable = False if isinstance(failure, _NOT_RETRYABLE) else None
    return meaning(str(failure), code=type(failure).__name__, retryable=retryable)
