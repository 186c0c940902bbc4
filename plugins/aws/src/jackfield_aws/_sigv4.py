"""Sign requests by Signature Version 4: with botocore's functions for intricate steps, and a fast path for the rest.

Imported in a thread, when a signer is first prepared. Canonical URLs are botocore's own (`SigV4Auth`), cached per URL;
what calls to one URL have in common is cached, too, and the key of the day, so only hashing is left for each request.
botocore's `add_auth` does everything for each request, and writes the session token to its debug log.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from botocore.auth import SigV4Auth, _host_from_url

if TYPE_CHECKING:
    from ._credentials import Keys

__all__ = ["SignatureV4"]

_SIGNED: Final = frozenset({"host", "content-type", "content-md5", "accept"})
_NOT_SIGNED: Final = "x-amzn-trace-id"
"""Proxies may change it, for tracing. They may change all other headers, so those are not signed either."""
_DATE: Final = "x-amz-date"
_FORMS_KEPT: Final = 256


class _Form(NamedTuple):
    """A canonical request without its date and its body's hash, and the names of the signed headers."""

    before_date: str
    after_date: str
    names: str


class SignatureV4:
    """Signs with one copy of keys.

    Args:
        keys: The keys.
        service: The service's name in signatures.
        region: The region of the service.
    """

    def __init__(self, keys: Keys, service: str, region: str) -> None:
        self._service = service
        self._region = region
        self._token: str | None = keys.token
        self._access_key: str = keys.access_key
        self._secret_key: str = keys.secret_key
        self._day_key: tuple[str, bytes] = ("", b"")
        self._instant: tuple[int, str] = (0, "")
        self._forms: dict[tuple[Any, ...], _Form] = {}

    def headers(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None
    ) -> dict[str, str]:
        """Return the headers that sign a request.

        Args:
            method: The HTTP method.
            url: The URL, quoted as it is sent.
            headers: The other headers.
            body: The body.
            now: Seconds since the epoch; the default is the machine's time.
        """
        timestamp = self._timestamp(int(time.time() if now is None else now))
        digest = hashlib.sha256(body).hexdigest()
        added = {"X-Amz-Date": timestamp}
        if self._token:
            added["X-Amz-Security-Token"] = self._token
        if self._service == "s3":
            added["X-Amz-Content-SHA256"] = digest
            form = self._form(method, url, {**headers, "X-Amz-Content-SHA256": digest})
        else:
            known = (method, url, *headers.items())
            form = self._forms.get(known) or self._remember(known, self._form(method, url, headers))
        canonical = f"{form.before_date}{timestamp}{form.after_date}{digest}".encode()
        day = timestamp[:8]
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        hashed = hashlib.sha256(canonical).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{hashed}"
        signature = hmac.digest(self._key(day), to_sign.encode(), "sha256").hex()
        added["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._access_key}/{scope}, "
            f"SignedHeaders={form.names}, Signature={signature}"
        )
        return added

    def _timestamp(self, second: int) -> str:
        known, timestamp = self._instant
        if known != second:
            timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
            self._instant = second, timestamp
        return timestamp

    def _form(self, method: str, url: str, headers: Mapping[str, str]) -> _Form:
        """Build the canonical request without the date, which changes each second, and the body's hash."""
        path, query, host = _place(url, raw=self._service == "s3")
        signed = {"host": host, **_signed(headers), _DATE: ""}
        if self._token:
            signed["x-amz-security-token"] = self._token
        names = sorted(signed)
        lines = [f"{name}:{signed[name]}" for name in names]
        at = names.index(_DATE)
        joined = ";".join(names)
        return _Form(
            before_date="\n".join((method.upper(), path, query, *lines[: at + 1])),
            after_date="\n".join(("", *lines[at + 1 :], "", joined, "")),
            names=joined,
        )

    def _remember(self, known: tuple[Any, ...], form: _Form) -> _Form:
        """Cache what calls of one model to one URL have in common; few are in use at a time."""
        if len(self._forms) >= _FORMS_KEPT:
            self._forms.clear()
        self._forms[known] = form
        return form

    def _key(self, day: str) -> bytes:
        """Return the key of a day. Source: AWS, "Create a signed AWS API request", calculate the signature (2026)."""
        known, key = self._day_key
        if known != day:
            key = ("AWS4" + self._secret_key).encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._day_key = day, key
        return key


def _signed(headers: Mapping[str, str]) -> dict[str, str]:
    chosen = {}
    for name, value in headers.items():
        low = name.lower()
        if low in _SIGNED or (low.startswith("x-amz") and low != _NOT_SIGNED):
            chosen[low] = " ".join(value.split())
    return chosen


@functools.lru_cache(maxsize=512)
def _place(url: str, *, raw: bool) -> tuple[str, str, str]:
    """Return path and query of a URL as they are signed, and its `Host`.

    S3 signs a path as it is sent (`raw`); for all other services it is quoted once more.
    """
    parts: SplitResult = urlsplit(url)
    auth = SigV4Auth(None, "", "")
    path = parts.path if raw else auth._normalize_url_path(parts.path)  # noqa: SLF001 -- has no public name
    return path or "/", auth._canonical_query_string_url(parts), _host_from_url(url)  # noqa: SLF001 -- as above
