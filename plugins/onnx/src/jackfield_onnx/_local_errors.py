"""What can go wrong with a local model.

    LocalModelError
    ├── RuntimeMissingError       no ONNX Runtime is installed
    ├── RuntimeConflictError      two of them are
    ├── DeviceUnavailableError    asked for a GPU, got none
    ├── MemoryExceededError       the model does not fit into the memory
    ├── UnknownModelError         not in the catalogue
    ├── PreparationError          a model could not be fetched, checked or converted
    │   ├── DownloadError
    │   ├── DigestMismatchError
    │   ├── ConverterMissingError
    │   └── PreparationCancelledError
    ├── UnsupportedModelError     the file is understood, the model in it is not
    ├── DamagedModelError         the file or folder is not what it should be
    ├── RequestError              this request cannot be served
    │   ├── ContextOverflowError
    │   └── TextTooLongError
    ├── QueueFullError            too many requests are waiting
    ├── QueueTimeoutError         this one waited too long
    ├── EngineClosedError         the engine was closed
    └── GenerationError           the runtime failed in the middle

Each says what happened, which thing it happened to, and what to do about it, as text and as attributes.
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
    """Report a failure of a local model.

    Args:
        what: What happened, as a sentence without its full stop.
        which: The model, file, package or option it happened to.
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
    """Two distributions of ONNX Runtime are installed over each other."""


class DeviceUnavailableError(LocalModelError):
    """The declared device cannot be used."""


class MemoryExceededError(LocalModelError):
    """A model does not fit into the memory that is declared or available."""


class UnknownModelError(LocalModelError):
    """The catalogue has no such model."""


class PreparationError(LocalModelError):
    """A model could not be made ready; the cache is as it was before."""


class DownloadError(PreparationError):
    """The package that carries the model could not be fetched."""

    is_retryable = True


class DigestMismatchError(PreparationError):
    """A file is not the one that was expected: it is not used."""


class ConverterMissingError(PreparationError):
    """The library that writes ONNX files is not installed."""


class PreparationCancelledError(PreparationError):
    """The preparation was stopped on request."""


class UnsupportedModelError(LocalModelError):
    """The model uses something that this plugin does not run."""


class DamagedModelError(LocalModelError):
    """A model file or folder is incomplete or malformed."""


class RequestError(LocalModelError):
    """A request cannot be served as it is."""


class ContextOverflowError(RequestError):
    """A request needs more tokens than the model has room for.

    Args:
        prompt_tokens: Tokens of the rendered prompt.
        max_tokens: Tokens asked for, None when the request left it open.
        limit: Tokens that prompt and answer may have together.
        model: Name of the model.
    """

    def __init__(self, prompt_tokens: int, max_tokens: int | None, limit: int, model: str) -> None:
        asked = "" if max_tokens is None else f" and asks for {max_tokens} more"
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
    """A text to embed is longer than the model reads.

    Args:
        index: Position of the text in the request.
        tokens: Its word pieces, markers included.
        limit: Word pieces that the model reads.
        model: Name of the model.
    """

    def __init__(self, index: int, tokens: int, limit: int, model: str) -> None:
        super().__init__(
            f"text {index} has {tokens} tokens; the model reads {limit}",
            model,
            'Split the text, or ask for truncate="end" or truncate="start".',
        )
        self.args = (index, tokens, limit, model)
        self.index = index
        self.tokens = tokens
        self.limit = limit


class QueueFullError(LocalModelError):
    """As many requests are waiting as may wait."""

    is_retryable = True


class QueueTimeoutError(LocalModelError):
    """A request waited for its turn longer than it may."""

    is_retryable = True


class EngineClosedError(LocalModelError):
    """The engine was closed before or during the request."""


class GenerationError(LocalModelError):
    """The runtime failed while it served a request."""
