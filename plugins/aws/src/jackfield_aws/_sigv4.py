"""Signature Version 4 with botocore's own steps, without a request object of botocore's.

Imported in a thread, when a signer is first prepared. Three things differ from `SigV4Auth.add_auth`: the time is an
argument, nothing is logged (botocore writes the session token to its debug log), and headers are plain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from botocore.auth import SigV4Auth

__all__ = ["sign"]

_TIME: Final = "%Y%m%dT%H%M%SZ"
_SIGNED: Final = frozenset({"host", "content-type", "content-md5", "accept"})
_NOT_SIGNED: Final = frozenset({"x-amzn-trace-id"})
"""Others that a proxy on the way may change (user agent, encodings) are not signed either."""


class _Headers(dict[str, str]):
    """Headers in lower case, as `SigV4Auth.canonical_headers` asks for them."""

    def get_all(self, name: str) -> list[str]:
        return [self[name]]


class _Request:
    """What `SigV4Auth` looks at of a request."""

    __slots__ = ("body", "context", "headers", "method", "params", "url")

    def __init__(self, method: str, url: str, headers: _Headers, body: bytes, timestamp: str) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.params = None
        self.context = {"timestamp": timestamp}


class _Auth(SigV4Auth):  # type: ignore[misc,unused-ignore]  # botocore is not typed
    """The steps of botocore over plain headers."""

    def headers_to_sign(self, request: Any) -> _Headers:
        chosen = _Headers(
            (name, value)
            for name, value in request.headers.items()
            if name in _SIGNED or (name.startswith("x-amz") and name not in _NOT_SIGNED)
        )
        if "host" not in chosen:
            chosen["host"] = _host(request.url)
        return chosen

    def payload(self, request: Any) -> str:
        return hashlib.sha256(request.body).hexdigest()


class _S3Auth(_Auth):
    """S3 signs a path as it is sent; every other service quotes it once more."""

    def _normalize_url_path(self, path: str) -> str:
        return path


def _host(url: str) -> str:
    """Give the header `Host` that is sent: the port only if it is not the scheme's own."""
    from botocore.auth import _host_from_url

    host: str = _host_from_url(url)
    return host


def sign(
    credentials: Any,
    service: str,
    region: str,
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime | None = None,
) -> dict[str, str]:
    """Give the headers that prove a request.

    Args:
        credentials: `access_key`, `secret_key` and `token`.
        service: The name that is signed for.
        region: The region of the service.
        method: The HTTP method.
        url: The address, quoted as it is sent.
        headers: What is sent besides.
        body: The bytes that are sent.
        now: When; the machine's time unless told.
    """
    timestamp = (now or datetime.now(UTC)).strftime(_TIME)
    added = {"X-Amz-Date": timestamp}
    if credentials.token:
        added["X-Amz-Security-Token"] = credentials.token
    if service == "s3":
        added["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    all_headers = _Headers(
        (name.lower(), value) for layer in (headers, added) for name, value in layer.items()
    )
    request = _Request(method, url, all_headers, body, timestamp)
    auth = (_S3Auth if service == "s3" else _Auth)(credentials, service, region)
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    added["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, "
        f"SignedHeaders={auth.signed_headers(auth.headers_to_sign(request))}, Signature={signature}"
    )
    return added
