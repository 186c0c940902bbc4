"""What AWS and its SDK say when an identity cannot be proved, as our errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botocore import exceptions

from jackfield import (
    AuthenticationError,
    ConnectionFailedError,
    JackfieldError,
    MissingCredentialError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitError,
)

from ._errors import clock_hint
from ._settings import AwsCredentials

__all__ = ["told"]

_UNREACHABLE: Final = (exceptions.HTTPClientError, exceptions.ConnectionError)
_THROTTLED: Final = frozenset(
    {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}
)
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "RegionDisabledException"})


def told(error: Exception, settings: AwsCredentials) -> JackfieldError:
    """Give our error for what the SDK raised while it looked for credentials."""
    whom = settings.role_arn or settings.profile or "the declared identity"
    if isinstance(error, exceptions.ClientError):
        return _refused(error.response, whom)
    if isinstance(error, exceptions.SSOError | exceptions.TokenRetrievalError):
        login = f" --profile {settings.profile}" if settings.profile else ""
        return MissingCredentialError(f"the SSO session of {whom} has ended; run `aws sso login{login}`")
    if isinstance(error, _UNREACHABLE):
        return ConnectionFailedError(f"AWS cannot be asked for the identity of {whom}: {error}")
    if isinstance(error, exceptions.BotoCoreError):
        return MissingCredentialError(f"the AWS identity of {whom} cannot be used: {error}")
    return MissingCredentialError(f"the AWS identity of {whom} cannot be used: {type(error).__name__}")


def _refused(answer: Mapping[str, Any], whom: str) -> JackfieldError:
    said = answer.get("Error", {})
    code, text = str(said.get("Code", "")), str(said.get("Message", ""))
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    message = f"AWS gives no credentials for {whom}: {code}: {text}"
    if code in _DENIED:
        return PermissionDeniedError(message, status=status, code=code)
    if code in _THROTTLED:
        return RateLimitError(message, status=status, code=code)
    if isinstance(status, int) and status >= 500:
        return OverloadedError(message, status=status, code=code)
    return AuthenticationError(message + clock_hint(text), status=status, code=code)
