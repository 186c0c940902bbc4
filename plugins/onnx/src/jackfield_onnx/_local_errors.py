"""Errors of local models.

    LocalModelError
    ├── RuntimeMissingError       no ONNX Runtime is installed
    ├── RuntimeConflictError      two distributions of it are installed
    ├── DeviceUnavailableError    the declared device cannot be used
    ├── MemoryExceededError       the model does not fit into memory
    ├── UnknownModelError         the model is not in the catalogue
    ├── PreparationError          a model could not be fetched, verified or converted
    │   ├── DownloadError
    │   ├── DigestMismatchError
    │   ├── ConverterMissingError
    │   └── PreparationCancelledError
    ├── UnsupportedModelError     the file was read, but the engine does not support the model
    ├── DamagedModelError         the file or folder is incomplete or malformed
    ├── RequestError              the request is not valid
    │   ├── ContextOverflowError
    │   └── TextTooLongError
    ├── QueueFullError            too many requests are waiting
    ├── QueueTimeoutError         the request waited too long
    ├── EngineClosedError         the engine was closed
    └── GenerationError           the runtime failed during a request
        └── NotFiniteError        the model computed something that is no number

Each says what happened, to which model, file or option, and what to do about it, in its message and as attributes.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ContextOverflowError",
    "ConverterMissingError",
    "DamagedModelError",
    "DeviceUnavailableError",
    "DigestMismatchError",
    "DownloadError",
    "EngineClosedError",
    "GenerationError",
    "LocalModelError",
    "MemoryExceededError",
    "NotFiniteError",
    "PreparationCancelledError",
    "PreparationError",
    "QueueFullError",
    "QueueTimeoutError",
    "RequestError",
    "RuntimeConflictError",
    "RuntimeMissingError",
    "TextTooLongError",
    "UnknownModelError",
    "UnsupportedModelError",
]


class LocalModelError(Exception):
    """A failure of a local model.

    Args:
        what: What happened, as a sentence without a full stop.
        which: The model, file, package or option concerned.
        remedy: What to do about it, often a command.
    """

    is_retryable: ClassVar[bool] = False

    def __init__(self, what: str, which: str = "", remedy: str = "") -> None:
        # All three go to `args`, so that the error survives pickling into another process.
        super().__init__(what, which, remedy)
        self.what = what
        self.which = which
        self.remedy = remedy

    def __str__(self) -> str:
        place = f" ({self.which})" if self.which else ""
        return f"{self.what}{place}." + (f" {self.remedy}" if self.remedy else "")


class RuntimeMissingError(LocalModelError):
    """No ONNX Runtime is installed."""


class RuntimeConflictError(LocalModelError):
    """Two distributions of ONNX Runtime are installed on top of each other."""


class DeviceUnavailableError(LocalModelError):
    """The declared device cannot be used."""


class MemoryExceededError(LocalModelError):
    """A model does not fit into the declared or the available memory."""


class UnknownModelError(LocalModelError):
    """The catalogue has no such model."""


class PreparationError(LocalModelError):
    """A model could not be prepared; the cache is unchanged."""


class DownloadError(PreparationError):
    """The model or the package that contains it could not be fetched."""

    is_retryable = True


class DigestMismatchError(PreparationError):
    """A file does not have the expected digest; it is not used."""


class ConverterMissingError(PreparationError):
    """A library needed to convert or export a model is not installed."""


class PreparationCancelledError(PreparationError):
    """The preparation was cancelled."""


class UnsupportedModelError(LocalModelError):
    """The model uses something that this plugin does not support."""


class DamagedModelError(LocalModelError):
    """A model file or folder is incomplete or malformed."""


class RequestError(LocalModelError):
    """A request is not valid for this model."""


class ContextOverflowError(RequestError):
    """A request needs more tokens than the context holds.

    Args:
        prompt_tokens: Tokens of the rendered prompt.
        max_tokens: Tokens requested, None if the request set no limit.
        limit: Maximum number of tokens of prompt and reply together.
        model: Name of the model.
    """

    def __init__(self, prompt_tokens: int, max_tokens: int | None, limit: int, model: str) -> None:
        asked = "" if max_tokens is None else f" and the request asks for {max_tokens} more"
        super().__init__(
            f"the prompt has {prompt_tokens} tokens{asked}; the context has room for {limit}",
            model,
            "Shorten the prompt, lower max_tokens, or raise max_context if the model allows it.",
        )
        self.args = (prompt_tokens, max_tokens, limit, model)
        self.prompt_tokens = prompt_tokens
        self.max_tokens = max_tokens
        self.limit = limit


class TextTooLongError(RequestError):
    """A text to embed or to rank is longer than the model's maximum input.

    Args:
        index: Position of the text in the request.
        tokens: Its tokens, special tokens included.
        limit: Maximum number of tokens of the model.
        model: Name of the model.
    """

    def __init__(self, index: int, tokens: int, limit: int, model: str) -> None:
        super().__init__(
            f"text {index} has {tokens} tokens; the model reads at most {limit}",
            model,
            'Split the text, or set truncate="end" or truncate="start".',
        )
        self.args = (index, tokens, limit, model)
        self.index = index
        self.tokens = tokens
        self.limit = limit


class QueueFullError(LocalModelError):
    """The queue is full."""

    is_retryable = True


class QueueTimeoutError(LocalModelError):
    """A request waited in the queue longer than `queue_timeout`."""

    is_retryable = True


class EngineClosedError(LocalModelError):
    """The engine was closed before or during the request."""


class GenerationError(LocalModelError):
    """The runtime failed while serving a request."""


class NotFiniteError(GenerationError):
    """A model computed NaN or infinity, from which no result can be made.

    Args:
        what: What is not a number, and at which step or for which text.
        model: Name of the model.
    """

    def __init__(self, what: str, model: str = "") -> None:
        super().__init__(
            f"{what} is not a finite number, so there is no result",
            model,
            "Half precision often overflows: use a graph in fp32 or int8 (`precision`), or another release of ONNX Runtime.",
        )
        self.args = (what, model)
