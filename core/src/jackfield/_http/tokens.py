"""Fetch a token from an OAuth token endpoint, in a thread."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jackfield._contract.protocols import Token
from jackfield._json import read_json
from jackfield._types.errors import (
    AuthenticationError,
    MalformedResponseError,
    OverloadedError,
    ProviderError,
)
from jackfield._types.waits import retry_after_seconds

from .blocking import fetch_blocking

__all__ = ["fetch_token"]

_MOST_OF_REASON: Final = 300
_UNAVAILABLE: Final = (408, 429, 500, 502, 503, 504, 529)


def fetch_token(
    url: str,
    body: bytes,
    *,
    hint: str,
    headers: Mapping[str, str] | None = None,
    secrets: Sequence[str] = (),
    timeout: float = 30.0,
    proxy: str | None = None,
    ca_bundle: str | None = None,
) -> Token:
    """Post to a token endpoint (RFC 6749), and return the token. Blocks: the core calls it in a thread (`Bearer`).

    Args:
        url: The address of the token endpoint.
        body: The body of the request: a form, or JSON.
        hint: What an administrator should check if the endpoint refuses, or answers without a token.
        headers: The headers of the request.
        secrets: What must not be in an error, because the endpoint may send it back.
        timeout: Seconds that each operation on the connection may take.
        proxy: The address of a proxy; None means those of the environment.
        ca_bundle: The path of a file of certificate authorities; None means the system's.

    Raises:
        AuthenticationError: The endpoint refuses.
        OverloadedError: The endpoint is unavailable at the moment, and a retry may help.
        ConnectionFailedError: The endpoint cannot be reached.
        MalformedResponseError: The response is not that of a token endpoint.
    """
    sender = f"the token endpoint {url}"
    status, said, answer = fetch_blocking(
        url,
        sender=sender,
        body=body,
        headers={"Accept": "application/json", **(headers or {})},
        timeout=timeout,
        proxy=proxy,
        ca_bundle=ca_bundle,
    )
    if status >= 300:
        raise _map_refusal(sender, status, said, _mask(answer, secrets), hint)
    token = _read_token(answer)
    if token is None:
        raise MalformedResponseError(f"{sender} answered without a token; {hint}")
    return token


def _mask(answer: bytes, secrets: Sequence[str]) -> bytes:
    for secret in secrets:
        if secret:
            answer = answer.replace(secret.encode(), b"***")
    return answer


def _read_token(answer: bytes) -> Token | None:
    """Read the response of a token endpoint (RFC 6749, 5.1); None if it is none."""
    value = _load(answer)
    token, kind, seconds = (value.get(name) for name in ("access_token", "token_type", "expires_in"))
    if not isinstance(token, str) or not token or (kind is not None and str(kind).lower() != "bearer"):
        return None
    if seconds is None:
        return Token(token)
    try:
        lasts = float(seconds)  # some write it as a string
    except (TypeError, ValueError):
        return None
    return Token(token, time.time() + lasts) if math.isfinite(lasts) else None


def _load(answer: bytes) -> Mapping[str, Any]:
    try:
        value = read_json(answer)
    except ValueError:
        return {}
    return value if isinstance(value, Mapping) else {}


def _map_refusal(
    sender: str, status: int, headers: Mapping[str, str], answer: bytes, hint: str
) -> ProviderError | MalformedResponseError:
    value = _load(answer)
    error = value.get("error")
    inner = error if isinstance(error, Mapping) else {}
    reasons = (value.get("error_description"), inner.get("message"), value.get("message"), error)
    reason = next((one for one in reasons if isinstance(one, str) and one), None)
    text = f"{sender} answered {status}{f': {reason[:_MOST_OF_REASON]}' if reason else ''}"
    if status < 400:
        return MalformedResponseError(f"{text}; {hint}", status=status)
    if status in _UNAVAILABLE:
        return OverloadedError(
            text, status=status, body=answer, headers=headers, retry_after=retry_after_seconds(headers)
        )
    code = next((one for one in (error, inner.get("type")) if isinstance(one, str)), None)
    # Without a status: for a 401 of the model service, the core would fetch a new token.
    return AuthenticationError(f"{text}; {hint}", code=code, body=answer)
