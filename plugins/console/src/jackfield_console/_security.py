"""Headers of every answer, cookies, and what a request must show before it changes something."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

__all__ = [
    "HEADERS",
    "client_address",
    "hash_token",
    "is_https",
    "is_same_origin",
    "new_token",
    "safe_path",
    "same",
]

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
    "server": "jackfield",
}
"""Nothing is loaded from elsewhere, nothing is inline, no page is shown in another's frame, and nothing is kept."""

_PATH: Final = re.compile(r"/(?![/\\])[\w./~%@:,+-]*(\?[\w./~%@:,+&=;*-]*)?\Z", re.ASCII)


def new_token() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """Return what is kept of a token. A plain hash is enough: nobody can try all tokens of 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))


def is_https(request: web.Request, declared: bool | None) -> bool:
    """Return whether the browser reached the console by HTTPS.

    A client may claim it: then its own cookies are sent by HTTPS only, which harms nobody.
    """
    if declared is not None:
        return declared
    return request.secure or request.headers.get("x-forwarded-proto", "").split(",")[0].strip() == "https"


def is_same_origin(request: web.Request) -> bool:
    """Return whether a request comes from a page of ours, as far as the browser says where from.

    `Sec-Fetch-Site` is sent over HTTPS and to this machine; where neither it nor an origin is told, the CSRF token and the cookie's
    `SameSite` decide alone.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin", "null")
    return origin == "null" or urlsplit(origin).netloc.lower() == request.host.lower()


def safe_path(text: str) -> str:
    """Return a path to go to after log-in; "/" for whatever is not plainly a path of the console."""
    return text if len(text) < 2_000 and _PATH.match(text) and ".." not in text else "/"


def client_address(request: web.Request, proxies: Sequence[str]) -> str:
    """Return the address that a request came from; of those that proxies report, the last that is not a proxy's own."""
    address = request.remote or ""
    if not _is_of(address, proxies):
        return address
    for one in reversed(request.headers.get("x-forwarded-for", "").split(",")):
        shown = one.strip()
        if not _is_address(shown):
            break
        address = shown
        if not _is_of(address, proxies):
            break
    return address


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_of(text: str, networks: Sequence[str]) -> bool:
    if not _is_address(text):
        return False
    address = ipaddress.ip_address(text)
    return any(address in ipaddress.ip_network(network) for network in networks)
