"""Map errors of AWS's SDK about an identity to errors."""

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

__all__ = ["map_sdk_error"]

_UNREACHABLE: Final = (exceptions.HTTPClientError, exceptions.ConnectionError)
_THROTTLED: Final = frozenset(
    {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}
)
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "RegionDisabledException"})


def map_sdk_error(error: Exception, settings: AwsCredentials) -> JackfieldError:
    """Map an exception that the SDK raised while it searched for credentials."""
    name = settings.role_arn or settings.profile or "the declared identity"
    if isinstance(error, exceptions.ClientError):
        return _map_client_error(error.response, name)
    if isinstance(error, exceptions.SSOError | exceptions.TokenRetrievalError):
        login = f" --profile {settings.profile}" if settings.profile else ""
        return MissingCredentialError(f"the SSO session of {name} has ended; run `aws sso login{login}`")
    if isinstance(error, _UNREACHABLE):
        return ConnectionFailedError(f"AWS cannot be reached for the identity of {name}: {error}")
    if isinstance(error, exceptions.BotoCoreError):
        return MissingCredentialError(f"the AWS identity of {name} cannot be used: {error}")
    return MissingCredentialError(f"the AWS identity of {name} cannot be used: {type(error).__name__}")


def _map_client_error(response: Mapping[str, Any], name: str) -> JackfieldError:
    fields = response.get("Error", {})
    code, text = str(fields.get("Code", "")), str(fields.get("Message", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    message = f"AWS refuses credentials for {name}: {code}: {text}"
    if code in _DENIED:
        return PermissionDeniedError(message, status=status, code=code)
    if code in _THROTTLED:
        return RateLimitError(message, status=status, code=code)
    if isinstance(status, int) and status >= 500:
        return OverloadedError(message, status=status, code=code)
    return AuthenticationError(message + clock_hint(text), status=status, code=code)
