"""What a service of AWS says of the identity that called it, as our errors."""

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
"""The keys have ended or were changed: the identity is asked for new ones, once."""
_REFUSED: Final = frozenset(
    {"IncompleteSignature", "IncompleteSignatureException", "InvalidSignatureException", "MissingAuthenticationToken",
     "MissingAuthenticationTokenException", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
)  # fmt: skip
_TIMED: Final = (
    "Signature expired",
    "not yet current",
    "earlier than",
    "RequestTimeTooSkewed",
    "request time and",
)
_TIME: Final = re.compile(r"\b(\d{8}T\d{6}Z)\b")


def identity_error(failure: Failure, code: str, text: str) -> JackfieldError | None:
    """Give the error for an answer that refuses the identity or its rights; None for any other answer.

    Args:
        failure: The answer.
        code: AWS's word for it, without namespace ("ExpiredTokenException").
        text: What it says.
    """
    said: dict[str, Any] = {
        "status": failure.status, "code": code, "body": failure.body or None, "headers": failure.headers,
    }  # fmt: skip
    message = text or code
    if code in _DENIED:
        return PermissionDeniedError(message, **said)
    if code in _RENEWABLE:
        return AuthenticationError(message, refresh_credentials=True, **said)
    if code in _REFUSED:
        return AuthenticationError(message + clock_hint(f"{code} {text}"), **said)
    return None


def clock_hint(text: str) -> str:
    """Ask after the machine's clock where a refusal speaks of time, and say how far it is off where times are told."""
    if not any(words in text for words in _TIMED):
        return ""
    times = [time for found in _TIME.findall(text) if (time := _read(found)) is not None]
    if len(times) < 3:
        return "; is this machine's clock right?"
    off = round((times[0] - times[2]).total_seconds())
    return f"; this machine's clock is {abs(off)} seconds {'ahead' if off > 0 else 'behind'}, set it right"


def _read(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        return None  # the text only looks like a time
