"""The error tree.

JackfieldError
├── ConfigurationError            the declaration or the way of use is wrong
│   ├── MissingCredentialError
│   └── PluginError
├── UnknownTargetError
├── ModelNotAllowedError
├── UnsupportedError              the model cannot honour what was asked
├── ProviderError                 the service answered, and not well
│   ├── AuthenticationError
│   ├── PermissionDeniedError
│   ├── NotFoundError
│   ├── InvalidRequestError
│   │   ├── ContextLengthExceededError
│   │   └── ContentFilteredError
│   ├── RateLimitError            retryable
│   │   └── QuotaExceededError    not retryable
│   ├── OverloadedError           retryable
│   └── ServerError               retryable
└── TransportError                no whole answer came
    ├── ConnectionFailedError     retryable; also Python's ConnectionError
    ├── TimeoutError              retryable; also Python's TimeoutError
    ├── StreamInterruptedError    retryable before the first event
    └── MalformedResponseError
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from jackfield._faces import show_in

if TYPE_CHECKING:
    from .replies import Attempt, Reply

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "ConnectionFailedError",
    "ContentFilteredError",
    "ContextLengthExceededError",
    "InvalidRequestError",
    "JackfieldError",
    "MalformedResponseError",
    "MissingCredentialError",
    "ModelNotAllowedError",
    "NotFoundError",
    "OverloadedError",
    "PermissionDeniedError",
    "PluginError",
    "ProviderError",
    "QuotaExceededError",
    "RateLimitError",
    "ServerError",
    "StreamInterruptedError",
    "TimeoutError",
    "TransportError",
    "UnknownTargetError",
    "UnsupportedError",
]

TimeoutPhase: TypeAlias = Literal["queue", "connect", "first_event", "idle", "total", "server"]


class JackfieldError(Exception):
    """Any error of Jackfield's.

    Attributes:
        message: What, which, and what to do.
        provider: Provider id.
        connection: The connection's name.
        model: The model's id.
        status: HTTP status, if the service answered.
        code: The provider's own word for it.
        body: The answer's body, as it came.
        headers: The answer's headers, case-insensitive.
        retry_after: Seconds after which the service wants to be asked again.
        attempts: Every attempt that was made.
        partial: What had come of the answer.
        refresh_credentials: The core shall fetch credentials anew and send once more.
    """

    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        connection: str | None = None,
        model: str | None = None,
        status: int | None = None,
        code: str | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
        attempts: Sequence[Attempt] = (),
        partial: Reply | None = None,
        refresh_credentials: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.connection = connection
        self.model = model
        self.status = status
        self.code = code
        self.body = body
        self.headers = headers
        self.retry_after = retry_after
        self.attempts = tuple(attempts)
        self.partial = partial
        self.refresh_credentials = refresh_credentials
        self._retryable = retryable

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may go well if it is sent again."""
        return self.default_retryable if self._retryable is None else self._retryable

    def __str__(self) -> str:
        where = ", ".join(
            # Ids may come from a program's users: no line of a log may begin in one.
            f"{name} {value if str(value).isprintable() else repr(value)}"
            for name, value in (
                ("connection", self.connection),
                ("provider", self.provider),
                ("model", self.model),
                ("status", self.status),
                ("code", self.code),
            )
            if value is not None
        )
        return f"{self.message} [{where}]" if where else self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions pickle their args alone; ours carry more. __cause__ travels where it can be pickled.
        return (_rebuild, (type(self), self.message, self._state(), _pack_cause(self.__cause__)))

    def _state(self) -> dict[str, Any]:
        state = {key: value for key, value in vars(self).items() if key != "message"}
        if self.headers is not None:
            from .wire import Headers

            state["headers"] = Headers(self.headers)  # an HTTP client's own kind need not be one that travels
        return state


def _rebuild(
    cls: type[JackfieldError], message: str, state: dict[str, Any], cause: bytes | None = None
) -> JackfieldError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.message = message
    vars(error).update(state)
    error.__cause__ = _unpack_cause(cause)
    return error


def _pack_cause(cause: BaseException | None) -> bytes | None:
    """Pickle an original error by itself: one that does not arrive must not keep ours from arriving."""
    if cause is None:
        return None
    import pickle

    try:
        return pickle.dumps(cause)
    except Exception:  # whatever its makers put into it
        return None


def _unpack_cause(cause: bytes | None) -> BaseException | None:
    if cause is None:
        return None
    import pickle

    try:
        error: BaseException = pickle.loads(cause)  # noqa: S301 -- a part of the pickle that is being read
    except Exception:  # its module is not here, or it wants to be made otherwise
        return None
    return error


class ConfigurationError(JackfieldError):
    """What was declared, or how the mesh is used, is wrong.

    Attributes:
        mistakes: Everything that is wrong with a configuration, each with its place; empty for other errors.
    """

    def __init__(self, message: str, *, mistakes: Sequence[str] = (), **context: Any) -> None:
        super().__init__(message, **context)
        self.mistakes = tuple(mistakes)


class MissingCredentialError(ConfigurationError):
    """A key, token or identity is not there."""


class PluginError(ConfigurationError):
    """A plugin cannot be used; the others are not touched."""


class UnknownTargetError(JackfieldError):
    """No connection or alias has this name, or the id of the model is not valid."""


class ModelNotAllowedError(JackfieldError):
    """The connection's allow-list does not name this model."""


class UnsupportedError(JackfieldError):
    """The model cannot honour a parameter, a value or a kind of request.

    Attributes:
        parameter: The option's name, if it is about one.
    """

    def __init__(self, message: str, *, parameter: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.parameter = parameter


class ProviderError(JackfieldError):
    """The service answered with an error that fits no class below."""


class AuthenticationError(ProviderError):
    """The key or token is not accepted."""


class PermissionDeniedError(ProviderError):
    """The identity is known but may not do this."""


class NotFoundError(ProviderError):
    """The model, deployment or endpoint is not there."""


class InvalidRequestError(ProviderError):
    """The service does not accept the request as it is."""


class ContextLengthExceededError(InvalidRequestError):
    """Input and wished-for output do not fit the model's window."""


class ContentFilteredError(InvalidRequestError):
    """A content filter or guardrail stopped the request or the answer."""


class RateLimitError(ProviderError):
    """Too many requests or tokens at the moment."""

    default_retryable = True


class QuotaExceededError(RateLimitError):
    """The account's budget or plan is used up; trying again does not help."""

    default_retryable = False


class OverloadedError(ProviderError):
    """The service has too much to do."""

    default_retryable = True


class ServerError(ProviderError):
    """The service failed."""

    default_retryable = True


class TransportError(JackfieldError):
    """No whole answer came."""


class ConnectionFailedError(TransportError, builtins.ConnectionError):
    """No connection, or it broke before the answer began."""

    default_retryable = True


class TimeoutError(TransportError, builtins.TimeoutError):  # noqa: A001 -- the name is part of the API
    """Something took longer than it may.

    Attributes:
        phase: queue, connect, first_event, idle, total, or server (the service's own time-out).
    """

    default_retryable = True

    def __init__(self, message: str, *, phase: TimeoutPhase, **context: Any) -> None:
        super().__init__(message, **context)
        self.phase = phase


class StreamInterruptedError(TransportError):
    """A stream ended before its end."""

    default_retryable = True


class MalformedResponseError(TransportError):
    """The answer is not what the service documents."""


# Tracebacks name a class by its module, and `jackfield` is where programs import these from.
show_in("jackfield", *(globals()[name] for name in __all__))
