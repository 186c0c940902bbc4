"""What a failure of a local model means to a program."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Final

from jackfield import (
    ConfigurationError,
    ConnectionFailedError,
    ContextLengthExceededError,
    Failure,
    InvalidRequestError,
    JackfieldError,
    OverloadedError,
    ServerError,
    TimeoutError,
    UnknownTargetError,
)

from . import _local_errors as local

__all__ = ["error", "to_jackfield"]

# Along the class's own line of descent, the first that stands here decides.
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
    # Missing runtimes and converters, digests and devices: somebody must do something first.
    local.LocalModelError: ConfigurationError,
}
# pip has tried a download several times already, and a closed engine stays closed.
_LAST_WORD: Final = (local.DownloadError, local.EngineClosedError)


def error(failure: Failure) -> JackfieldError | None:
    """Turn a failure into an error; None for what is not the engine's."""
    exception = failure.exception
    return to_jackfield(exception) if isinstance(exception, local.LocalModelError) else None


def to_jackfield(failure: local.LocalModelError) -> JackfieldError:
    """Turn an error of the engine into ours; the message keeps what happened, to which thing, and the remedy."""
    meaning = next(_MEANING[kind] for kind in type(failure).__mro__ if kind in _MEANING)
    retryable = False if isinstance(failure, _LAST_WORD) else None
    return meaning(str(failure), code=type(failure).__name__, retryable=retryable)
