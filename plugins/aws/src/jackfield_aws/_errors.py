"""Map what services of AWS respond about an identity to errors."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, Final

from jackfield import AuthenticationError, JackfieldError, PermissionDeniedError
from jackfield.plugin import Failure

__all__ = ["clock_hint", "identity_error"]

# Source: AWS, "Common error types" of the service APIs, and AWS STS API reference (2026-11-22).
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized", "OptInRequired"})
_RENEWABLE: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidToken", "InvalidAccessKeyId",
     "UnrecognizedClientException", "UnrecognizedClient"}
)  # fmt: skip
"""The keys have expired or were changed: new ones are requested once."""
_REFUSED: Final = frozenset(
    {"IncompleteSignature", "IncompleteSignatureException", "InvalidSignatureException", "MissingAuthenticationToken",
     "MissingAuthenticationTokenException", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
)  # fmt: skip
_ABOUT_TIME: Final = (
    "Signature expired",
    "not yet current",
    "earlier than",
    "RequestTimeTooSkewed",
    "request time and",
)
_TIME: Final = re.compile(r"\b(\d{8}T\d{6}Z)\b")


def identity_error(failure: Failure, code: str, text: str) -> JackfieldError | None:
    """Return the error of a response that rejects the identity or its permissions; None for all others.

    Args:
        failure: The failure.
        code: AWS's name of the error, without namespace ("ExpiredTokenException").
        text: The error's message.
    """
    fields: dict[str, Any] = {
        "status": failure.status, "code": code, "body": failure.body or None, "headers": failure.headers,
    }  # fmt: skip
    message = text or code
    if code in _DENIED:
        return PermissionDeniedError(message, **fields)
    if code in _RENEWABLE:
        return AuthenticationError(message, refresh_credentials=True, **fields)
    if code in _REFUSED:
        return AuthenticationError(message + clock_hint(f"{code} {text}"), **fields)
    return None


def clock_hint(text: str) -> str:
    """Return a hint at the machine's clock if an error mentions time, with its offset if the error contains times."""
    if not any(words in text for words in _ABOUT_TIME):
        return ""
    times = [time for found in _TIME.findall(text) if (time := _parse_time(found)) is not None]
    if len(times) < 3:
        return "; check this machine's clock"
    off = round((times[0] - times[2]).total_seconds())
    return f"; this machine's clock is {abs(off)} seconds {'ahead' if off > 0 else 'behind'}; correct it"


def _parse_time(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        return None  # the text is not a time
